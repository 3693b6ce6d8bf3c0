// What the server core knows of one backend, for its choices, for people and for events.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace holdfast::proxy {

/// Why a backend is up or down: what happened last.
enum class BackendReason : std::uint8_t { none, answers, refuses, unreachable, silent, count_ };

/// In words, for people; empty for none.
constexpr std::string_view words_of(BackendReason r) {
    constexpr std::string_view words[] = {"", "it answers", "it refuses connections", "it is out of reach",
                                          "it does not answer"};
    static_assert(sizeof words / sizeof *words == static_cast<std::size_t>(BackendReason::count_));
    return r < BackendReason::count_ ? words[static_cast<std::size_t>(r)] : "";
}

struct BackendCell {
    std::atomic<bool> up{true};                              ///< written by the server core
    std::atomic<BackendReason> reason{BackendReason::none};  ///< written by the server core, before `up`
    std::atomic<std::uint32_t> sessions{0};                  ///< live ones; written by the server core
    std::atomic<bool> drained{
        false};  ///< no new sessions, by an operator's word; written by the control thread
};

}  // namespace holdfast::proxy
