#include "engine/lcore/idle.hpp"

#include <poll.h>
#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace holdfast::engine {
namespace {

timespec to_timespec(Duration d) { return {d.ns / 1'000'000'000, d.ns % 1'000'000'000}; }

}  // namespace

Duration sleep_length(Duration idle, Duration until_deadline, Duration sleep_max) {
    if (idle < spin_time) return {};
    const Duration length = std::min({std::max(idle / 4, sleep_min), until_deadline, sleep_max});
    return length < sleep_min ? Duration{} : length;
}

Idle::Idle(IdlePolicy policy, Duration sleep_max, const Port* port, const Clock& clock)
    : policy_(policy),
      sleep_max_(sleep_max),
      port_(port),
      clock_(clock),
      doorbell_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (doorbell_ < 0)
        throw std::runtime_error(std::string("eventfd: ") + std::strerror(errno) + "; raise ulimit -n");
}

Idle::~Idle() {
    close(doorbell_);
    if (port_fd_ >= 0 && !port_fd_is_socket_) {
        rte_eth_dev_rx_intr_ctl_q(port_->id(), 0, port_fd_, RTE_INTR_EVENT_DEL, nullptr);
        close(port_fd_);
    }
}

bool Idle::begin() {
    // By default the kernel may deliver a sleeper's timer 50 us late to save wake-ups.
    prctl(PR_SET_TIMERSLACK, 1);
    if (policy_ != IdlePolicy::interrupt || port_ == nullptr) return true;
    port_fd_ = port_->kernel_socket();
    port_fd_is_socket_ = port_fd_ >= 0;
    if (port_fd_is_socket_) return true;
    port_fd_ = epoll_create1(EPOLL_CLOEXEC);
    if (rte_eth_dev_rx_intr_ctl_q(port_->id(), 0, port_fd_, RTE_INTR_EVENT_ADD, nullptr) == 0) return true;
    close(port_fd_);
    port_fd_ = -1;
    return false;
}

Duration Idle::wait(std::uint32_t work, Instant deadline) {
    // Costs 0.1 us on a CPU of one's own. Where cores share one, each waits for the others' slices without
    // it; for ever, under SCHED_FIFO.
    constexpr std::uint32_t cycles_without_yield = 32;
    if (work > 0 && ++cycles_at_work_ % cycles_without_yield == 0) sched_yield();
    if (policy_ == IdlePolicy::busy) {
        if (work == 0) sched_yield();
        return {};
    }
    if (work > 0) {
        idle_since_ = Instant::never();
        asleep_since_.store(awake, std::memory_order_relaxed);
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
    if (asleep_since_.load(std::memory_order_relaxed) == awake) {
        // First announced, then one more cycle, then the sleep: who gives us work either sees the
        // announcement and rings, or gave it before that cycle looked.
        asleep_since_.store(now.ns, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        return {};
    }
    const Duration overslept = sleep(now, length);
    asleep_since_.store(awake, std::memory_order_relaxed);
    return overslept;
}

void Idle::ring() {
    const std::uint64_t one = 1;
    // A full counter means that the bell rings already.
    [[maybe_unused]] const auto n = write(doorbell_, &one, sizeof one);
}

Duration Idle::sleep(Instant from, Duration length) {
    pollfd fds[2] = {{doorbell_, POLLIN, 0}, {port_fd_, POLLIN, 0}};
    // Without a link no frame comes, and asking such a port for interrupts only makes its driver complain.
    const bool link = port_ != nullptr && port_->link_up.load(std::memory_order_relaxed);
    const bool watch_port = port_fd_ >= 0 && link && arm_port();
    if (port_fd_ >= 0 && link && !watch_port) return {};
    const timespec span = to_timespec(length);
    const int ready = ppoll(fds, watch_port ? 2 : 1, &span, nullptr);
    if (ready > 0) clear(fds[0].revents, fds[1].revents, length);
    if (watch_port) disarm_port();
    return ready > 0 ? Duration{} : std::max(Duration{}, clock_.now() - from - length);
}

/// Lets frames end the sleep. False when there is one already (a frame that came before raises no interrupt;
/// where the driver can not count frames, sleep_max bounds the delay), or the interrupt can not be had now.
bool Idle::arm_port() {
    if (port_fd_is_socket_) return true;
    if (rte_eth_dev_rx_intr_enable(port_->id(), 0) != 0) return false;
    if (rte_eth_rx_queue_count(port_->id(), 0) <= 0) return true;
    disarm_port();
    return false;
}

void Idle::disarm_port() {
    if (!port_fd_is_socket_) rte_eth_dev_rx_intr_disable(port_->id(), 0);
}

/// Takes back what woke us, so that it wakes us once.
void Idle::clear(short doorbell_events, short port_events, Duration length) {
    if (doorbell_events != 0) {
        std::uint64_t count;
        [[maybe_unused]] const auto n = read(doorbell_, &count, sizeof count);
    }
    if (port_events != 0 && !port_fd_is_socket_) {
        rte_epoll_event event;
        rte_epoll_wait(port_fd_, &event, 1, 0);
    }
    if (port_fd_is_socket_ && (port_events & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
        // The interface went down or away. Reading the error takes it back; if it stays we must not spin on
        // it.
        int error;
        socklen_t size = sizeof error;
        getsockopt(port_fd_, SOL_SOCKET, SO_ERROR, &error, &size);
        const timespec span = to_timespec(length);
        clock_nanosleep(CLOCK_MONOTONIC, 0, &span, nullptr);
    }
}

}  // namespace holdfast::engine
