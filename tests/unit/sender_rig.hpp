// The sending side of one connection, alone: its segments really leave, and what an ACK does to it is read
// from its TCB.
#pragma once

#include <string>
#include <vector>

#include "cores/tcp/emit.hpp"
#include "cores/tcp/rack.hpp"
#include "cores/tcp/recovery.hpp"
#include "cores/tcp/scoreboard.hpp"
#include "cores/tcp/sender.hpp"
#include "tests/support/held_segment.hpp"
#include "tests/support/interface_rig.hpp"

namespace holdfast::test {

class SenderRig {
  public:
    static constexpr Position mss = 1000;
    static constexpr std::uint32_t window = 512'000;

    /// Begins at position 1, with nothing queued.
    explicit SenderRig(bool sack = true, bool timestamps = false,
                       net::InterfaceSettings settings = interface_settings(), unsigned mbufs = 1023)
        : wire(std::move(settings), mbufs), begin_(wire.now) {
        wire.receive_arp(false, neighbour, neighbour_mac, own_address);
        auto& leg = t.hard.leg;
        leg.local = {vip, 80};
        leg.remote = {neighbour, 40000};
        leg.iss = {0xfffffc00};
        leg.irs = {0xffffffff};
        leg.ts_offset = 0xfffff000;
        leg.mss_send = static_cast<std::uint16_t>(mss + (timestamps ? 12 : 0));
        t.hard = {leg, sack, timestamps, false, 7, 7};
        t.soft.state = tcp::State::established;
        t.soft.rtt.rto = config.rto_initial;
        tcp::start_receiving(t, 1);
        t.soft.rcv.edge_limit = 64'000;
        tcp::start_sending(t, 1);
        t.soft.snd.edge = 1 + window;
        t.soft.snd.window_max = window;
    }
    ~SenderRig() {
        tcp::discard_queue(t);
        wire.transmitted();
    }
    SenderRig(const SenderRig&) = delete;
    SenderRig& operator=(const SenderRig&) = delete;

    InterfaceRig wire;
    TcpConfig config;
    tcp::TcpCounters counters;
    tcp::Tcb t;

    tcp::SendSide& snd() { return t.soft.snd; }
    std::uint64_t count(tcp::Counter c) const { return counters.get(c); }
    void after(Duration span) { wire.now = wire.now + span; }
    tcp::Context context() {
        return {wire.now, static_cast<std::uint32_t>((wire.now - begin_).to_ms()), config, wire.net,
                counters};
    }
    /// First position of segment `i` of full size, from 0.
    static Position start(Position i) { return 1 + i * mss; }
    /// Held segment `i`, counted from the first that is held.
    rte_mbuf* held(unsigned i) {
        auto* m = snd().head;
        for (; i > 0; --i) m = meta(m).next;
        return m;
    }

    /// Queues `segments` of `size` bytes, and sends what the windows allow.
    void write(unsigned segments, Position size = mss) {
        for (; segments > 0; --segments)
            tcp::enqueue(t, segment_of(wire.mbufs, snd().queue_end, snd().queue_end + size), context());
        tcp::send_ready(t, context());
    }
    /// Segments that have left since the last call; they point into frames that live until the next one.
    std::vector<sim::Segment> segments() {
        frames_ = wire.transmitted();
        std::vector<sim::Segment> all;
        for (const auto& frame : frames_) {
            std::string fault;
            const auto s = sim::read_segment(frame, fault);
            REQUIRE(fault == "");
            if (s) all.push_back(*s);  // else of the neighbour's resolution
        }
        return all;
    }
    /// Payload ranges that have left since the last call.
    std::vector<tcp::PositionRange> sent() {
        std::vector<tcp::PositionRange> ranges;
        for (const auto& s : segments()) {
            const auto begin = to_position(t.hard.leg.iss, s.seq, snd().una);
            if (!s.payload.empty()) ranges.push_back({begin, begin + s.payload.size()});
        }
        return ranges;
    }
    /// Number of segments with payload that have left since the last call.
    std::size_t sent_count() { return sent().size(); }

    /// The header of an ACK.
    wire::TcpHeader header(Position ack, const std::vector<tcp::PositionRange>& sacked = {}) const {
        wire::TcpHeader h;
        h.flags = wire::flag::ack;
        h.seq = tcp::receive_seq(t, 1);
        h.ack = tcp::send_seq(t, ack);
        h.window = window >> 7;
        for (const auto r : sacked)
            h.options.sack[h.options.sack_count++] = {tcp::send_seq(t, r.begin), tcp::send_seq(t, r.end)};
        return h;
    }
    /// An ACK is taken, and nothing follows from it.
    tcp::AckEffect take(Position ack, const std::vector<tcp::PositionRange>& sacked = {}) {
        return tcp::take_ack(t, ack, header(ack, sacked), context());
    }
    /// An ACK arrives; what it allows leaves.
    tcp::AckEffect acknowledge(Position ack, const std::vector<tcp::PositionRange>& sacked = {}) {
        return acknowledge(ack, header(ack, sacked));
    }
    tcp::AckEffect acknowledge(Position ack, const wire::TcpHeader& h) {
        const auto effect = tcp::take_ack(t, ack, h, context());
        tcp::recover(t, effect, h, context());
        tcp::send_ready(t, context());
        return effect;
    }
    /// The round trip becomes known: one segment, acknowledged after `span`.
    void measure(Duration span) {
        write(1);
        after(span);
        acknowledge(snd().nxt);
        sent();
    }

  private:
    Instant begin_;
    std::vector<Bytes> frames_;
};

}  // namespace holdfast::test
