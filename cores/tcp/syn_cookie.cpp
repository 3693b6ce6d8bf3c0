#include "cores/tcp/syn_cookie.hpp"

#include <algorithm>
#include <iterator>

namespace holdfast::tcp {
namespace {

/// Sizes that occur: what every host takes, tunnels, IPv6 and IPv4 over Ethernet, jumbo frames.
constexpr std::uint16_t sizes[] = {88, 536, 1220, 1360, 1400, 1440, 1460, 8940};
static_assert(std::size(sizes) == 8);

/// The last one that is not above `mss`; the smallest for whoever offers less still.
std::uint32_t size_index(std::uint16_t mss) {
    const auto* above = std::ranges::upper_bound(sizes, mss);
    return above == std::begin(sizes) ? 0 : static_cast<std::uint32_t>(above - sizes - 1);
}

constexpr std::uint32_t slot_bits = 24, mac_mask = 0x1fffff;
constexpr std::uint32_t option_mask = 31, no_scale = 15, sack_bit = 16;

std::uint64_t slot_of(Instant shared_now) {
    return static_cast<std::uint64_t>(shared_now.ns / cookie_slot.ns);
}

std::uint32_t option_bits(const HandshakeOffer& agreed) {
    return (agreed.window_scaling ? agreed.scale : no_scale) | (agreed.sack ? sack_bit : 0);
}

/// MAC and MSS: the lower 24 bits of a cookie.
std::uint32_t proof(const Secrets& secrets, const CookieTuple& t, const HandshakeOffer& agreed,
                    std::uint64_t slot) {
    const auto size = size_index(agreed.mss);
    const std::uint64_t options = (agreed.timestamps ? 32 : 0) | option_bits(agreed);
    // What is left for the slot lasts 17 years.
    const auto said = t.irs.value | options << 32 | std::uint64_t{size} << 38 | slot << 41;
    return (static_cast<std::uint32_t>(secrets.hash(t.local, t.remote, Purpose::cookie, said)) & mac_mask)
               << 3 |
           size;
}

std::uint32_t base(const Secrets& secrets, const Endpoint& local, const Endpoint& remote) {
    return static_cast<std::uint32_t>(secrets.hash(local, remote, Purpose::initial_sequence));
}

/// How many slots ago a cookie was made, modulo 256.
std::uint8_t age_of(std::uint32_t cookie, std::uint64_t slot_now) {
    return static_cast<std::uint8_t>(slot_now - (cookie >> slot_bits));
}

}  // namespace

HandshakeOffer cookie_offer(HandshakeOffer offer) {
    offer.mss = sizes[size_index(offer.mss)];
    offer.sack = offer.sack && offer.timestamps;
    offer.window_scaling = offer.window_scaling && offer.timestamps;
    if (!offer.window_scaling) offer.scale = 0;
    return offer;
}

SeqNum make_cookie(const Secrets& secrets, const CookieTuple& tuple, const HandshakeOffer& agreed,
                   Instant shared_now) {
    const auto slot = slot_of(shared_now);
    return {base(secrets, tuple.local, tuple.remote) + (static_cast<std::uint32_t>(slot) << slot_bits) +
            proof(secrets, tuple, agreed, slot)};
}

std::uint32_t cookie_timestamp(const HandshakeOffer& agreed, std::uint32_t ts_now) {
    const auto bits = option_bits(agreed);
    const auto value = (ts_now & ~option_mask) | bits;
    return (ts_now & option_mask) >= bits ? value : value - option_mask - 1;
}

std::optional<HandshakeOffer> read_cookie(const Secrets& secrets, const CookieTuple& tuple, SeqNum iss,
                                          std::optional<std::uint32_t> ts_echo, Instant shared_now) {
    const auto cookie = iss.value - base(secrets, tuple.local, tuple.remote);
    const auto now = slot_of(shared_now);
    const auto age = age_of(cookie, now);
    if (age > 1) return std::nullopt;
    HandshakeOffer agreed;
    agreed.mss = sizes[cookie & 7];
    agreed.timestamps = ts_echo.has_value();
    if (agreed.timestamps) {
        agreed.sack = (*ts_echo & sack_bit) != 0;
        agreed.scale = static_cast<std::uint8_t>(*ts_echo & no_scale);
        agreed.window_scaling = agreed.scale != no_scale;
        if (!agreed.window_scaling) agreed.scale = 0;
    }
    if ((cookie & ((1u << slot_bits) - 1)) != proof(secrets, tuple, agreed, now - age)) return std::nullopt;
    return agreed;
}

bool may_be_cookie(const Secrets& secrets, const Endpoint& local, const Endpoint& remote, SeqNum iss,
                   Instant shared_now) {
    return age_of(iss.value - base(secrets, local, remote), slot_of(shared_now)) <= 1;
}

}  // namespace holdfast::tcp
