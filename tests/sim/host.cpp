#include "tests/sim/host.hpp"

#include <algorithm>

namespace holdfast::sim {
namespace {
constexpr std::size_t waiting_limit = 8;
constexpr Duration ask_again = seconds(1);
}  // namespace

Host::Host(Scheduler& scheduler, Journal& journal, HostObserver& observer, std::string name, MacAddress mac,
           IpAddress address)
    : scheduler_(scheduler),
      journal_(journal),
      observer_(observer),
      name_(std::move(name)),
      mac_(mac),
      address_(address) {}

Talker& Host::connect(std::uint16_t from_port, const Endpoint& to, const TalkerPlan& plan) {
    const Endpoint local{address_, from_port};
    auto& talker = *talkers_.emplace_back(std::make_unique<Talker>(*this, journal_, plan, local, to));
    open_[{local, to}] = &talker;
    talker.socket().open(scheduler_.now());
    settle();
    return talker;
}

void Host::listen(std::uint16_t port, std::function<std::optional<TalkerPlan>(const Endpoint&)> accept) {
    listeners_[port] = std::move(accept);
}

void Host::frame_arrives(const Frame& frame) {
    if (deaf_) return;
    const auto to = destination_mac(*frame);
    if (to != mac_ && !to.is_multicast()) return;
    if (const auto arp = read_resolution(*frame)) return take_resolution(*arp);
    if (to.is_multicast()) return;
    std::string fault;
    const auto segment = read_segment(*frame, fault);
    if (!fault.empty()) return journal_.violate("frame", name_ + " received a frame with " + fault);
    if (!segment) {
        if (const auto reply = echo_reply(*frame)) out_->send(std::make_shared<Bytes>(*reply));
        return;
    }
    if (segment->to.address == address_) take_segment(*segment);
}

void Host::take_resolution(const Resolution& arp) {
    const bool for_us = arp.target == address_;
    const auto known = neighbours_.find(arp.sender);
    if (known != neighbours_.end() || (for_us && arp.operation == 1)) {
        auto& n = neighbours_[arp.sender];
        n.mac = arp.sender_mac;
        for (auto waiting = std::exchange(n.waiting, {}); auto& s : waiting) {
            send(s);
            n.payloads.pop_front();
        }
    }
    if (for_us && arp.operation == 1)
        out_->send(std::make_shared<Bytes>(
            write_resolution({2, mac_, mac_, arp.sender_mac, address_, arp.sender}, arp.sender_mac)));
}

void Host::ask(const IpAddress& address) {
    neighbours_[address].asked_at = scheduler_.now();
    out_->send(std::make_shared<Bytes>(
        write_resolution({1, mac_, mac_, {}, address_, address}, MacAddress::broadcast())));
}

void Host::take_segment(const Segment& wire) {
    auto s = wire;
    const bool brought_header = headers_ && headers_->take(s);
    if (journal_.verbose()) {
        const auto it = open_.find({s.to, s.from});
        const auto* socket = it == open_.end() ? nullptr : &it->second->socket();
        journal_.print((socket ? socket->label() : name_ + " " + s.to.to_string()) + " <- " +
                       s.from.to_string() + "  " +
                       describe(s, socket ? socket->irs() : SeqNum{}, socket ? socket->iss() : SeqNum{}));
    }
    observer_.host_receives(*this, s);
    const Key key{s.to, s.from};
    auto it = open_.find(key);
    const bool opens = s.has(flag::syn) && !s.has(flag::ack) && !s.has(flag::rst);
    Talker* talker = it == open_.end() ? nullptr : it->second;
    if (opens && (talker == nullptr || talker->socket().reusable_for(s))) {
        if (accept(s) == nullptr) refuse(wire);
        return settle();
    }
    if (talker == nullptr) return refuse(wire);
    talker->socket().arrive(s, scheduler_.now());
    if (brought_header) talker->socket().acknowledge(scheduler_.now());
    talker->run(scheduler_.now());
    settle();
}

Talker* Host::accept(const Segment& syn) {
    const auto listener = listeners_.find(syn.to.port);
    if (listener == listeners_.end()) return nullptr;
    const auto plan = listener->second(syn.from);
    if (!plan) return nullptr;
    auto& talker = *talkers_.emplace_back(std::make_unique<Talker>(*this, journal_, *plan, syn.to, syn.from));
    open_[{syn.to, syn.from}] = &talker;
    talker.socket().accept(syn, scheduler_.now());
    return &talker;
}

/// RFC 9293 section 3.10.7.1: a segment for no connection is answered by a reset.
void Host::refuse(const Segment& s) {
    if (s.has(flag::rst)) return;
    Segment reset;
    reset.from = s.to;
    reset.to = s.from;
    if (s.has(flag::ack)) {
        reset.seq = s.ack;
        reset.flags = flag::rst;
    } else {
        reset.ack = s.seq + s.length();
        reset.flags = flag::rst | flag::ack;
    }
    send(reset);
}

void Host::transmit(Socket& socket, Segment& segment) {
    if (journal_.verbose())
        journal_.print(socket.label() + " -> " + segment.to.to_string() + "  " +
                       describe(segment, socket.iss(), socket.irs()));
    observer_.host_sends(*this, segment);
    if (headers_) headers_->put(segment);
    send(segment);
}

void Host::send(Segment s) {
    auto& n = neighbours_[s.to.address];
    if (!n.mac) {
        if (n.waiting.size() >= waiting_limit) return;
        n.payloads.emplace_back(s.payload.begin(), s.payload.end());
        s.payload = n.payloads.back();
        n.waiting.push_back(s);
        if (n.waiting.size() == 1) ask(s.to.address);
        return settle();
    }
    s.from_mac = mac_;
    s.to_mac = *n.mac;
    auto frame = std::make_shared<Bytes>(write_segment(s));
    journal_.note(0x5e9d, *frame);
    if (!deaf_) out_->send(frame);
}

void Host::state_changed(Socket& socket, State before) {
    auto& talker = owner_of(socket);
    if (journal_.verbose())
        journal_.print(
            socket.label() + ": " + std::string(sim::name(before)) + " -> " +
            std::string(sim::name(socket.state())) +
            (socket.state() == State::closed ? " (" + std::string(sim::name(socket.ending())) + ")" : ""));
    if (socket.state() == State::closed) {
        const auto it = open_.find({socket.local(), socket.remote()});
        if (it != open_.end() && it->second == &talker) open_.erase(it);
    }
    observer_.state_changed(*this, talker, before);
}

Talker& Host::owner_of(const Socket& socket) {
    return **std::find_if(talkers_.begin(), talkers_.end(),
                          [&](const auto& t) { return &t->socket() == &socket; });
}

/// Schedules the next wake-up.
void Host::settle() {
    Instant next = Instant::never();
    for (const auto& talker : talkers_) next = earlier(next, talker->deadline());
    for (const auto& [address, n] : neighbours_)
        if (!n.mac && !n.waiting.empty()) next = earlier(next, n.asked_at + ask_again);
    if (next >= wake_at_) return;
    wake_at_ = next;
    scheduler_.at(next, *this, 0);
}

void Host::wake(std::uint64_t, const Frame&) {
    const Instant now = scheduler_.now();
    wake_at_ = Instant::never();
    for (auto& [address, n] : neighbours_)
        if (!n.mac && !n.waiting.empty() && n.asked_at + ask_again <= now) ask(address);
    for (std::size_t i = 0; i < talkers_.size(); ++i) {
        Talker& talker = *talkers_[i];
        if (talker.deadline() > now) continue;
        talker.socket().advance(now);
        talker.run(now);
    }
    settle();
}

}  // namespace holdfast::sim
