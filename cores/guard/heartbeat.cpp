#include "cores/guard/heartbeat.hpp"

#include <algorithm>

#include "cores/guard/terms.hpp"

namespace holdfast::guard {
namespace {

constexpr std::array<std::uint8_t, 4> magic{'H', 'F', 'h', 'b'};
constexpr std::uint8_t version = 1;
constexpr std::uint8_t flag_able = 1, flag_in_sync = 2, flag_solo = 4;

void put(HeartbeatFrame& frame, std::size_t at, std::uint64_t value) {
    for (std::size_t i = 0; i < 8; ++i) frame[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

std::uint64_t get(std::span<const std::uint8_t> frame, std::size_t at) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) value |= std::uint64_t{frame[at + i]} << (8 * i);
    return value;
}

/// The states that belong to each role; anything else was not made by us.
bool fits(Role role, State state) {
    switch (role) {
        case Role::booting: return state == State::boot;
        case Role::standby: return state == State::syncing || state == State::ready;
        case Role::active:
            return state == State::solo || state == State::protected_ || state == State::suspended;
        case Role::resigned: return state == State::resigned;
    }
    return false;
}

bool plausible(const Heartbeat& h) {
    return h.node_id <= 1 && static_cast<std::size_t>(h.path) < path_count && fits(h.role, h.state) &&
           h.boot_nonce != 0 && h.counter != 0 && h.known_term >= h.term &&
           h.grant_counter <= h.echo_counter &&
           (h.role != Role::active || (h.term != 0 && belongs_to(h.term, h.node_id)));
}

}  // namespace

void encode(const Heartbeat& h, const Hmac& hmac, HeartbeatFrame& frame) {
    frame.fill(0);
    std::copy(magic.begin(), magic.end(), frame.begin());
    frame[4] = version;
    frame[5] = h.node_id;
    frame[6] = static_cast<std::uint8_t>(h.path);
    frame[7] = static_cast<std::uint8_t>(h.role);
    frame[8] = static_cast<std::uint8_t>(h.state);
    frame[9] = static_cast<std::uint8_t>((h.able ? flag_able : 0) | (h.in_sync ? flag_in_sync : 0) |
                                         (h.solo ? flag_solo : 0));
    frame[10] = h.links;
    put(frame, 16, h.term);
    put(frame, 24, h.known_term);
    put(frame, 32, h.boot_nonce);
    put(frame, 40, h.counter);
    put(frame, 48, h.echo_nonce);
    put(frame, 56, h.echo_counter);
    put(frame, 64, h.grant_counter);
    for (std::size_t i = 0; i < path_count; ++i) put(frame, 72 + 8 * i, h.path_echo[i]);
    put(frame, 96, h.progress[0]);
    put(frame, 104, h.progress[1]);
    put(frame, 112, h.mirror_progress);
    put(frame, 120, std::uint64_t{h.margin_us} << 32 | h.lease_us);
    const auto tag = hmac.tag(std::span(frame).first<heartbeat_signed_bytes>());
    std::copy(tag.begin(), tag.end(), frame.begin() + heartbeat_signed_bytes);
}

Parsed decode(std::span<const std::uint8_t> payload, const Hmac& hmac, Heartbeat& h) {
    if (payload.size() < heartbeat_bytes) return Parsed::malformed;
    const auto frame = payload.first<heartbeat_bytes>();
    if (!std::equal(magic.begin(), magic.end(), frame.begin()) || frame[4] != version)
        return Parsed::malformed;
    if (!hmac.verify(frame.first<heartbeat_signed_bytes>(), frame.last<Hmac::tag_bytes>()))
        return Parsed::forged;
    h.node_id = frame[5];
    h.path = static_cast<Path>(frame[6]);
    h.role = static_cast<Role>(frame[7]);
    h.state = static_cast<State>(frame[8]);
    h.able = (frame[9] & flag_able) != 0;
    h.in_sync = (frame[9] & flag_in_sync) != 0;
    h.solo = (frame[9] & flag_solo) != 0;
    h.links = frame[10];
    h.term = get(frame, 16);
    h.known_term = get(frame, 24);
    h.boot_nonce = get(frame, 32);
    h.counter = get(frame, 40);
    h.echo_nonce = get(frame, 48);
    h.echo_counter = get(frame, 56);
    h.grant_counter = get(frame, 64);
    for (std::size_t i = 0; i < path_count; ++i) h.path_echo[i] = get(frame, 72 + 8 * i);
    h.progress = {get(frame, 96), get(frame, 104)};
    h.mirror_progress = get(frame, 112);
    h.lease_us = static_cast<std::uint32_t>(get(frame, 120));
    h.margin_us = static_cast<std::uint32_t>(get(frame, 120) >> 32);
    return plausible(h) ? Parsed::ok : Parsed::malformed;
}

}  // namespace holdfast::guard
