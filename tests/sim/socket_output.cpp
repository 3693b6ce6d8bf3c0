// What a socket sends.
#include <algorithm>

#include "tests/sim/socket.hpp"

namespace holdfast::sim {

bool Socket::may_send_data() const {
    switch (state_) {
        case State::established:
        case State::close_wait:
        case State::fin_wait_1:
        case State::closing:
        case State::last_ack: return true;
        default: return false;
    }
}

bool Socket::everything_sent() const {
    return sent_end_ == written_ + 1 + (fin_sent_ ? 1 : 0) && fin_sent_ == fin_queued_;
}

void Socket::push() {
    if (!may_send_data()) return;
    resend_lost();
    while (send_new()) {
    }
    arm();
}

void Socket::resend_lost() {
    while (queue_.in_flight() < cwnd_) {
        Sent* s = queue_.next_lost();
        if (s == nullptr) return;
        resend(*s);
    }
}

void Socket::resend(Sent& s) {
    s.lost = false;
    s.retransmitted = true;
    s.sent_at = now_;
    ++resent_;
    send_range(s.begin, s.end, s.fin, true, false);
}

/// Bytes of payload that fit a segment with the options it will carry.
std::uint32_t Socket::payload_limit() const {
    const auto blocks = static_cast<std::uint32_t>(std::min<std::size_t>(receive_.islands().size() + 1, 3));
    const bool reporting = sack_ && (duplicate_ || !receive_.islands().empty());
    const std::uint32_t options = (timestamps_ ? 12u : 0u) + (reporting ? 4 + 8 * blocks : 0u);
    return mss_ > options + 1 ? mss_ - options : 1;
}

/// One segment that was not sent before, if the windows and Nagle allow it.
bool Socket::send_new() {
    const Position data_end = written_ + 1;
    const auto unsent = fin_sent_ ? 0 : data_end - sent_end_;
    const auto room = distance(sent_end_, window_edge_);
    if (everything_sent() || room <= 0 || queue_.in_flight() >= cwnd_) return false;
    const auto limit = payload_limit();
    const auto length = std::min({unsent, std::uint64_t{limit}, static_cast<std::uint64_t>(room)});
    const bool partial = length < limit && length < unsent;
    const bool small = length < limit && length > 0 && !fin_queued_;
    if (!queue_.empty() && (partial || (small && !options_.nodelay))) return false;
    const bool fin = fin_queued_ && length == unsent && static_cast<std::uint64_t>(room) > length;
    if (length == 0 && !fin) return false;
    const Position begin = sent_end_, end = begin + length + (fin ? 1 : 0);
    sent_end_ = end;
    fin_sent_ = fin;
    if (queue_.empty() || !tail_probe_at_.is_never()) restart_timer_ = true;
    queue_.append({begin, end, now_, fin});
    send_range(begin, end, fin, begin + length == data_end, true);
    return true;
}

void Socket::send_range(Position begin, Position end, bool fin, bool push, bool fresh) {
    std::array<std::uint8_t, 9000> bytes;
    const std::span<std::uint8_t> payload(bytes.data(),
                                          static_cast<std::size_t>(end - begin - (fin ? 1 : 0)));
    out_.fill(begin - 1, payload);
    Segment s;
    s.flags = static_cast<std::uint8_t>(flag::ack | (fin ? flag::fin : 0) |
                                        (push && !payload.empty() ? flag::psh : 0));
    s.payload = payload;
    emit(s, begin, fresh);
}

void Socket::acknowledge(Instant now) {
    now_ = now;
    if (state_ != State::closed && state_ != State::syn_sent && state_ != State::syn_received)
        send_ack(sent_end_);
}

void Socket::send_ack(Position seq) {
    Segment s;
    s.flags = flag::ack;
    emit(s, seq);
}

void Socket::send_syn() {
    Segment s;
    s.flags = flag::syn;
    s.options.mss = options_.mss;
    if (state_ == State::syn_sent) {
        if (timeouts_ == 0) heard_at_ = now_;  // the round trip starts here
        s.options.sack_permitted = options_.sack;
        s.options.window_scale = options_.window_scale;
        s.options.unknown_kind = options_.extra_option;
        if (options_.timestamps) s.options.timestamps = Timestamps{};
        if (options_.ecn) marks_.offer(s);
    } else {
        marks_.answer(s);
        s.flags |= flag::ack;
        s.options.sack_permitted = sack_;
        if (scaled_) s.options.window_scale = options_.window_scale;
        if (timestamps_) s.options.timestamps = Timestamps{};
    }
    emit(s, 0);
}

void Socket::send_reset() {
    Segment s;
    s.flags = flag::rst | flag::ack;
    emit(s, sent_end_);
}

void Socket::emit(Segment& s, Position begin, bool fresh) {
    s.from = local_;
    s.to = remote_;
    s.seq = to_seq(iss(), begin);
    if (s.has(flag::ack)) s.ack = to_seq(irs_, next());
    s.window = s.has(flag::rst) ? 0 : select_window(!s.has(flag::syn));
    fill_options(s);
    marks_.leave(s, fresh);
    if (s.has(flag::ack)) {
        acknowledged_ = next();
        ack_need_ = AckNeed::none;
        ack_at_ = Instant::never();
        if (quick_acks_ > 0) --quick_acks_;
    }
    owner_.transmit(*this, s);
}

void Socket::fill_options(Segment& s) {
    if (timestamps_ && !s.has(flag::syn)) s.options.timestamps = Timestamps{};
    if (s.options.timestamps) {
        s.options.timestamps->value = timestamp_clock();
        s.options.timestamps->echo = s.has(flag::ack) ? ts_recent_ : 0;
        if (clocks_sent_.empty() || clocks_sent_.back() != timestamp_clock())
            clocks_sent_.push_back(timestamp_clock());
    }
    if (!sack_ || s.has(flag::syn) || s.has(flag::rst)) return;
    const auto add = [&](Range r) {
        if (s.options.sack_count < (timestamps_ ? 3 : 4))
            s.options.sack[s.options.sack_count++] = {to_seq(irs_, r.begin), to_seq(irs_, r.end)};
    };
    if (duplicate_) add(*duplicate_);
    duplicate_.reset();
    for (const auto& r : receive_.islands()) add(r);
    const auto room = mss_ - std::min<std::size_t>(mss_, s.payload.size() + (timestamps_ ? 12 : 0));
    if (!s.payload.empty())
        while (s.options.sack_count > 0 && 4 + 8u * s.options.sack_count > room) --s.options.sack_count;
}

/// Linux __tcp_select_window(): nothing rather than little.
std::uint64_t Socket::free_space() const {
    const std::uint64_t full = options_.receive_buffer, used = std::min(readable(), full), room = full - used;
    const auto least = std::min<std::uint64_t>(options_.mss, full / 2);
    return room < full / 2 && (room < full / 16 || room < least) ? 0 : room;
}

/// The window field, as tcp_select_window(): the right edge never moves to the left.
std::uint16_t Socket::select_window(bool scaled) {
    const unsigned shift = scaled ? scale_in_ : 0;
    const std::uint64_t unit = 1u << shift, kept = granted_ > next() ? granted_ - next() : 0;
    const auto window = std::max(free_space(), kept);
    const auto field = std::min<std::uint64_t>((window + unit - 1) >> shift, 65535);
    granted_ = std::max(granted_, next() + (field << shift));
    return static_cast<std::uint16_t>(field);
}

}  // namespace holdfast::sim
