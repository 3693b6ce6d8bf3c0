#include "tests/sim/socket.hpp"

#include <algorithm>

namespace holdfast::sim {

Socket::Socket(SocketOwner& owner, Journal& journal, std::string name, const SocketOptions& options,
               const Endpoint& local, const Endpoint& remote, Stream out, Stream in)
    : owner_(owner),
      journal_(journal),
      name_(std::move(name)),
      options_(options),
      local_(local),
      remote_(remote),
      out_(out),
      in_(in),
      trip_(options.rto_min, options.rto_initial, options.rto_max),
      cwnd_(options.initial_window),
      quick_acks_(options.quick_acks) {}

void Socket::open(Instant now) {
    now_ = now;
    sent_end_ = 1;
    become(State::syn_sent);
    send_syn();
    rto_at_ = now_ + trip_.rto(0);
}

void Socket::accept(const Segment& syn, Instant now) {
    now_ = now;
    irs_ = syn.seq;
    heard_at_ = now_;
    if (!syn.payload.empty()) violate("syn", "data on a SYN");
    agree(syn.options);
    marks_.take_offer(syn, options_.ecn);
    if (syn.options.timestamps) ts_recent_ = syn.options.timestamps->value;
    window_ = window_max_ = syn.window;
    window_edge_ = 1 + window_;
    sent_end_ = 1;
    become(State::syn_received);
    send_syn();
    rto_at_ = now_ + trip_.rto(0);
}

void Socket::agree(const TcpOptions& theirs) {
    mss_ = std::min(theirs.mss.value_or(536), options_.mss);
    sack_ = options_.sack && theirs.sack_permitted;
    timestamps_ = options_.timestamps && theirs.timestamps;
    scaled_ = options_.window_scale && theirs.window_scale;
    if (scaled_) {
        scale_in_ = *options_.window_scale;
        scale_out_ = std::min<std::uint8_t>(*theirs.window_scale, 14);
    }
}

void Socket::write(std::uint64_t bytes, Instant now) {
    now_ = now;
    if (state_ == State::closed || fin_queued_) return;
    written_ += bytes;
    push();
}

void Socket::shutdown(Instant now) {
    now_ = now;
    if (state_ == State::closed || fin_queued_) return;
    fin_queued_ = true;
    if (state_ == State::established) become(State::fin_wait_1);
    if (state_ == State::close_wait) become(State::last_ack);
    push();
}

void Socket::abort(Instant now) {
    now_ = now;
    if (state_ == State::closed) return;
    if (state_ != State::syn_sent && state_ != State::time_wait) send_reset();
    finish(Ending::aborted);
}

void Socket::read(std::uint64_t bytes, Instant now) {
    now_ = now;
    consumed_ += std::min(bytes, readable());
    if (state_ == State::closed || state_ == State::time_wait || fin_taken_) return;
    // Linux tcp_cleanup_rbuf(): a window update only when the window at least doubles.
    const auto left = granted_ - next(), room = free_space();
    if (left * 2 <= options_.receive_buffer && room > 0 && room >= left * 2) send_ack(sent_end_);
}

void Socket::become(State next) {
    const State before = state_;
    state_ = next;
    if (next == State::established && options_.keepalive_idle.ns > 0)
        keepalive_at_ = now_ + options_.keepalive_idle;
    if (next == State::time_wait) {
        rto_at_ = tail_probe_at_ = reorder_at_ = persist_at_ = keepalive_at_ = Instant::never();
        time_wait_at_ = now_ + options_.time_wait;
    }
    if (before != next) owner_.state_changed(*this, before);
}

void Socket::finish(Ending ending) {
    if (ending_ == Ending::none) ending_ = ending;
    rto_at_ = tail_probe_at_ = reorder_at_ = persist_at_ = ack_at_ = keepalive_at_ = time_wait_at_ =
        Instant::never();
    ack_need_ = AckNeed::none;
    become(State::closed);
}

bool Socket::reusable_for(const Segment& syn) const {
    if (state_ != State::time_wait) return false;
    if (timestamps_ && syn.options.timestamps)
        return static_cast<std::int32_t>(syn.options.timestamps->value - ts_recent_) > 0;
    return to_seq(irs_, next()) < syn.seq;
}

std::uint32_t Socket::timestamp_clock() const {
    return options_.timestamp_offset + static_cast<std::uint32_t>(now_.ns / 1'000'000);
}

void Socket::violate(const std::string& rule, const std::string& text) const {
    journal_.violate(rule, name_ + " (" + std::string(name(state_)) + "): " + text);
}

}  // namespace holdfast::sim
