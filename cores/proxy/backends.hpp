// The backends of all services as the server core sees them: who is up, who gets the next session.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "cores/proxy/lane.hpp"
#include "cores/tcp/handshake.hpp"

namespace holdfast::proxy {

/// Backends that one opening session has tried.
struct Tried {
    static constexpr std::size_t max = 4;
    std::array<std::uint16_t, max> backends{};
    std::uint8_t count = 0;
    std::uint8_t silent = 0;  ///< by place in `backends`, a bit each: it did not answer in time
    std::uint8_t rounds = 0;  ///< in which silent ones were asked again

    static constexpr std::uint8_t rounds_max = 3;

    bool full() const { return count == max; }
    void add(std::uint16_t backend) { backends[count++] = backend; }
    /// The last one that was added did not answer in time.
    void note_silent() { silent = static_cast<std::uint8_t>(silent | 1u << (count - 1)); }
    /// Those before the last one that were only silent may be asked again: an answer was lost, or the network
    /// away for a moment. Returns false when that is nobody, or was done often enough.
    bool begin_round() {
        const auto before_last = static_cast<std::uint8_t>((1u << (count - 1)) - 1);
        if (rounds == rounds_max || (silent & before_last) == 0) return false;
        ++rounds;
        std::uint8_t kept = 0, kept_silent = 0;
        for (std::uint8_t i = 0; i < count; ++i) {
            const bool was_silent = (silent >> i & 1) != 0, last = i + 1 == count;
            if (was_silent && !last) continue;
            kept_silent = static_cast<std::uint8_t>(kept_silent | (was_silent ? 1u << kept : 0u));
            backends[kept++] = backends[i];
        }
        count = kept;
        silent = kept_silent;
        return true;
    }
    bool contains(std::uint16_t backend) const {
        return std::find(backends.begin(), backends.begin() + count, backend) != backends.begin() + count;
    }
};

class Backends {
  public:
    static constexpr std::uint16_t none = 0xffff;

    /// `config` and `lane` outlive it; `secrets` make the choice by source one that nobody can steer.
    Backends(const Config& config, const tcp::Secrets& secrets, Lane& lane);

    /// The backend for a client of `service`: up, not drained, not tried. `none` when there is none.
    std::uint16_t choose(std::uint16_t service, const IpAddress& client, const Tried& tried);
    /// Whether choose() would find one.
    bool has_choice(std::uint16_t service, const Tried& tried) const;

    void session_began(std::uint16_t service, std::uint16_t backend);
    void session_ended(std::uint16_t service, std::uint16_t backend);

    /// What came of an attempt to connect, by a session or by a check. True when the backend's state changed.
    bool answered(std::uint16_t service, std::uint16_t backend);
    bool failed(std::uint16_t service, std::uint16_t backend, BackendReason reason);
    /// The node becomes active: what an earlier term knew is old.
    void assume_up();

  private:
    /// What counts towards a change of state.
    struct Streak {
        std::uint16_t answers = 0, failures = 0;
    };

    bool usable(std::uint16_t service, std::uint16_t backend, const Tried& tried) const;
    std::uint64_t rank(std::uint16_t service, std::uint16_t backend, std::uint64_t client) const;

    const Config& config_;
    const tcp::Secrets& secrets_;
    Lane& lane_;
    std::vector<std::uint16_t> next_;      ///< by service: where the next choice begins
    std::vector<Streak> streaks_;          ///< as lane.backends
    std::vector<std::uint64_t> own_hash_;  ///< as lane.backends: keyed, of service and backend
};

}  // namespace holdfast::proxy
