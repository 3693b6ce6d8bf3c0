#include "cores/mirror/link.hpp"

#include <algorithm>
#include <cstring>

#include "cores/tcp/emit.hpp"

namespace holdfast::mirror {

using namespace literals;
namespace flag = wire::flag;

namespace {
constexpr std::size_t input_max = 256 * 1024;
constexpr std::uint64_t unsent_max = 64 * 1024, held_max = 512 * 1024;
/// Unacknowledged bytes for this long mean that the peer's mirror is dead, whatever its heartbeats say.
constexpr Duration stall_max = seconds(2);
/// A quiet connection is asked this often whether it still leads anywhere, and given up after so much
/// silence.
constexpr Duration ask_every = milliseconds(300), silence_max = milliseconds(1500);
constexpr std::uint8_t window_scale = 3;
}  // namespace

Link::Link(const LinkSettings& settings, const tcp::Secrets& secrets, net::Interface& net,
           tcp::TcpCounters& tcp_counters, MirrorCounters& counters)
    : settings_(settings),
      secrets_(secrets),
      net_(net),
      tcp_counters_(tcp_counters),
      counters_(counters),
      next_port_(static_cast<std::uint16_t>(32768 + settings.seed % 16384)) {
    input_.reserve(input_max + 2048);
}

Link::~Link() { tcp::discard_queue(tcb_); }

tcp::Context Link::context(Instant now) {
    return {now,           static_cast<std::uint32_t>(now.ns / 1'000'000), settings_.tcp, net_, tcp_counters_,
            net::Self::own};
}

void Link::reset(State state) {
    if (state_ == State::established) {
        counters_.add(Counter::connections_lost);
        changed_ = true;
    }
    tcp::discard_queue(tcb_);
    tcb_.~Tcb();
    new (&tcb_) tcp::Tcb{};
    tcb_.soft.rtt.rto = settings_.tcp.rto_initial;
    pending_.reset();
    input_.clear();
    input_begin_ = 0;
    stalled_since_ = Instant::never();
    state_ = state;
}

void Link::listen(bool on) {
    listening_ = on;
    if (!on && state_ == State::answering) reset(State::closed);
}

void Link::close(Instant now) {
    if (state_ == State::established || state_ == State::connecting) tcp::emit_reset(tcb_, context(now));
    if (state_ != State::closed) reset(State::closed);
}

/// What an MSS leaves out (RFC 6691): the headers without options.
std::uint16_t Link::mss_max() const {
    return static_cast<std::uint16_t>(settings_.mtu - wire::ip_size(settings_.local) - wire::tcp_size);
}

void Link::connect(Instant now) {
    reset(State::connecting);
    auto& l = tcb_.hard.leg;
    next_port_ = static_cast<std::uint16_t>(next_port_ == 65535 ? 32768 : next_port_ + 1);
    l.local = {settings_.local, next_port_};
    l.remote = {settings_.peer, settings_.port};
    l.iss = secrets_.initial_sequence(l.local, l.remote, now);
    l.ts_offset = secrets_.timestamp_offset(l.local, l.remote);
    offer_ = {mss_max(), true, true, true, window_scale, 65535};
    tcp::send_syn(tcb_, offer_, context(now));
}

void Link::established(Instant now) {
    auto& s = tcb_.soft;
    s.snd.timer = tcp::SendTimer::none;
    s.snd.timer_at = Instant::never();
    s.snd.backoff = 0;
    s.state = tcp::State::established;
    s.last_heard = now;
    tcp::start_sending(tcb_, 1);
    s.rcv.edge_limit = 1 + input_max;
    state_ = State::established;
    ask_at_ = Instant{};
    changed_ = true;
    counters_.add(Counter::connections_opened);
}

void Link::receive(const wire::Frame& frame, Packet packet, Instant now) {
    const bool ports = state_ != State::closed && frame.tcp.destination_port == tcb_.hard.leg.local.port &&
                       frame.tcp.source_port == tcb_.hard.leg.remote.port;
    if (frame.source != settings_.peer) {
        counters_.add(Counter::not_the_peer);
        return;
    }
    const bool is_syn = frame.tcp.has(flag::syn) && !frame.tcp.has(flag::ack);
    // A peer that connects anew has forgotten the old connection: the newest one counts.
    if (is_syn && listening_ && frame.tcp.destination_port == settings_.port &&
        !(ports && state_ == State::established))
        return accept_syn(frame, now);
    if (!ports) {
        if (!frame.tcp.has(flag::rst)) tcp::emit_reset_reply(frame, context(now));
        return;
    }
    switch (state_) {
        case State::closed: break;
        case State::connecting: in_connecting(frame, now); break;
        case State::answering: in_answering(frame, std::move(packet), now); break;
        case State::established: in_established(frame, std::move(packet), now); break;
    }
}

void Link::accept_syn(const wire::Frame& frame, Instant now) {
    reset(State::answering);
    auto& l = tcb_.hard.leg;
    l.local = {settings_.local, settings_.port};
    l.remote = {settings_.peer, frame.tcp.source_port};
    l.irs = frame.tcp.seq;
    l.iss = secrets_.initial_sequence(l.local, l.remote, now);
    l.ts_offset = secrets_.timestamp_offset(l.local, l.remote);
    const auto theirs = tcp::read_offer(frame.tcp);
    l.mss_send = std::min<std::uint16_t>(theirs.mss, mss_max());
    offer_ = {mss_max(), theirs.sack, theirs.timestamps, theirs.window_scaling, window_scale, 65535};
    tcb_.hard = {l,     theirs.sack,  theirs.timestamps,
                 false, theirs.scale, theirs.window_scaling ? window_scale : std::uint8_t{0}};
    tcb_.soft.rcv.ts_recent = frame.tcp.options.ts_value;
    tcb_.soft.rcv.ts_recent_valid = theirs.timestamps;
    tcb_.soft.rcv.ts_recent_at = now;
    tcp::start_receiving(tcb_, 1);
    tcp::send_syn_ack(tcb_, offer_, context(now));
}

void Link::in_connecting(const wire::Frame& frame, Instant now) {
    switch (tcp::judge_in_syn_sent(tcb_, frame)) {
        case tcp::SynSentVerdict::ignore: return;
        case tcp::SynSentVerdict::send_reset: tcp::emit_reset_reply(frame, context(now)); return;
        case tcp::SynSentVerdict::refused: reset(State::closed); return;
        case tcp::SynSentVerdict::accepted: break;
    }
    const auto theirs = tcp::read_offer(frame.tcp);
    auto& l = tcb_.hard.leg;
    l.irs = frame.tcp.seq;
    l.mss_send = std::min<std::uint16_t>(theirs.mss, mss_max());
    tcb_.hard = {l,     theirs.sack,  theirs.timestamps,
                 false, theirs.scale, theirs.window_scaling ? window_scale : std::uint8_t{0}};
    auto& r = tcb_.soft.rcv;
    tcp::start_receiving(tcb_, 1);
    r.ts_recent = frame.tcp.options.ts_value;
    r.ts_recent_valid = theirs.timestamps;
    r.ts_recent_at = now;
    r.ack_now = true;
    established(now);
    tcb_.soft.snd.edge = Position{1} + frame.tcp.window;
}

void Link::in_answering(const wire::Frame& frame, Packet packet, Instant now) {
    if (frame.tcp.has(flag::rst)) {
        if (frame.tcp.seq == tcp::receive_seq(tcb_, 1)) reset(State::closed);
        return;
    }
    if (!frame.tcp.has(flag::ack) || frame.tcp.has(flag::syn) || frame.tcp.ack != tcp::send_seq(tcb_, 1))
        return;
    established(now);
    in_established(frame, std::move(packet), now);
}

void Link::in_established(const wire::Frame& frame, Packet packet, Instant now) {
    const auto arrival = tcp::segment_arrives(tcb_, frame, std::move(packet), 256, context(now));
    if (arrival.reset || tcb_.soft.rcv.fin_known) return reset(State::closed);
    take_input();
}

void Link::take_input() {
    if (input_begin_ > 0 && (input_begin_ == input_.size() || input_.size() > input_max / 2)) {
        input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(input_begin_));
        input_begin_ = 0;
    }
    const tcp::Context c = context(tcb_.soft.last_heard);
    while (auto* m = tcp::next_in_order(tcb_)) {
        if (input_.size() + meta(m).payload_len > input_max) break;
        const auto packet = tcp::take_in_order(tcb_, c);
        input_.insert(input_.end(), payload(packet.get()),
                      payload(packet.get()) + meta(packet.get()).payload_len);
    }
    auto& r = tcb_.soft.rcv;
    r.ledger.release_until(r.ledger.received());
    r.edge_limit = std::max(r.edge_limit, r.ledger.received() + (input_max - readable().size()));
}

std::size_t Link::writable() const {
    if (state_ != State::established) return 0;
    const auto& s = tcb_.soft.snd;
    const auto waiting = s.queue_end - s.nxt + (pending_ ? pending_.get()->data_len : 0u);
    if (waiting >= unsent_max || s.queue_end - s.una >= held_max) return 0;
    return static_cast<std::size_t>(unsent_max - waiting);
}

bool Link::write(std::span<const std::uint8_t> bytes, Instant now) {
    if (writable() < bytes.size()) return false;
    while (!bytes.empty()) {
        const auto mss = tcp::effective_mss(tcb_);
        if (!pending_) {
            pending_ = net_.pool().allocate();
            if (!pending_) {
                // A record that is written in part would break the stream: the connection starts over.
                tcp_counters_.add(tcp::Counter::no_buffer);
                close(now);
                return false;
            }
        }
        const auto n = std::min<std::size_t>(bytes.size(), mss - pending_.get()->data_len);
        std::memcpy(rte_pktmbuf_append(pending_.get(), static_cast<std::uint16_t>(n)), bytes.data(), n);
        bytes = bytes.subspan(n);
        if (pending_.get()->data_len == mss) flush(now);
    }
    return true;
}

void Link::flush(Instant now) {
    if (state_ != State::established) return;
    const auto c = context(now);
    if (pending_) {
        auto* m = pending_.get();
        auto& d = meta(m);
        d = PacketMeta{};
        d.begin = tcb_.soft.snd.queue_end;
        d.payload_offset = m->data_off;
        d.payload_len = m->data_len;
        d.push = true;
        tcp::enqueue(tcb_, std::move(pending_), c);
    }
    take_input();
    tcp::send_ready(tcb_, c);
    auto& r = tcb_.soft.rcv;
    const bool window_news = distance(r.edge_sent, r.edge_limit) > static_cast<std::int64_t>(input_max / 4);
    if (r.ack_now || r.out_of_order || window_news || r.ledger.releasable() > r.ledger.acknowledged())
        tcp::emit_ack(tcb_, c);
}

bool Link::give_up_late(Instant now) {
    const auto& s = tcb_.soft.snd;
    if (s.una == s.nxt || tcb_.soft.last_heard > stalled_since_ || stalled_since_.is_never()) {
        stalled_since_ = s.una == s.nxt ? Instant::never() : now;
        return false;
    }
    return now - stalled_since_ > stall_max;
}

void Link::advance(Instant now) {
    const auto c = context(now);
    switch (state_) {
        case State::closed: return;
        case State::connecting:
        case State::answering:
            if (!tcp::run_handshake_timer(tcb_, offer_, state_ == State::connecting, c)) reset(State::closed);
            return;
        case State::established:
            if (!tcp::run_send_timer(tcb_, c) || give_up_late(now) ||
                now - tcb_.soft.last_heard > silence_max)
                return close(now);
            if (now < ask_at_) return;
            ask_at_ = now + ask_every;
            if (now - tcb_.soft.last_heard >= ask_every) tcp::send_probe(tcb_, c);
            return;
    }
}

Instant Link::next_deadline() const {
    auto at = state_ == State::closed ? Instant::never() : tcb_.soft.snd.timer_at;
    if (state_ == State::established) at = earlier(at, ask_at_);
    if (!stalled_since_.is_never()) at = earlier(at, stalled_since_ + stall_max);
    return at;
}

std::uint64_t Link::held_mbufs() const {
    return tcb_.soft.snd.mbufs + tcb_.soft.rcv.queue.mbufs() + (pending_ ? 1u : 0u);
}

}  // namespace holdfast::mirror
