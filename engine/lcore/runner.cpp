#include "engine/lcore/runner.hpp"

#include <pthread.h>
#include <rte_ethdev.h>
#include <sched.h>

#include <algorithm>
#include <cstring>

#include "engine/control/log.hpp"

namespace holdfast::engine {
namespace {

/// A burst that the port refused waits this long at most: it was checked against the lease before it waited
/// (R4).
constexpr Duration pending_max = milliseconds(1);
/// It is offered again this often.
constexpr Duration retry_interval = microseconds(50);
/// Bursts sent per cycle at most, so that receiving is never starved.
constexpr int tx_bursts_max = 8;
/// held_mbufs is refreshed this often, when the core has nothing else to do: counting may visit every
/// session.
constexpr Duration refresh_interval = seconds(1);

}  // namespace

Runner::Runner(std::string_view name, protocol::Core& core, Port* port, const Clock& clock, Options options)
    : name_(name),
      core_(core),
      port_(port),
      clock_(clock),
      options_(std::move(options)),
      idle_(options_.idle, options_.sleep_max, port, clock) {}

void Runner::run(const std::atomic<bool>& stop) {
    if (!idle_.begin())
        say("core " + std::string(name_) + ": " + port_->device() +
            " has no RX interrupts, idle policy is adaptive");
    if (options_.realtime) ask_for_realtime();

    while (!stop.load(std::memory_order_relaxed)) {
        if (restart_wanted_.load(std::memory_order_relaxed)) restart_port_now();
        const std::uint32_t work = cycle();
        const Duration overslept = idle_.wait(work, next_deadline());
        if (static_cast<std::uint64_t>(overslept.ns) > counters_.get(RunnerCounter::oversleep_worst_ns))
            counters_.set(RunnerCounter::oversleep_worst_ns, static_cast<std::uint64_t>(overslept.ns));
    }
    drop_pending(RunnerCounter::tx_stale_dropped);
}

/// When the next cycle must begin: the core's timers, or a burst that the port did not take.
Instant Runner::next_deadline() const {
    const Instant deadline = core_.next_deadline();
    return pending_count_ == 0 ? deadline : earlier(deadline, clock_.now() + retry_interval);
}

void Runner::restart_port_now() {
    restart_wanted_.store(false, std::memory_order_relaxed);
    if (port_->restart()) counters_.add(RunnerCounter::port_restarts);
}

std::uint32_t Runner::cycle() {
    const Instant now = clock_.now();
    std::uint32_t work = receive(now);
    work += core_.advance(now);
    if (options_.after_advance) options_.after_advance();
    work += transmit();
    const Instant end = clock_.now();
    if (work > 0) wake_neighbours(end);
    else if (end - refreshed_at_ > refresh_interval) refresh_gauges(end);
    account(end - now, work);
    return work;
}

void Runner::wake_neighbours(Instant now) {
    for (Runner* r : neighbours_)
        if (r != this) r->idle_.wake(now, r->options_.wake_grace);
}

std::uint32_t Runner::receive(Instant now) {
    if (port_ == nullptr || !port_->started()) return 0;
    rte_mbuf* frames[burst_size];
    const std::uint16_t n = rte_eth_rx_burst(port_->id(), 0, frames, burst_size);
    if (n == 0) return 0;
    counters_.add(RunnerCounter::frames_received, n);
    core_.receive({frames, n}, now);
    return n;
}

std::uint32_t Runner::transmit() {
    if (port_ == nullptr) return 0;
    if (pending_count_ > 0 && clock_.now() - pending_since_ > pending_max)
        drop_pending(RunnerCounter::tx_stale_dropped);
    std::uint32_t work = 0;
    for (int i = 0; i < tx_bursts_max; ++i) {
        if (pending_count_ == 0 && !take_burst()) break;
        const std::uint16_t offered = pending_count_;
        const bool flushed = flush_burst();
        work += static_cast<std::uint32_t>(offered - pending_count_);
        if (!flushed || offered < burst_size) break;
    }
    return work;
}

/// False when the core has nothing to send. The clock is read here, directly before the core checks its
/// lease.
bool Runner::take_burst() {
    pending_since_ = clock_.now();
    pending_count_ = static_cast<std::uint16_t>(core_.transmit(pending_, pending_since_));
    if (pending_count_ == 0) return false;
    if (port_->needs_tx_prepare()) prepare_burst();
    return true;
}

/// Lets the driver finish headers for its checksum offload; a frame that it refuses is dropped, not its
/// followers.
void Runner::prepare_burst() {
    std::uint16_t ready = 0;
    while (ready < pending_count_) {
        ready += rte_eth_tx_prepare(port_->id(), 0, &pending_[ready],
                                    static_cast<std::uint16_t>(pending_count_ - ready));
        if (ready == pending_count_) break;
        counters_.add(RunnerCounter::tx_prepare_dropped);
        rte_pktmbuf_free(pending_[ready]);
        std::copy(&pending_[ready + 1], pending_.data() + pending_count_, &pending_[ready]);
        --pending_count_;
    }
}

/// True when nothing is left pending. What the port did not take stays for the next cycle.
bool Runner::flush_burst() {
    if (!port_->link_up.load(std::memory_order_relaxed) || !port_->started()) {
        // A driver would keep them and send them whenever the link returns, lease or not.
        drop_pending(RunnerCounter::tx_link_down_dropped);
        return true;
    }
    std::uint16_t sent = 0;
    for (int attempt = 0; attempt < 2 && sent < pending_count_; ++attempt) {
        if (attempt > 0) counters_.add(RunnerCounter::tx_retries);
        sent += rte_eth_tx_burst(port_->id(), 0, &pending_[sent],
                                 static_cast<std::uint16_t>(pending_count_ - sent));
    }
    counters_.add(RunnerCounter::frames_sent, sent);
    std::copy(pending_.data() + sent, pending_.data() + pending_count_, pending_.data());
    pending_count_ = static_cast<std::uint16_t>(pending_count_ - sent);
    return pending_count_ == 0;
}

void Runner::drop_pending(RunnerCounter reason) {
    counters_.add(reason, pending_count_);
    rte_pktmbuf_free_bulk(pending_.data(), pending_count_);
    pending_count_ = 0;
}

void Runner::account(Duration length, std::uint32_t work) {
    const auto ns = static_cast<std::uint64_t>(length.ns);
    counters_.add(RunnerCounter::cycles);
    if (work == 0) counters_.add(RunnerCounter::idle_cycles);
    if (length > milliseconds(1)) counters_.add(RunnerCounter::cycles_over_1ms);
    if (ns > counters_.get(RunnerCounter::cycle_worst_ns)) counters_.set(RunnerCounter::cycle_worst_ns, ns);
}

void Runner::refresh_gauges(Instant now) {
    refreshed_at_ = now;
    counters_.set(RunnerCounter::held_mbufs, core_.held_mbufs());
}

void Runner::ask_for_realtime() {
    const sched_param priority{.sched_priority = 1};
    if (const int error = pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority); error != 0)
        say("core " + std::string(name_) + ": SCHED_FIFO refused (" + strerror(error) +
            "), other processes may delay heartbeats; run as root or with CAP_SYS_NICE");
}

}  // namespace holdfast::engine
