// What a socket does by itself as time passes.
#include <algorithm>

#include "tests/sim/socket.hpp"

namespace holdfast::sim {

Instant Socket::deadline() const {
    return std::min(
        {rto_at_, tail_probe_at_, reorder_at_, persist_at_, ack_at_, keepalive_at_, time_wait_at_});
}

void Socket::advance(Instant now) {
    now_ = now;
    if (time_wait_at_ <= now_) return finish(Ending::finished);
    if (ack_at_ <= now_) send_ack(sent_end_);
    if (reorder_at_ <= now_) {
        reorder_at_ = Instant::never();
        find_losses(false, false);
    }
    if (tail_probe_at_ <= now_) probe_tail();
    if (persist_at_ <= now_) probe_window();
    if (rto_at_ <= now_) retransmit_timeout();
    if (state_ != State::closed && keepalive_at_ <= now_) probe_idle();
    if (state_ == State::closed) return;
    push();
    arm();
}

/// Keeps exactly one of tail probe, retransmission and persist timer running.
void Socket::arm() {
    if (state_ == State::syn_sent || state_ == State::syn_received || state_ == State::closed) return;
    if (queue_.empty()) {
        rto_at_ = tail_probe_at_ = reorder_at_ = Instant::never();
        return arm_persist();
    }
    persist_at_ = Instant::never();
    probe_backoff_ = 0;
    const bool running = !rto_at_.is_never() || !tail_probe_at_.is_never();
    if (running && !restart_timer_) return;
    restart_timer_ = false;
    rto_at_ = now_ + trip_.rto(timeouts_);
    tail_probe_at_ = Instant::never();
    // Linux tcp_check_sack_reneging(): the receiver has dropped what it had SACKed; soon all is sent again.
    if (reneged_) {
        rto_at_ = now_ + std::max(trip_.smoothed() / 2, milliseconds(10));
        return;
    }
    const bool tail = options_.tail_probe && sack_ && trip_.known() && !in_recovery_ && !tail_probed_ &&
                      timeouts_ == 0 && queue_.sacked() == 0;
    if (!tail) return;
    // Linux tcp_schedule_loss_probe(): a single segment may meet a delayed ACK.
    const Duration patience = queue_.size() == 1 ? options_.rto_min : milliseconds(2);
    tail_probe_at_ = earlier(now_ + trip_.smoothed() * 2 + patience, rto_at_);
    rto_at_ = Instant::never();
}

void Socket::arm_persist() {
    if (everything_sent() || !may_send_data()) {
        persist_at_ = Instant::never();
        probe_backoff_ = 0;
    } else if (persist_at_.is_never()) {
        persist_at_ = now_ + trip_.rto(probe_backoff_);
    }
}

void Socket::retransmit_timeout() {
    if (state_ == State::syn_sent || state_ == State::syn_received) return retransmit_syn();
    if (timeouts_ >= options_.data_retries) return finish(Ending::timed_out);
    ++timeouts_;
    queue_.mark_all_lost(reneged_);
    reneged_ = false;
    ssthresh_ = std::max(cwnd_ / 2, 2u);
    cwnd_ = 1;
    marks_.note_reduction();
    in_recovery_ = true;
    recovery_end_ = sent_end_;
    rto_at_ = now_ + trip_.rto(timeouts_);
    // The head goes out even into a closed window (tcp_retransmit_timer()), and though it was SACKed.
    if (!queue_.empty()) resend(queue_.head());
}

void Socket::retransmit_syn() {
    if (timeouts_ >= options_.syn_retries) return finish(Ending::timed_out);
    ++timeouts_;
    send_syn();
    rto_at_ = now_ + trip_.rto(timeouts_);
}

/// RFC 8985 section 7.3: new data if there is any, else the last segment again.
void Socket::probe_tail() {
    tail_probe_at_ = Instant::never();
    tail_probed_ = true;
    if (queue_.empty()) return;
    if (!send_new()) resend(queue_.tail());
    rto_at_ = now_ + trip_.rto(0);
    restart_timer_ = false;
}

/// RFC 9293 section 3.8.6.1, as Linux does it: a segment below the window that must be answered.
void Socket::probe_window() {
    persist_at_ = Instant::never();
    if (distance(sent_end_, window_edge_) > 0) return;
    if (probes_ >= options_.data_retries) return finish(Ending::timed_out);
    ++probes_;
    ++probe_backoff_;
    send_ack(una_ - 1);
}

void Socket::probe_idle() {
    const Duration idle = now_ - heard_at_;
    if (!queue_.empty() || !everything_sent() || idle < options_.keepalive_idle) {
        keepalive_at_ = later(heard_at_ + options_.keepalive_idle, now_ + options_.keepalive_interval);
        return;
    }
    if (probes_ >= options_.keepalive_probes) {
        send_reset();
        return finish(Ending::timed_out);
    }
    ++probes_;
    keepalive_at_ = now_ + options_.keepalive_interval;
    send_ack(una_ - 1);
}

}  // namespace holdfast::sim
