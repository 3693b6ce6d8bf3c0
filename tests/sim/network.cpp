#include "tests/sim/network.hpp"

#include "tests/sim/congestion_marks.hpp"

namespace holdfast::sim {

void Wire::send(const Frame& frame) {
    if (!up_ || random_.chance(options_.loss) || (filter_ && filter_(*frame))) return;
    Instant leaves = scheduler_.now();
    if (options_.bits_per_second != 0) {
        const auto backlog = later(free_at_, leaves) - leaves;
        const auto queued =
            static_cast<double>(backlog.ns) * static_cast<double>(options_.bits_per_second) / 8e9;
        if (queued > options_.queue_bytes) return;
        const auto bits = static_cast<std::int64_t>((frame->size() + 24) * 8);  // with preamble, FCS and gap
        free_at_ = leaves =
            later(free_at_, leaves) +
            nanoseconds(bits * 1'000'000'000 / static_cast<std::int64_t>(options_.bits_per_second));
    }
    const bool marks = mark_random_.chance(options_.marks);
    const auto carried = marks ? marked(frame) : frame;
    carry(carried, leaves);
    if (random_.chance(options_.duplication)) carry(carried, leaves);
}

void Wire::carry(const Frame& frame, Instant leaves) {
    Instant arrives = leaves + options_.delay;
    if (options_.jitter.ns > 0) arrives = arrives + nanoseconds(random_.between(0, options_.jitter.ns));
    if (random_.chance(options_.reordering)) {
        arrives = arrives + nanoseconds(random_.between(0, options_.reorder_by.ns));
    } else {
        arrives = last_arrival_ = later(arrives, last_arrival_);
    }
    scheduler_.at(arrives, *this, cuts_, frame);
}

void Wire::set_up(bool up) {
    if (up_ && !up) ++cuts_;
    up_ = up;
}

void Wire::wake(std::uint64_t token, const Frame& frame) {
    if (token == cuts_) to_.frame_arrives(tamper_ ? tamper_(frame) : frame);
}

Switch::Attachment Switch::attach(FrameSink& station, std::uint64_t seed, const WireOptions& to_station,
                                  const WireOptions& from_station) {
    auto& port = *ports_.emplace_back(std::make_unique<Port>(*this, ports_.size()));
    port.out = std::make_unique<Wire>(scheduler_, mix64(seed), to_station, station);
    port.in = std::make_unique<Wire>(scheduler_, mix64(seed + 1), from_station, port);
    return {port.out.get(), port.in.get()};
}

void Switch::set_up(std::size_t port, bool up) {
    ports_[port]->out->set_up(up);
    ports_[port]->in->set_up(up);
}

void Switch::heal() {
    for (auto& port : ports_) {
        port->out->heal();
        port->in->heal();
    }
}

void Switch::forward(std::size_t from, const Frame& frame) {
    table_[source_mac(*frame)] = from;
    const auto to = destination_mac(*frame);
    const auto known = to.is_multicast() ? table_.end() : table_.find(to);
    if (known != table_.end()) {
        if (known->second != from) ports_[known->second]->out->send(frame);
        return;
    }
    for (std::size_t i = 0; i < ports_.size(); ++i)
        if (i != from) ports_[i]->out->send(frame);
}

}  // namespace holdfast::sim
