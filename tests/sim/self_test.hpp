// The two ends without a proxy between them, over a bad network: proves the simulator's own TCP before it
// judges somebody else's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::sim {

struct SelfTestResult {
    bool passed = false;
    std::string rule, text;
    std::uint64_t hash = 0, events = 0;
};

SelfTestResult run_self_test(std::uint64_t seed, bool verbose);

/// Ways in which a proxy could spoil a segment.
enum class Tamper : std::uint8_t {
    none,
    wrong_byte,
    wrong_checksum,
    ack_beyond,
    foreign_echo,
    ack_inside_sacked,
    beyond_window,
    fin_moved,
    option_added,
    timestamps_dropped,
    too_large,
    count_
};
struct TamperRow {
    std::string_view name, rule;  ///< the rule by which an endpoint must notice it
};
inline constexpr TamperRow tamper_rows[] = {
    {"none", ""},
    {"wrong byte", "R3"},
    {"wrong checksum", "frame"},
    {"ACK beyond what was sent", "ack-unsent"},
    {"TSecr never sent", "tsecr"},
    {"ACK inside a SACKed range", "reneging"},
    {"data beyond the window", "window"},
    {"FIN moved", "fin"},
    {"option added", "options"},
    {"timestamps dropped", "options"},
    {"segment too large", "mss"},
};

/// Runs with one tampered segment until an endpoint notices; the number of runs that took, 0 if `limit` were
/// not enough.
unsigned runs_to_notice(Tamper tamper, unsigned limit);

}  // namespace holdfast::sim
