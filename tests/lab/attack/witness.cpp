#include "tests/lab/attack/witness.hpp"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <stdexcept>

namespace holdfast::lab {
namespace {

/// This thread is in another network namespace while the object lives.
class Visit {
  public:
    explicit Visit(const std::string& name)
        : home_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
        const int there = ::open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
        const bool entered = home_ >= 0 && there >= 0 && ::setns(there, CLONE_NEWNET) == 0;
        if (there >= 0) ::close(there);
        if (!entered) throw std::runtime_error("can not enter namespace " + name);
    }
    ~Visit() {
        ::setns(home_, CLONE_NEWNET);
        ::close(home_);
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

  private:
    int home_;
};

bool is_after(SeqNum a, SeqNum b) { return static_cast<std::int32_t>(a.value - b.value) > 0; }

void hear(End& end, const sim::Segment& s) {
    const SeqNum next{s.seq.value + s.length()};
    const bool begins = s.has(sim::flag::syn);
    if (begins || !end.heard || is_after(next, end.next)) end.next = next;
    if (s.has(sim::flag::ack) && (begins || !end.heard || is_after(s.ack, end.ack))) end.ack = s.ack;
    end.heard = true;
    end.timestamps = s.options.timestamps.has_value();
    if (!end.timestamps) return;
    end.ts_value = s.options.timestamps->value;
    end.ts_echo = s.options.timestamps->echo;
}

}  // namespace

Witness::Witness(const std::string& network_namespace, const std::string& device, MacAddress client,
                 MacAddress attacker)
    : socket_([&] {
          const Visit there(network_namespace);
          return PacketSocket(device, true);
      }()),
      client_(client),
      attacker_(attacker) {}

void Witness::look() {
    sim::Bytes frame;
    std::string fault;
    while (socket_.receive(frame)) {
        const auto s = sim::read_segment(frame, fault);
        if (!s || s->from_mac == attacker_) continue;
        const bool by_client = s->from_mac == client_;
        auto& connection = connections_[(by_client ? s->from : s->to).to_string()];
        auto& speaker = connection[by_client ? 0 : 1];
        connection[0].address = by_client ? s->from : s->to;
        connection[1].address = by_client ? s->to : s->from;
        // A RST says nothing of its sender, unless it is the end.
        if (!s->has(sim::flag::rst)) hear(speaker, *s);
    }
}

const Connection& Witness::connection(const Endpoint& client) const {
    const auto found = connections_.find(client.to_string());
    if (found == connections_.end() || !found->second[0].heard || !found->second[1].heard)
        throw std::runtime_error("no connection of " + client.to_string() + " was seen");
    return found->second;
}

}  // namespace holdfast::lab
