#include "engine/control/term_keeper.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>

#include "engine/control/log.hpp"
#include "engine/control/term_file.hpp"

namespace holdfast::engine {
namespace {

constexpr std::chrono::milliseconds retry_interval{200};

}  // namespace

TermKeeper::TermKeeper(protocol::Node& node, std::filesystem::path directory, std::function<void()> stored)
    : node_(node),
      directory_(std::move(directory)),
      on_stored_(std::move(stored)),
      thread_([this] { run(); }) {}

TermKeeper::~TermKeeper() {
    stop_.store(true);
    wanted_.fetch_add(1);  // any change wakes the thread
    wanted_.notify_one();
    thread_.join();
}

void TermKeeper::serve_request(std::uint64_t term) {
    if (stored_.load(std::memory_order_acquire) == term) {
        node_.term_persisted(term);
    } else if (wanted_.load(std::memory_order_relaxed) != term) {
        wanted_.store(term, std::memory_order_release);
        wanted_.notify_one();
    }
}

void TermKeeper::run() {
    std::uint64_t seen = 0;
    while (true) {
        wanted_.wait(seen, std::memory_order_acquire);
        if (stop_.load()) return;
        const std::uint64_t term = wanted_.load(std::memory_order_acquire);
        if (store_term(directory_, term)) {
            seen = term;
            stored_.store(term, std::memory_order_release);
            on_stored_();
        } else {
            say("term " + std::to_string(term) + " not stored in " + directory_.string() + ": " +
                std::strerror(errno) + "; the node can not become active until it is");
            std::this_thread::sleep_for(retry_interval);
        }
    }
}

}  // namespace holdfast::engine
