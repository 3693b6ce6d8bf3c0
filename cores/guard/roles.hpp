// The words of the guard: paths, roles, states, and why a node acts or does not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace holdfast::guard {

/// The networks that heartbeats cross; also the order of bits in path and link masks.
enum class Path : std::uint8_t { client, server, mirror };
inline constexpr std::size_t path_count = 3;

enum class Role : std::uint8_t {
    booting,   ///< has neither heard its peer nor waited long enough
    standby,   ///< follows an active peer, or followed one that is gone
    active,    ///< owns the table; speaks only while its lease lasts
    resigned,  ///< was active, stopped speaking, and waits for its successor
};

/// What a role is up to; each belongs to one role.
enum class State : std::uint8_t { boot, syncing, ready, solo, protected_, suspended, resigned };

/// X(name, help): why a node became active. Each has a counter row `became_active_<name>`.
#define HF_GUARD_REASON_ROWS(X)                                                   \
    X(boot, "nobody was active when the node started")                            \
    X(silence, "the active peer was silent on every path")                        \
    X(resigned, "the active peer resigned")                                       \
    X(stalled, "a protocol core of the active peer stopped making progress")      \
    X(port_down, "a service port of the active peer lost its link, ours has one") \
    X(restarted, "the active peer started anew and had lost its table")

/// X(name, help): why a node that is not active, or is suspended, does not speak. Each has a counter row
/// `held_<name>` that counts how often the node came to wait for it.
#define HF_GUARD_HOLD_ROWS(X)                                                      \
    X(peer, "the peer serves, or has the better claim to")                         \
    X(boot_wait, "the node started a short time ago and has not heard its peer")   \
    X(syncing, "the image of the sessions is incomplete: a longer wait")           \
    X(promise, "the lease granted to the peer may still be running")               \
    X(reference, "no reference target answers: this node may be the isolated one") \
    X(vip, "asking whether somebody answers for the virtual address")              \
    X(rival, "another node is asking for the virtual address too, and goes first") \
    X(term, "the next term is not on stable storage")                              \
    X(stalled, "the client core of this node does not run")                        \
    X(lease, "the peer has another lease_ms or lease_margin_ms: make them alike")

enum class Reason : std::uint8_t {
    none,
#define HF_GUARD_ENUM(name, help) name,
    HF_GUARD_REASON_ROWS(HF_GUARD_ENUM)
};
enum class Hold : std::uint8_t { none, HF_GUARD_HOLD_ROWS(HF_GUARD_ENUM) };
#undef HF_GUARD_ENUM

std::string_view name_of(Reason reason);
std::string_view help_of(Reason reason);
std::string_view name_of(Hold hold);
std::string_view help_of(Hold hold);
/// For operators: "active" or "standby"; what lies between is told by the state.
std::string_view name_of(Role role);
std::string_view name_of(State state);

}  // namespace holdfast::guard
