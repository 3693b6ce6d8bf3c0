// What an application does on its end of a connection, step by step, as data: both ends know both scripts.
#pragma once

#include <cstdint>
#include <vector>

#include "lib/base/time.hpp"

namespace holdfast::sim {

struct Step {
    enum class Kind : std::uint8_t {
        write,      ///< `amount` bytes
        await,      ///< until `amount` bytes in all were read
        await_end,  ///< until the peer's FIN was read
        sleep,      ///< for `time`
        shutdown,   ///< no more writes
        abort       ///< close with RST
    };
    Kind kind{};
    std::uint64_t amount = 0;
    Duration time{};
};

/// When and how much the application reads. By default everything at once.
struct Reading {
    std::uint64_t pause_at = ~std::uint64_t{0};  ///< bytes after which it stops reading ...
    Duration pause{};                            ///< ... for so long
    std::uint32_t chunk = 0;                     ///< bytes per read; 0 = all there is
    Duration every{};                            ///< time between such reads
};

struct Script {
    std::vector<Step> steps;
    Reading reading;

    /// Bytes that it writes in all.
    std::uint64_t bytes() const {
        std::uint64_t sum = 0;
        for (const auto& s : steps)
            if (s.kind == Step::Kind::write) sum += s.amount;
        return sum;
    }
    bool aborts() const { return !steps.empty() && steps.back().kind == Step::Kind::abort; }
};

}  // namespace holdfast::sim
