// Everything a run is drawn from its seed.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/conversation.hpp"
#include "tests/sim/fault.hpp"
#include "tests/sim/machine.hpp"
#include "tests/sim/network.hpp"

namespace holdfast::sim {

/// Addresses of the simulated site: the same in every run, but for the family that each network speaks.
struct Site {
    bool client_v6 = false, server_v6 = false;

    IpAddress client_host() const;
    IpAddress server_host() const;
    Endpoint virtual_address() const;
    IpAddress snat() const;
    static MacAddress client_virtual_mac();
    static MacAddress server_virtual_mac();
};

/// The moment from which a loss pattern counts.
enum class Moment : std::uint8_t { handshake, close, takeover };
inline constexpr std::string_view moment_names[] = {"handshake", "close", "takeover"};

/// Loses chosen TCP frames, both directions counted together, between one host and its switch.
struct LossPattern {
    Moment moment{};
    Side leg{};
    std::uint32_t bits = 0;  ///< bit i: the i-th frame since the moment is lost
};

struct Options {
    std::uint64_t seed = 0;
    Site site;
    std::array<MachineOptions, 2> machines;
    bool headers = false;  ///< the server wants PROXY headers, and the nodes send them
    Duration second_boots_after{};
    /// Host to switch and switch to host, for the client and the server network; and to and from each node's
    /// port.
    WireOptions client_access[2], server_access[2], node_access[2], mirror_access[2];
    std::vector<Conversation> conversations;
    std::vector<Fault> faults;
    bool runs_twice = false;  ///< and both runs must agree (R7)
    bool scarce = false;      ///< rings, pools or table so small that new sessions may be refused
    std::optional<LossPattern> loss_pattern;
    bool ecn = false;      ///< ends speak ECN, and wires mark
    bool cookies = false;  ///< so few half-open sessions are allowed that clients get SYN cookies

    std::string to_string() const;
};

/// A run without chance on the network and without faults: what the exhaustive scenarios start from.
Options plain_options(std::uint64_t seed, const Site& site = {});
Options draw_options(std::uint64_t seed);
/// One small transfer both ways under `pattern`; with Moment::takeover the active node dies in the middle of
/// it.
Options pattern_options(const LossPattern& pattern);

/// Clients get SYN cookies once so many sessions are half-open. After the conversations were made.
void use_cookies(Options& o, std::uint32_t half_open);
/// The server wants PROXY headers, and the nodes send them.
void use_headers(Options& o);
/// A kind of conversation that gets into `states`; most get into the common ones.
std::optional<Talk> talk_into(const StatePair& states);

}  // namespace holdfast::sim
