// An application with its socket: it follows a script and judges what it reads.
#pragma once

#include <string>

#include "tests/sim/script.hpp"
#include "tests/sim/socket.hpp"

namespace holdfast::sim {

/// Everything one end of a conversation is made from.
struct TalkerPlan {
    std::string label;
    unsigned conversation = 0;
    SocketOptions socket;
    Script script;
    std::uint64_t expected = 0;  ///< bytes that the other end writes
    bool cut_allowed = false;    ///< the other end aborts: less may arrive, and a RST
    Stream out, in;
};

class Talker {
  public:
    Talker(SocketOwner& owner, Journal& journal, const TalkerPlan& plan, const Endpoint& local,
           const Endpoint& remote);

    Socket& socket() { return socket_; }
    const Socket& socket() const { return socket_; }
    const TalkerPlan& plan() const { return plan_; }
    /// Lets the application do what it can.
    void run(Instant now);
    Instant deadline() const;
    /// Everything was said, heard and closed.
    bool complete() const;
    /// Ended in a way that leaves the application nothing to do.
    bool broken() const { return socket_.state() == State::closed && socket_.ending() != Ending::finished; }
    /// When the application last got on: read, wrote or closed.
    Instant active_at() const { return active_at_; }

  private:
    bool read(Instant now);
    bool take_step(Instant now);
    void judge();

    Journal& journal_;
    TalkerPlan plan_;
    Socket socket_;
    std::size_t step_ = 0;
    std::uint64_t consumed_ = 0;
    bool paused_ = false;
    Instant sleep_until_ = Instant::never(), read_at_ = Instant::never(), active_at_{};
};

}  // namespace holdfast::sim
