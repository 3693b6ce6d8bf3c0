// What a socket does with a segment: RFC 9293 section 3.10.7 as Linux orders it (tcp_rcv_state_process,
// tcp_validate_incoming, tcp_ack, tcp_data_queue), and what a strict peer may not see at all.
#include <algorithm>

#include "tests/sim/socket.hpp"

namespace holdfast::sim {

void Socket::arrive(const Segment& s, Instant now) {
    now_ = now;
    if (state_ == State::closed) return;
    inspect(s);
    switch (state_) {
        case State::syn_sent: arrive_syn_sent(s); break;
        case State::syn_received: arrive_syn_received(s); break;
        case State::time_wait: arrive_time_wait(s); break;
        default: arrive_synchronized(s); break;
    }
    if (state_ == State::closed) return;
    push();
    acknowledge_if_due();
    arm();
}

void Socket::inspect(const Segment& s) {
    if (s.has(flag::rst)) return;
    inspect_options(s);
    if (const auto fault = marks_.fault(s); !fault.empty()) violate("ecn", std::string(fault));
    if (s.payload.size() + s.options.length > options_.mss + (s.has(flag::syn) ? 40u : 0u))
        violate("mss", std::to_string(s.payload.size()) + " bytes and " + std::to_string(s.options.length) +
                           " of options, announced " + std::to_string(options_.mss));
    if (!s.has(flag::ack)) return;
    const Position ack = to_position(iss(), s.ack, una_);
    if (distance(sent_end_, ack) > 0)
        violate("ack-unsent", "ACK " + std::to_string(ack) + ", sent up to " + std::to_string(sent_end_));
    const auto& ts = s.options.timestamps;
    if (!ts || ts->echo == 0) return;
    const auto earlier_clock = [](std::uint32_t a, std::uint32_t b) {
        return static_cast<std::int32_t>(a - b) < 0;
    };
    if (!std::binary_search(clocks_sent_.begin(), clocks_sent_.end(), ts->echo, earlier_clock))
        violate("tsecr", "echo " + std::to_string(ts->echo) + " was never sent");
}

void Socket::inspect_options(const Segment& s) {
    const auto& o = s.options;
    if (o.unknown_kind != 0) violate("options", "unknown option " + std::to_string(o.unknown_kind));
    if (s.has(flag::syn)) {
        if (!s.has(flag::ack)) return;
        if (o.window_scale && !options_.window_scale) violate("options", "window scale was not offered");
        if (o.sack_permitted && !options_.sack) violate("options", "SACK was not offered");
        if (o.timestamps && !options_.timestamps) violate("options", "timestamps were not offered");
        return;
    }
    if (o.mss || o.window_scale || o.sack_permitted) violate("options", "SYN option without SYN");
    if (o.timestamps.has_value() != timestamps_ && state_ != State::syn_sent)
        violate("options", timestamps_ ? "timestamps missing" : "timestamps not agreed");
    if (o.sack_count > 0 && !sack_) violate("options", "SACK not agreed");
    for (const auto& r : o.ranges()) {
        const auto begin = to_position(iss(), r.begin, una_), end = to_position(iss(), r.end, una_);
        if (distance(begin, end) <= 0 || distance(sent_end_, end) > 0)
            violate("sack-unsent", "SACK " + std::to_string(begin) + "-" + std::to_string(end) +
                                       ", sent up to " + std::to_string(sent_end_));
    }
}

void Socket::arrive_syn_sent(const Segment& s) {
    if (!s.has(flag::ack) || !(s.ack == to_seq(iss(), 1))) return;
    if (s.has(flag::rst)) return finish(Ending::refused);
    if (!s.has(flag::syn)) return;
    irs_ = s.seq;
    agree(s.options);
    marks_.take_answer(s);
    if (s.options.timestamps) {
        ts_recent_ = s.options.timestamps->value;
        if (!timestamps_) violate("options", "timestamps not offered");
    }
    if (timeouts_ == 0) trip_.sample(now_ - heard_at_);
    una_ = 1;
    timeouts_ = 0;
    rto_at_ = Instant::never();
    heard_at_ = now_;
    window_ = window_max_ = s.window;
    window_edge_ = 1 + window_;
    become(fin_queued_ ? State::fin_wait_1 : State::established);
    want_ack(options_.data_with_final_ack ? AckNeed::later : AckNeed::now);
    if (!options_.data_with_final_ack) acknowledge_if_due();
}

void Socket::arrive_syn_received(const Segment& s) {
    if (s.has(flag::syn)) {
        if (!(s.seq == irs_)) violate("isn", "SYN with another sequence number");
        if (!rate_limited(s)) send_syn();
        return;
    }
    if (s.has(flag::rst)) {
        if (s.seq == to_seq(irs_, 1)) finish(Ending::reset);
        return;
    }
    if (!s.has(flag::ack) || !(s.ack == to_seq(iss(), 1))) return;
    if (timeouts_ == 0) trip_.sample(now_ - heard_at_);
    una_ = 1;
    timeouts_ = 0;
    rto_at_ = Instant::never();
    become(fin_queued_ ? State::fin_wait_1 : State::established);
    arrive_synchronized(s);
}

void Socket::arrive_time_wait(const Segment& s) {
    if (s.has(flag::rst)) {
        if (to_position(irs_, s.seq, next()) == next()) finish(Ending::finished);
        return;
    }
    if (s.has(flag::syn)) return answer_out_of_window(s);
    if (s.length() == 0) return;
    if (s.has(flag::fin)) time_wait_at_ = now_ + options_.time_wait;
    if (!s.payload.empty()) check_content(s, to_position(irs_, s.seq, next()));
    answer_out_of_window(s);
}

void Socket::arrive_synchronized(const Segment& s) {
    if (!acceptable(s)) return;
    if (s.has(flag::rst)) return take_reset(s);
    if (s.has(flag::syn)) {
        if (!(s.seq == irs_)) violate("isn", "SYN-ACK with another sequence number");
        if (!rate_limited(s)) want_ack(AckNeed::now);
        return;
    }
    if (!s.has(flag::ack) || !take_ack(s)) return;
    const Position begin = to_position(irs_, s.seq, next());
    if (timestamps_ && distance(acknowledged_, begin) <= 0) ts_recent_ = s.options.timestamps->value;
    take_data(s);
    if (state_ != State::closed && s.has(flag::fin)) take_fin(s);
}

/// PAWS (RFC 7323 section 5) and the window (RFC 9293 section 3.10.7.4, first step); answers what it refuses.
bool Socket::acceptable(const Segment& s) {
    const Position begin = to_position(irs_, s.seq, next()), end = begin + s.length();
    const auto edge = std::max(granted_ + (1u << scale_in_) - 1, Position{1} + options_.granted_by_cookie);
    if (s.length() > 0 && distance(edge, end) > 0)
        violate("window",
                "segment ends at " + std::to_string(end) + ", granted up to " + std::to_string(granted_));
    if (!s.payload.empty()) check_content(s, begin);
    const auto& ts = s.options.timestamps;
    if (timestamps_ && ts && !s.has(flag::rst) && static_cast<std::int32_t>(ts->value - ts_recent_) < 0) {
        const bool late_ack = s.length() == 0 && begin == next();
        if (!late_ack) answer_out_of_window(s);
        return late_ack;
    }
    if (distance(acknowledged_, end) >= 0 && distance(granted_, begin) <= 0) return true;
    if (s.has(flag::syn)) return true;  // is answered by a challenge ACK wherever it lies
    if (!s.has(flag::rst)) answer_out_of_window(s);
    return false;
}

/// RFC 5961 section 3.2: only an exact RST resets; another one in the window is challenged.
void Socket::take_reset(const Segment& s) {
    if (to_position(irs_, s.seq, next()) == next()) return finish(Ending::reset);
    if (!rate_limited(s)) want_ack(AckNeed::now);
}

/// RFC 9293 section 3.10.7.4, fifth step; false when the segment goes no further.
bool Socket::take_ack(const Segment& s) {
    const Position ack = to_position(iss(), s.ack, una_);
    const auto ahead = distance(una_, ack);
    if (distance(sent_end_, ack) > 0) return false;
    if (ahead < 0) {
        // RFC 5961 section 5.2: too old to be of this connection.
        if (static_cast<std::uint64_t>(-ahead) > std::max<std::uint64_t>(window_max_, 1)) {
            if (!rate_limited(s)) want_ack(AckNeed::now);
            return false;
        }
        take_sack(s, ack);
        find_losses(false, false);
        return true;
    }
    heard_at_ = now_;
    probes_ = 0;
    const bool same_window = window_ == std::uint64_t{s.window} << scale_out_;
    take_window(s, ack);
    if (ahead > 0) take_progress(s, ack);
    take_sack(s, ack);
    take_congestion_echo(s, ack);
    find_losses(ahead > 0, ahead == 0 && same_window && s.length() == 0 && !queue_.empty());
    after_ack_of_fin();
    return state_ != State::closed;
}

void Socket::take_window(const Segment& s, Position ack) {
    const Position begin = to_position(irs_, s.seq, next());
    const std::uint64_t window = std::uint64_t{s.window} << scale_out_;
    // Linux tcp_may_update_window().
    if (distance(una_, ack) <= 0 && distance(window_seq_, begin) <= 0 &&
        !(begin == window_seq_ && (window > window_ || window == 0)))
        return;
    window_seq_ = begin;
    window_ = window;
    window_max_ = std::max(window_max_, window);
    window_edge_ = ack + window;
}

void Socket::take_sack(const Segment& s, Position ack) {
    const auto ranges = s.options.ranges();
    const auto read = [&](std::size_t i) {
        return Range{to_position(iss(), ranges[i].begin, una_), to_position(iss(), ranges[i].end, una_)};
    };
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        const Range r = read(i);
        if (distance(ack, r.end) <= 0 || distance(una_, r.end) <= 0) continue;  // D-SACK, or an old one
        if (i == 0 && ranges.size() > 1 && read(1).begin <= r.begin && r.end <= read(1).end) continue;
        sacked_.push_back(r);
        queue_.sack(r);
    }
}

void Socket::take_progress(const Segment& s, Position ack) {
    for (const auto& r : sacked_)
        if (options_.reneging_is_wrong && r.begin <= ack && ack < r.end)
            violate("reneging", "ACK " + std::to_string(ack) + " inside SACKed " + std::to_string(r.begin) +
                                    "-" + std::to_string(r.end));
    std::erase_if(sacked_, [&](const Range& r) { return r.end <= ack; });
    const auto progress = queue_.acknowledge(ack);
    una_ = ack;
    if (progress.sent_at) trip_.sample(now_ - *progress.sent_at);
    else if (timestamps_ && s.options.timestamps->echo != 0)
        trip_.sample(milliseconds(timestamp_clock() - s.options.timestamps->echo));
    timeouts_ = duplicates_ = 0;
    tail_probed_ = false;
    restart_timer_ = true;
    reneged_ = !queue_.empty() && queue_.head().sacked;
    if (in_recovery_ && distance(recovery_end_, ack) >= 0) in_recovery_ = false;
    for (unsigned n = progress.segments; n > 0; --n) {
        if (cwnd_ < ssthresh_) {
            ++cwnd_;
        } else if (!in_recovery_ && ++cwnd_credit_ >= cwnd_) {
            cwnd_credit_ = 0;
            ++cwnd_;
        }
    }
}

void Socket::find_losses(bool progress, bool duplicate) {
    if (queue_.empty()) return;
    if (sack_) {
        const Duration reorder = queue_.sacked() >= 3 ? Duration{} : trip_.lowest() / 4;
        reorder_at_ = queue_.mark_overdue(trip_.smoothed(), reorder, now_);
    } else if ((duplicate && ++duplicates_ == 3) || (progress && in_recovery_)) {
        queue_.mark_head_lost();
    }
    if (!queue_.any_lost() || in_recovery_) return;
    in_recovery_ = true;
    recovery_end_ = sent_end_;
    cwnd_ = ssthresh_ = std::max(cwnd_ * 7 / 10, 2u);
    marks_.note_reduction();
}

/// Linux tcp_enter_cwr(): once a window.
void Socket::take_congestion_echo(const Segment& s, Position ack) {
    if (!marks_.agreed() || !s.has(flag::ece) || in_recovery_ || distance(recovery_end_, ack) <= 0) return;
    recovery_end_ = sent_end_;
    cwnd_ = ssthresh_ = std::max(cwnd_ * 7 / 10, 2u);
    marks_.note_reduction();
}

void Socket::after_ack_of_fin() {
    if (!fin_sent_ || una_ != sent_end_) return;
    if (state_ == State::fin_wait_1) return become(State::fin_wait_2);
    if (state_ == State::closing) return become(State::time_wait);
    if (state_ == State::last_ack) finish(Ending::finished);
}

void Socket::take_data(const Segment& s) {
    if (s.payload.empty()) return;
    marks_.take_data(s);
    const Position begin = to_position(irs_, s.seq, next()), end = begin + s.payload.size();
    if (fin_at_ && distance(*fin_at_, end) > 0) violate("fin", "data behind the FIN");
    if (fin_taken_ || distance(granted_, begin) >= 0) return want_ack(AckNeed::now);
    const auto arrival = receive_.add({begin, end});
    heard_at_ = now_;
    largest_payload_ = std::max(largest_payload_, static_cast<std::uint32_t>(s.payload.size()));
    if (arrival.duplicate && sack_ && !duplicate_) duplicate_ = arrival.duplicate;
    if (arrival.duplicate || arrival.out_of_order || !receive_.islands().empty()) {
        quick_acks_ = std::max(quick_acks_, options_.quick_acks);
        return want_ack(AckNeed::now);
    }
    const bool much = next() - acknowledged_ > largest_payload_;
    want_ack(much || quick_acks_ > 0 ? AckNeed::now : AckNeed::later);
}

void Socket::take_fin(const Segment& s) {
    const Position at = to_position(irs_, s.seq, next()) + s.payload.size();
    if (fin_at_ && *fin_at_ != at)
        violate("fin", "FIN at " + std::to_string(at) + ", before at " + std::to_string(*fin_at_));
    fin_at_ = at;
    for (const auto& r : receive_.islands())
        if (r.end > at) violate("fin", "data behind the FIN");
    take_fin_if_due();
}

/// The FIN counts once everything before it is here.
void Socket::take_fin_if_due() {
    if (!fin_at_ || fin_taken_ || receive_.next() < *fin_at_) return;
    if (receive_.next() > *fin_at_) violate("fin", "data behind the FIN");
    fin_taken_ = true;
    want_ack(AckNeed::now);
    if (state_ == State::established) become(State::close_wait);
    if (state_ == State::fin_wait_1) become(State::closing);
    if (state_ == State::fin_wait_2) become(State::time_wait);
}

void Socket::check_content(const Segment& s, Position begin) {
    if (distance(1, begin) < 0)
        return violate("content", "payload at position " + std::to_string(distance(0, begin)));
    if (!options_.judges_content) return;
    if (const auto at = in_.first_difference(begin - 1, s.payload))
        violate("R3", "wrong byte at offset " + std::to_string(*at) + ", segment of " +
                          std::to_string(s.payload.size()) + " at " + std::to_string(begin - 1));
}

/// Linux tcp_oow_rate_limited(): data is always answered, anything else once per interval.
bool Socket::rate_limited(const Segment& s) {
    if (!s.payload.empty() && !s.has(flag::syn)) return false;
    if (now_ - last_out_of_window_ < options_.oow_interval) return true;
    last_out_of_window_ = now_;
    return false;
}

void Socket::answer_out_of_window(const Segment& s) {
    if (rate_limited(s)) return;
    const Position begin = to_position(irs_, s.seq, next()), end = begin + s.payload.size();
    if (!s.payload.empty() && sack_ && distance(begin, receive_.next()) > 0)
        duplicate_ = Range{begin, std::min(end, receive_.next())};
    quick_acks_ = std::max(quick_acks_, options_.quick_acks);
    want_ack(AckNeed::now);
}

void Socket::acknowledge_if_due() {
    if (ack_need_ == AckNeed::now) return send_ack(sent_end_);
    if (ack_need_ == AckNeed::later && ack_at_.is_never()) ack_at_ = now_ + options_.delayed_ack;
}

}  // namespace holdfast::sim
