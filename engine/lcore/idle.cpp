#include "engine/lcore/idle.hpp"

#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <rte_pause.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace holdfast::engine {

Duration sleep_length(Duration idle, Duration until_deadline, Duration sleep_max) {
    if (idle < spin_time) return {};
    const Duration length = std::min({std::max(idle / 4, sleep_min), until_deadline, sleep_max});
    return length < sleep_min ? Duration{} : length;
}

Idle::Idle(IdlePolicy policy, Duration sleep_max, std::uint16_t port, std::uint16_t queue, const Clock& clock)
    : policy_(policy), sleep_max_(sleep_max), port_(port), queue_(queue), clock_(clock) {
    // By default the kernel may deliver a sleeper's timer 50 us late to save wake-ups.
    prctl(PR_SET_TIMERSLACK, 1);
    if (policy == IdlePolicy::interrupt) arm_interrupt();
}

Idle::~Idle() {
    if (epoll_ < 0) return;
    rte_eth_dev_rx_intr_ctl_q(port_, queue_, epoll_, RTE_INTR_EVENT_DEL, nullptr);
    close(epoll_);
}

void Idle::arm_interrupt() {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ >= 0 && rte_eth_dev_rx_intr_ctl_q(port_, queue_, epoll_, RTE_INTR_EVENT_ADD, nullptr) != 0) {
        close(epoll_);
        epoll_ = -1;
    }
}

Duration Idle::wait(std::uint32_t work, Instant deadline) {
    if (policy_ == IdlePolicy::busy) return {};
    if (work > 0) {
        idle_since_ = Instant::never();
        return {};
    }
    const Instant now = clock_.now();
    if (idle_since_.is_never()) idle_since_ = now;
    const Duration until_deadline = deadline.is_never() ? sleep_max_ : deadline - now;
    const Duration length = sleep_length(now - idle_since_, until_deadline, sleep_max_);
    if (length == Duration{}) {
        sched_yield();  // costs little alone, and where cores share a CPU it lets the others work
        return {};
    }
    return sleep_until(now, length);
}

Duration Idle::sleep_until(Instant from, Duration length) {
    if (uses_interrupt()) {
        wait_for_interrupt(length);
    } else {
        const timespec span{length.ns / 1'000'000'000, length.ns % 1'000'000'000};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &span, nullptr);
    }
    return std::max(Duration{}, clock_.now() - from - length);
}

void Idle::wait_for_interrupt(Duration length) {
    if (rte_eth_dev_rx_intr_enable(port_, queue_) != 0) return;
    // A frame that came before the interrupt was on raises none. Where the driver can not count frames, the
    // wait's length bounds the loss.
    if (rte_eth_rx_queue_count(port_, queue_) <= 0) {
        const timespec span{length.ns / 1'000'000'000, length.ns % 1'000'000'000};
        epoll_event ready;
        // rte_epoll_wait() counts in milliseconds, so the wait itself is the kernel's and DPDK only clears
        // the event.
        if (epoll_pwait2(epoll_, &ready, 1, &span, nullptr) > 0) {
            rte_epoll_event event;
            rte_epoll_wait(epoll_, &event, 1, 0);
        }
    }
    rte_eth_dev_rx_intr_disable(port_, queue_);
}

}  // namespace holdfast::engine
