#include "cores/tcp/path_mtu.hpp"

#include <algorithm>
#include <array>

#include "cores/tcp/recovery.hpp"

namespace holdfast::tcp {
namespace {

//= rfc1191#6.3
//  After a decrease a larger size is not tried for ten minutes.
constexpr Duration keep_for = seconds(600);

/// No link carries less than this; an error that says so is a lie that would multiply our packets. For IPv4
/// Linux' bound (net.ipv4.route.min_pmtu), for IPv6 RFC 8200 section 5.
constexpr std::uint32_t least_v4 = 552, least_v6 = 1280;

//= rfc1191#7.1
//  Sizes to try in turn where a router does not say which fits.
constexpr std::array<std::uint32_t, 10> plateaus = {17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68, 0};

std::uint32_t next_plateau(std::uint32_t below) {
    return *std::find_if(plateaus.begin(), plateaus.end() - 1, [&](auto size) { return size < below; });
}

}  // namespace

bool is_in_flight(const Tcb& t, const wire::IcmpError& error, Position begin, Position end) {
    const auto at = to_position(t.hard.leg.iss, error.seq, begin);
    return at >= begin && at < end;
}

bool lower_path_mtu(Tcb& t, const wire::IcmpError& error, const Context& c) {
    auto& leg = t.hard.leg;
    const bool v4 = leg.remote.address.is_v4();
    const auto told = error.mtu != 0 ? error.mtu : next_plateau(error.packet_size);
    const auto headers = wire::ip_size(leg.remote.address) + wire::tcp_size;
    //= rfc1191#3
    //  Smaller from now on, never larger, and not below what every link carries.
    //= rfc8201#4
    //  Likewise, with a least of 1280.
    const auto mss = std::max(told, v4 ? least_v4 : least_v6) - headers;
    if (mss >= leg.mss_send) return false;
    auto& soft = t.soft;
    if (soft.mss_full == 0) soft.mss_full = leg.mss_send;
    leg.mss_send = static_cast<std::uint16_t>(mss);
    soft.mss_until = c.now + keep_for;
    c.counters.add(Counter::path_mtu_lowered);
    //= rfc1191#6.4
    //  It leaves again at once; nothing was lost for congestion.
    //= rfc8201#5.4
    //  Likewise.
    mark_oversized_lost(t);
    return true;
}

void retry_path_mtu(Tcb& t, const Context& c) {
    auto& soft = t.soft;
    if (soft.mss_full == 0 || c.now < soft.mss_until) return;
    t.hard.leg.mss_send = soft.mss_full;
    soft.mss_full = 0;
    soft.mss_until = Instant::never();
}

}  // namespace holdfast::tcp
