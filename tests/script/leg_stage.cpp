#include "tests/script/leg_stage.hpp"

#include <algorithm>
#include <array>

#include "cores/tcp/emit.hpp"
#include "tests/support/true_bytes.hpp"

namespace holdfast::script {
namespace {

const MacAddress our_mac{{2, 0, 0, 0, 1, 1}}, peer_mac{{2, 0, 0, 0, 9, 1}};
const Endpoint ours = *Endpoint::parse("192.0.2.2:80"), theirs = *Endpoint::parse("192.0.2.7:40000");
constexpr SeqNum our_isn{0xffffff00}, peer_isn{0xfffffe00};
constexpr Position window = 64'000;
constexpr std::uint32_t out_of_order_mbufs = 64;

std::uint8_t our_byte_at(Position p) { return static_cast<std::uint8_t>(test::byte_at(p) ^ 0x5c); }

net::InterfaceSettings settings() {
    net::InterfaceSettings s;
    s.own_mac = our_mac;
    s.own_address = *Prefix::parse("192.0.2.2/24");
    return s;
}

}  // namespace

LegStage::LegStage()
    : peer(*this, "peer", theirs, peer_mac, peer_isn, 0),
      pool_(mbufs_.get()),
      net_(settings(), pool_, net_counters_) {
    peer.knowledge().other = ours;
    // The neighbour is known from here on.
    arrive(mbufs_.receive(
        sim::write_resolution({1, peer_mac, peer_mac, {}, theirs.address, ours.address}, our_mac)));
    transmit();
    auto& leg = tcb_.hard.leg;
    leg.local = ours;
    leg.remote = theirs;
    leg.iss = our_isn;
    leg.ts_offset = 0xfffffff0;
    tcb_.soft.rtt.rto = config_.rto_initial;
}

LegStage::~LegStage() {
    if (peer.has_unexpected()) depart_at_end(peer.describe_unexpected() + "\n" + transcript());
    tcp::discard_queue(tcb_);
}

tcp::Context LegStage::context() {
    return {now_, static_cast<std::uint32_t>(time().to_ms()), config_, net_, counters_, net::Self::own};
}

// ---- opening ----

void LegStage::accept() {
    opening_ = Opening::passive;
    peer.sends(syn());
    peer.expects(syn_ack());
    peer.sends(ack(1));
    expect_state(tcp::State::established);
}

void LegStage::connect() {
    opening_ = Opening::active;
    tcp::send_syn(tcb_, offer_, context());
    transmit();
    peer.expects(syn());
    peer.sends(syn_ack());
    peer.expects(ack(1));
    expect_state(tcp::State::established);
}

/// The other end's SYN is here: both ends' constants are known.
void LegStage::begin(const wire::Frame& frame) {
    const auto answer = tcp::read_offer(frame.tcp);
    auto leg = tcb_.hard.leg;
    leg.irs = frame.tcp.seq;
    leg.mss_send = answer.mss;
    leg.mss_receive = offer_.mss;
    const auto receive_scale = answer.window_scaling ? offer_.scale : std::uint8_t{0};
    tcb_.hard = {leg, answer.sack, answer.timestamps, offer_.ecn && answer.ecn, answer.scale, receive_scale};
    tcp::start_receiving(tcb_, 1);
    auto& r = tcb_.soft.rcv;
    r.edge_limit = 1 + window;
    r.ts_recent = frame.tcp.options.ts_value;
    r.ts_recent_valid = answer.timestamps;
    r.ts_recent_at = now_;
}

void LegStage::in_opening(const wire::Frame& frame, Packet packet) {
    const auto c = context();
    auto& s = tcb_.soft;
    const bool is_syn = frame.tcp.has(wire::flag::syn);
    if (opening_ == Opening::passive && is_syn) {
        begin(frame);
        return tcp::send_syn_ack(tcb_, offer_, c);
    }
    if (opening_ == Opening::active) {
        if (tcp::judge_in_syn_sent(tcb_, frame) != tcp::SynSentVerdict::accepted) return;
        begin(frame);
        s.rcv.ack_now = true;
    }
    s.snd.timer = tcp::SendTimer::none;
    s.snd.timer_at = Instant::never();
    s.state = tcp::next_state(s.state, tcp::StateEvent::syn_acknowledged);
    tcp::start_sending(tcb_, 1);
    s.snd.edge = 1 + frame.tcp.window;
    opening_ = Opening::none;
    if (!is_syn) tcp::segment_arrives(tcb_, frame, std::move(packet), out_of_order_mbufs, c);
}

// ---- the parent ----

void LegStage::write(std::uint32_t bytes) {
    for (std::uint32_t n; bytes > 0; bytes -= n) {
        n = std::min(bytes, tcp::effective_mss(tcb_));
        auto packet = pool_.allocate();
        if (!packet) throw Departure("no mbuf to write with");
        auto* m = packet.get();
        auto& d = meta(m);
        d.begin = tcb_.soft.snd.queue_end;
        d.payload_offset = m->data_off;
        d.payload_len = static_cast<std::uint16_t>(n);
        for (Position p = d.begin; p < d.end(); ++p) payload(m)[p - d.begin] = our_byte_at(p);
        tcp::enqueue(tcb_, std::move(packet), context());
    }
    service();
}

void LegStage::close() {
    tcp::enqueue_fin(tcb_);
    service();
}

void LegStage::take_text() {
    while (tcp::next_in_order(tcb_) != nullptr) {
        const auto packet = tcp::take_in_order(tcb_, context());
        const auto* m = packet.get();
        for (Position p = meta(m).begin; p < meta(m).end(); ++p)
            if (payload(m)[p - meta(m).begin] != peer.byte_at(p))
                throw Departure("a byte that is not true\n" + transcript());
        taken_ = meta(m).end();
    }
}

void LegStage::service() {
    const auto c = context();
    auto& r = tcb_.soft.rcv;
    take_text();
    if (tcp::fin_is_next(tcb_)) {
        tcp::take_fin(tcb_);
        r.ack_now = true;
    }
    r.ledger.release_until(r.ledger.received());
    r.edge_limit = std::max(r.edge_limit, r.ledger.received() + window);
    if (state() != tcp::State::closed) {
        tcp::send_ready(tcb_, c);
        if (r.ack_now || r.out_of_order || r.ledger.ack_number() > r.ledger.acknowledged())
            tcp::emit_ack(tcb_, c);
    }
    transmit();
}

// ---- frames and time ----

void LegStage::arrive(rte_mbuf* m) {
    wire::Frame frame;
    switch (wire::parse_frame(m, false, frame)) {
        case wire::FrameKind::arp: net_.receive(m, frame, now_); return;
        case wire::FrameKind::tcp: break;
        default: rte_pktmbuf_free(m); return;
    }
    if (opening_ != Opening::none) return in_opening(frame, Packet(m));
    const auto arrival = tcp::segment_arrives(tcb_, frame, Packet(m), out_of_order_mbufs, context());
    if (!arrival.reset) return;
    tcb_.soft.state = tcp::next_state(state(), tcp::StateEvent::reset);
    tcp::discard_queue(tcb_);
}

void LegStage::deliver(const Peer&, const std::vector<sim::Bytes>& burst) {
    for (auto frame : burst) {
        std::copy_n(our_mac.bytes.begin(), 6, frame.begin());
        arrive(mbufs_.receive(frame));
    }
    if (opening_ == Opening::none) service();
    transmit();
}

void LegStage::transmit() {
    std::array<rte_mbuf*, 32> out;
    for (std::uint32_t n; (n = net_.transmit(out, true)) > 0;)
        for (std::uint32_t i = 0; i < n; ++i) {
            const auto* p = rte_pktmbuf_mtod(out[i], const std::uint8_t*);
            auto frame = std::make_shared<sim::Bytes>(p, p + out[i]->pkt_len);
            rte_pktmbuf_free(out[i]);
            if (!sim::read_resolution(*frame)) show(std::move(frame));
        }
}

void LegStage::show(sim::Frame frame) {
    peer.receive(frame, [&](const Seen& s) {
        for (auto p = s.begin; p < s.end; ++p)
            if (s.raw.payload[p - s.begin] != our_byte_at(p))
                throw Departure("R3: a byte that is not true\n" + transcript());
    });
}

void LegStage::at(Duration t) {
    const auto target = Instant{} + t;
    while (now_ < target) {
        const auto timer = tcb_.soft.snd.timer_at;
        now_ = earlier(target, later(timer, now_));
        if (now_ < timer) continue;
        if (!tcp::run_send_timer(tcb_, context())) tcb_.soft.state = tcp::State::closed;
        service();
    }
}

std::string LegStage::transcript() const {
    std::string text;
    for (const auto& line : transcript_) text += line + "\n";
    return text;
}

void LegStage::expect_state(tcp::State expected, Where where) {
    if (state() == expected) return;
    depart("the state is " + std::string(to_string(state())) + " and not " +
               std::string(to_string(expected)) + "\n" + transcript(),
           where);
}

}  // namespace holdfast::script
