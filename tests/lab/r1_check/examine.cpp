#include "examine.hpp"

#include <algorithm>
#include <map>

namespace holdfast::r1 {

namespace {

/// Sequence numbers as offsets that do not wrap: 0 is the SYN, 1 the first byte.
class Unwrapped {
  public:
    void start(std::uint32_t isn) { isn_ = isn; }
    std::int64_t at(std::uint32_t number) {
        const auto near = static_cast<std::uint32_t>(isn_ + static_cast<std::uint32_t>(last_));
        const std::int64_t offset = last_ + static_cast<std::int32_t>(number - near);
        last_ = std::max(last_, offset);
        return offset;
    }

  private:
    std::uint32_t isn_ = 0;
    std::int64_t last_ = 0;
};

/// What a sender was told arrived above its holes, and may therefore never be asked for again.
class Reported {
  public:
    void note(std::int64_t from, std::int64_t to) {
        auto next = ranges_.lower_bound(from);
        if (next != ranges_.begin() && std::prev(next)->second >= from) --next;
        while (next != ranges_.end() && next->first <= to) {
            from = std::min(from, next->first);
            to = std::max(to, next->second);
            next = ranges_.erase(next);
        }
        ranges_.emplace(from, to);
    }
    /// Takes an ACK; true if it stops inside a reported range, which a sender reads as reneging.
    bool reneges(std::int64_t covered) {
        while (!ranges_.empty() && ranges_.begin()->second <= covered) ranges_.erase(ranges_.begin());
        if (ranges_.empty() || ranges_.begin()->first > covered) return false;
        ranges_.clear();  // the sender forgets what it was told, too
        return true;
    }

  private:
    std::map<std::int64_t, std::int64_t> ranges_;
};

/// Follows one leg: what its endpoint sent and acknowledged, and what the proxy acknowledged to it.
struct Follower {
    explicit Follower(const Leg& leg) {
        sent_numbers.start(*leg.endpoint_isn);
        acks_to_endpoint.start(*leg.endpoint_isn);
        sack_numbers.start(*leg.endpoint_isn);
        if (leg.proxy_isn) acks_by_endpoint.start(*leg.proxy_isn);
    }
    void endpoint_spoke(const Packet& packet) {
        if (packet.flags & kRst) return;
        if (packet.length > 0) sent = std::max(sent, sent_numbers.at(packet.seq) + packet.length);
        if (packet.acknowledges()) acknowledged = std::max(acknowledged, acks_by_endpoint.at(packet.ack));
    }
    std::int64_t in_flight() const { return std::max<std::int64_t>(0, sent - covered); }

    /// Takes what the proxy reported by SACK; true if its ACK stops inside what it had reported before.
    bool reneges(const Leg& leg, const Packet& packet, std::int64_t covers) {
        if (covers < covered) return false;  // an old ACK moves nothing
        const bool result = covers > covered && reported.reneges(covers);
        for (std::size_t i = packet.first_sack; i < packet.first_sack + packet.sacks; ++i) {
            const std::int64_t from = sack_numbers.at(leg.sacks[i].first),
                               to = sack_numbers.at(leg.sacks[i].second);
            if (from > covers && to > from) reported.note(from, to);
        }
        return result;
    }

    Unwrapped sent_numbers, acks_by_endpoint, acks_to_endpoint, sack_numbers;
    Reported reported;
    std::int64_t sent = 0;          ///< the endpoint sent everything below
    std::int64_t acknowledged = 0;  ///< of the other end's stream
    std::int64_t covered = 0;       ///< of the endpoint's own stream, by the proxy's ACKs to it
};

}  // namespace

void examine(const Leg& client, const Leg& server, std::vector<Moment>* moments, Findings& findings) {
    std::vector<std::pair<const Packet*, Side>> order;
    order.reserve(client.packets.size() + server.packets.size());
    for (const Packet& each : client.packets) order.emplace_back(&each, Side::client);
    for (const Packet& each : server.packets) order.emplace_back(&each, Side::server);
    // What an endpoint said and what the proxy answered can not carry one time stamp; if they do, the words
    // came first.
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
        return std::pair(a.first->time_ns, !a.first->from_endpoint) <
               std::pair(b.first->time_ns, !b.first->from_endpoint);
    });

    std::array followers{Follower(client), Follower(server)};
    std::size_t next_moment = 0;
    const auto look = [&](std::int64_t until_ns) {
        for (; moments && next_moment < moments->size() && (*moments)[next_moment].time_ns < until_ns;
             ++next_moment) {
            for (std::size_t side = 0; side < 2; ++side) {
                const std::int64_t bytes = followers[side].in_flight();
                (*moments)[next_moment].unacknowledged[side] += bytes;
                (*moments)[next_moment].sessions[side] += bytes > 0;
            }
        }
    };
    for (const auto& [packet, side] : order) {
        look(packet->time_ns);
        Follower& near = followers[side == Side::client ? 0 : 1];
        const Follower& far = followers[side == Side::client ? 1 : 0];
        if (packet->flags &
            kRst) {  // the connection is over: nothing is in flight any more, nothing is promised
            near.covered = std::max(near.covered, near.sent);
            continue;
        }
        if (packet->from_endpoint) {
            near.endpoint_spoke(*packet);
            continue;
        }
        if (!packet->acknowledges()) continue;
        ++findings.acks;
        const Leg& leg = side == Side::client ? client : server;
        const std::int64_t covers = near.acks_to_endpoint.at(packet->ack);
        if (covers > far.acknowledged) {
            findings.violations.push_back({side, packet->time_ns, covers, far.acknowledged, &leg});
        }
        if (near.reneges(leg, *packet, covers)) {
            findings.reneged.push_back({side, packet->time_ns, covers, far.acknowledged, &leg});
        }
        if (side == Side::client && covers == far.acknowledged)
            findings.tight_to_client.push_back(packet->index);
        near.covered = std::max(near.covered, covers);
        findings.peak_withheld = std::max(findings.peak_withheld, near.in_flight());
    }
}

const Leg* partner(const Leg& client, const std::vector<const Leg*>& free) {
    std::vector<const Leg*> best;
    std::size_t best_agreement = 0;
    for (const Leg* server : free) {
        if (server->opened_ns < client.opened_ns) continue;
        if (client.syn_ack_ns && (server->opened_ns > *client.syn_ack_ns || !server->endpoint_isn)) continue;
        const auto upward = client.from_endpoint.agreement(server->to_endpoint);
        const auto downward = server->from_endpoint.agreement(client.to_endpoint);
        if (!upward || !downward) continue;
        const std::size_t agreement = *upward + *downward;
        if (agreement > best_agreement) best.clear();
        if (agreement >= best_agreement) best.push_back(server);
        best_agreement = std::max(best_agreement, agreement);
    }
    if (best.size() < 2) return best.empty() ? nullptr : best.front();
    // Sessions without payload look alike: any partner that explains all ACKs will do.
    for (const Leg* server : best) {
        if (!server->endpoint_isn) continue;
        Findings trial;
        examine(client, *server, nullptr, trial);
        if (trial.violations.empty()) return server;
    }
    return best.front();
}

}  // namespace holdfast::r1
