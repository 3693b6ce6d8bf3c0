// Blind attacks on the client's connections, for tests of one's own lab: frames in the name of either end,
// with numbers guessed within 2^20 of the truth.
//
//     attack DEVICE CLIENT_NAMESPACE CLIENT_DEVICE CLIENT_MAC SERVER_SIDE_MAC
//
// Frames leave by DEVICE, to the client or to whoever answers for the server on its network. It listens at
// the client's device for the truth, and reads lines of orders:
//
//     KIND VICTIM SEED GUESSES SECONDS CLIENT_ENDPOINT...
//
// Each is so many guesses for each connection and each of its ends, spread over that time; then it prints how
// many frames left. The n-th connection of an order meets the same distances from its truth whenever the seed
// is the same.
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/lab/attack/forge.hpp"

namespace {

using namespace holdfast;
using namespace holdfast::lab;

constexpr MacAddress own_mac{{2, 0xf1, 0, 0xd, 0, 2}};

struct Order {
    Kind kind;
    unsigned speaker;  ///< index of the end in whose name is spoken
    std::uint64_t seed;
    unsigned guesses;
    double seconds;
    std::vector<Endpoint> clients;
};

Order read_order(const std::string& line) {
    std::istringstream words(line);
    std::string kind, victim, client;
    Order order{};
    if (!(words >> kind >> victim >> order.seed >> order.guesses >> order.seconds))
        throw std::runtime_error("no order: " + line);
    const auto known = kind_of(kind);
    if (!known) throw std::runtime_error("no attack is called " + kind);
    if (victim != "client" && victim != "server") throw std::runtime_error("no victim is called " + victim);
    order.kind = *known;
    order.speaker = victim == "server" ? 0 : 1;
    while (words >> client) {
        const auto endpoint = Endpoint::parse(client);
        if (!endpoint) throw std::runtime_error("no address and port: " + client);
        order.clients.push_back(*endpoint);
    }
    return order;
}

class Attacker {
  public:
    Attacker(char** words, MacAddress client, MacAddress server_side)
        : port_(words[1], false), witness_(words[2], words[3], client, own_mac), macs_{client, server_side} {}

    /// Frames that left.
    std::uint64_t carry_out(const Order& order) {
        using clock = std::chrono::steady_clock;
        std::vector<Random> chance;
        for (std::size_t i = 0; i < order.clients.size(); ++i) chance.emplace_back(mix64(order.seed) + i);
        const auto begin = clock::now();
        std::uint64_t sent = 0;
        for (unsigned guess = 0; guess < order.guesses; ++guess) {
            witness_.look();
            for (std::size_t i = 0; i < order.clients.size(); ++i, ++sent) {
                const auto& connection = witness_.connection(order.clients[i]);
                const auto victim = macs_[1 - order.speaker];
                port_.send(forge(order.kind, {connection, order.speaker, own_mac, victim}, chance[i]));
            }
            std::this_thread::sleep_until(
                begin + std::chrono::duration_cast<clock::duration>(
                            std::chrono::duration<double>(order.seconds * (guess + 1) / order.guesses)));
        }
        return sent;
    }

    /// Listens until there is an order to read, or the end of orders. One line is one order.
    void await_order() {
        pollfd waits[] = {{STDIN_FILENO, POLLIN, 0}, {witness_.fd(), POLLIN, 0}};
        while (waits[0].revents == 0) {
            ::poll(waits, 2, -1);
            witness_.look();
        }
    }

  private:
    PacketSocket port_;
    Witness witness_;
    MacAddress macs_[2];  ///< of the client, and of whoever answers for the server
};

}  // namespace

int main(int argc, char** argv) {
    const auto client = argc == 6 ? MacAddress::parse(argv[4]) : std::nullopt;
    const auto server_side = argc == 6 ? MacAddress::parse(argv[5]) : std::nullopt;
    if (!client || !server_side) {
        std::fputs("usage: attack DEVICE CLIENT_NAMESPACE CLIENT_DEVICE CLIENT_MAC SERVER_SIDE_MAC\n",
                   stderr);
        return 2;
    }
    try {
        Attacker attacker(argv, *client, *server_side);
        std::puts("ready");
        std::fflush(stdout);
        std::string line;
        while (attacker.await_order(), std::getline(std::cin, line)) {
            std::printf("%llu\n", static_cast<unsigned long long>(attacker.carry_out(read_order(line))));
            std::fflush(stdout);
        }
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "attack: %s\n", error.what());
        return 1;
    }
}
