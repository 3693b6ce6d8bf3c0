// What is true of the client's connections, read from the frames at its own device. An attacker has none of
// this: it is there so that guesses can be drawn from a known distance around the truth.
#pragma once

#include <array>
#include <map>

#include "tests/lab/packet_socket.hpp"
#include "tests/sim/frame.hpp"

namespace holdfast::lab {

/// One end of a connection, as its last words have it.
struct End {
    Endpoint address;
    SeqNum next;  ///< after all that it sent
    SeqNum ack;
    std::uint32_t ts_value = 0, ts_echo = 0;
    bool timestamps = false, heard = false;
};

/// The client first.
using Connection = std::array<End, 2>;

class Witness {
  public:
    /// Listens at `device` in the network namespace of that name. Throws std::runtime_error.
    Witness(const std::string& network_namespace, const std::string& device, MacAddress client,
            MacAddress attacker);

    int fd() const { return socket_.fd(); }
    /// Takes in what was sent until now.
    void look();
    /// The connection of the client's port; throws std::runtime_error unless both ends were heard.
    const Connection& connection(const Endpoint& client) const;

  private:
    PacketSocket socket_;
    MacAddress client_, attacker_;
    std::map<std::string, Connection> connections_;  ///< by the client's endpoint, printed
};

}  // namespace holdfast::lab
