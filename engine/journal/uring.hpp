// A small ring of asynchronous file operations.
#pragma once

#include <liburing.h>

#include <cstdint>
#include <string>
#include <system_error>

#include "engine/boot/start_refused.hpp"

namespace holdfast::engine {

class Uring {
  public:
    /// Room for `entries` operations at once. Throws StartRefused.
    explicit Uring(unsigned entries) {
        if (const int error = io_uring_queue_init(entries, &ring_, 0); error != 0)
            throw StartRefused("journal: the kernel gives no io_uring (" +
                               std::string(std::generic_category().message(-error)) +
                               "); see the sysctl kernel.io_uring_disabled and the limits of locked memory");
    }
    ~Uring() { io_uring_queue_exit(&ring_); }
    Uring(const Uring&) = delete;
    Uring& operator=(const Uring&) = delete;

    /// Puts an operation in: prepare(sqe) fills it, `flags` are those of a chain, `tag` comes back with its
    /// result. There is room: the user keeps count.
    template <class Prepare>
    void put(std::uint64_t tag, unsigned flags, Prepare prepare) {
        auto* sqe = io_uring_get_sqe(&ring_);
        prepare(sqe);
        io_uring_sqe_set_flags(sqe, flags);
        io_uring_sqe_set_data64(sqe, tag);
    }
    void submit() { io_uring_submit(&ring_); }

    /// Visits what is done: visit(tag, result). Waits for one if there is none and `wait` is set.
    template <class Visit>
    void reap(bool wait, Visit visit) {
        // What the kernel had no memory for is handed to it again.
        if (io_uring_sq_ready(&ring_) > 0) submit();
        io_uring_cqe* cqe = nullptr;
        if (wait) io_uring_wait_cqe(&ring_, &cqe);
        while (io_uring_peek_cqe(&ring_, &cqe) == 0) {
            const auto tag = io_uring_cqe_get_data64(cqe);
            const auto result = cqe->res;
            io_uring_cqe_seen(&ring_, cqe);
            visit(tag, result);
        }
    }

  private:
    io_uring ring_{};
};

}  // namespace holdfast::engine
