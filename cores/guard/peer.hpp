// What this node knows of its peer, and which heartbeats it believes.
#pragma once

#include <array>
#include <cstdint>

#include "cores/guard/heartbeat.hpp"
#include "lib/base/time.hpp"

namespace holdfast::guard {

/// One incarnation of the peer is current: the last one that proved itself by echoing a recent heartbeat of
/// ours. Heartbeats of any other boot nonce are candidates: they are echoed, so that they can prove
/// themselves, and have no other effect. All tables are of fixed size; a flood can evict a candidate, never
/// the current one.
class Peer {
  public:
    enum class Admission : std::uint8_t {
        newest,    ///< fresh, proven, and newer than all before: its claims count
        taken,     ///< fresh and proven, but a copy or overtaken: only its path was heard
        unproven,  ///< genuine, without a recent echo: no proof of life
        replayed,  ///< its counter was seen on this path, or its boot is over
    };
    struct Echo {
        std::uint64_t nonce = 0, counter = 0;
        std::array<std::uint64_t, path_count> path_counter{};
        bool current = false;  ///< it speaks of the current incarnation
    };

    /// Judges a genuine heartbeat; `proven` = it echoes a recent heartbeat of ours.
    Admission admit(const Heartbeat& heartbeat, bool proven, Instant now);
    /// What the next heartbeat echoes: the current incarnation while it is heard (within `quiet`), else it
    /// and the candidates in turn.
    Echo next_echo(Instant now, Duration quiet);

    bool known() const { return nonce_ != 0; }
    std::uint64_t nonce() const { return nonce_; }
    /// The newest heartbeat of the current incarnation; all zero (booting) when there is none.
    const Heartbeat& claim() const { return claim_; }
    /// When the newest heartbeat was received. Copies that come in later by a slower path do not count.
    Instant heard_at() const { return heard_at_; }
    /// The newest heartbeat may have been received as late as `now`.
    void heard_as_late_as(Instant now) { heard_at_ = later(heard_at_, now); }
    /// True while the newest heartbeat is younger than `bound`.
    bool heard_within(Duration bound, Instant now) const { return known() && now - heard_at_ < bound; }
    bool path_heard_within(Path path, Duration bound, Instant now) const;
    Instant path_heard_at(Path path) const { return paths_[index(path)].heard_at; }
    std::uint64_t boots() const { return boots_; }

  private:
    struct PathState {
        std::uint64_t counter = 0;
        bool heard = false;
        Instant heard_at{};
    };
    struct Candidate {
        std::uint64_t nonce = 0, counter = 0;
        Instant heard_at{};
    };
    static constexpr std::size_t index(Path path) { return static_cast<std::size_t>(path); }
    bool retired(std::uint64_t nonce) const;
    Echo echo_of_current() const;
    void note_candidate(const Heartbeat& heartbeat, Instant now);
    void become_current(const Heartbeat& heartbeat);

    std::uint64_t nonce_ = 0;
    Heartbeat claim_{};
    Instant heard_at_{};
    std::array<PathState, path_count> paths_{};
    std::array<Candidate, 4> candidates_{};
    std::size_t next_candidate_ = 0;
    /// Boots that are over. One that has fallen out of here still has to echo a recent heartbeat, which a
    /// recording can not.
    std::array<std::uint64_t, 8> retired_{};
    std::uint64_t boots_ = 0;
};

}  // namespace holdfast::guard
