// Keeps the node's term on stable storage while it runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <thread>

#include "cores/protocol/node.hpp"

namespace holdfast::engine {

/// Stores the terms that a node asks for, on a thread of its own: a disk may take longer than a lease, and
/// the thread of the node core must not miss heartbeats meanwhile.
class TermKeeper {
  public:
    /// `stored` is called on the keeper's thread after each term that it stored: time for serve() to confirm
    /// it.
    TermKeeper(protocol::Node& node, std::filesystem::path directory, std::function<void()> stored);
    ~TermKeeper();
    TermKeeper(const TermKeeper&) = delete;
    TermKeeper& operator=(const TermKeeper&) = delete;

    /// Called by the node core's thread after each advance(): hands over what is to be stored and
    /// confirms what is.
    void serve() {
        if (const auto term = node_.term_to_persist()) serve_request(*term);
    }

  private:
    void serve_request(std::uint64_t term);
    void run();

    protocol::Node& node_;
    std::filesystem::path directory_;
    std::function<void()> on_stored_;
    std::atomic<std::uint64_t> wanted_{0}, stored_{0};
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

}  // namespace holdfast::engine
