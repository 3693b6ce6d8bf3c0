#include "tests/lab/attack/forge.hpp"

#include <algorithm>

namespace holdfast::lab {
namespace {

namespace flag = sim::flag;

constexpr std::int64_t reach = 1 << 20;
constexpr std::size_t ethernet_size = 14, ipv4_size = 20, ipv6_size = 40;
constexpr std::array<std::string_view, 10> names = {
    "rst", "rst_ack", "syn", "syn_ack", "data", "fin", "ack", "icmp_unreachable", "icmp_too_big", "mix"};

/// All that a guess needs is drawn at once, used or not: so kinds and truths do not change what comes after.
struct Guess {
    explicit Guess(Random& random)
        : seq(distance(random)),
          ack(distance(random)),
          ts_value(distance(random)),
          ts_echo(distance(random)),
          size(static_cast<std::size_t>(random.between(1, 1000))),
          window(static_cast<std::uint16_t>(random.below(0x10000))),
          timestamps(random.chance(500'000)),
          kind(static_cast<Kind>(random.below(static_cast<std::uint64_t>(Kind::mix)))),
          choice(static_cast<std::uint8_t>(random.below(256))) {}

    std::uint32_t seq, ack, ts_value, ts_echo;
    std::size_t size;
    std::uint16_t window;
    bool timestamps;
    Kind kind;
    std::uint8_t choice;

  private:
    static std::uint32_t distance(Random& random) {
        return static_cast<std::uint32_t>(random.between(-reach, reach));
    }
};

std::uint8_t flags_of(Kind kind) {
    switch (kind) {
        case Kind::rst: return flag::rst;
        case Kind::rst_ack: return flag::rst | flag::ack;
        case Kind::syn: return flag::syn;
        case Kind::syn_ack: return flag::syn | flag::ack;
        case Kind::data: return flag::ack | flag::psh;
        case Kind::fin: return flag::ack | flag::fin;
        default: return flag::ack;
    }
}

sim::Bytes forge_segment(Kind kind, const Aim& aim, const Guess& guess) {
    static const sim::Bytes text(1000, 'X');
    const auto& speaker = aim.connection[aim.speaker];
    sim::Segment s;
    s.from_mac = aim.own;
    s.to_mac = aim.victim;
    s.from = speaker.address;
    s.to = aim.connection[1 - aim.speaker].address;
    s.flags = flags_of(kind);
    s.seq = {speaker.next.value + guess.seq};
    if (s.has(flag::ack)) s.ack = {speaker.ack.value + (kind == Kind::rst_ack ? 0 : guess.ack)};
    s.window = guess.window;
    if (s.has(flag::syn)) {
        s.options.mss = 1460;
        s.options.window_scale = 7;
        s.options.sack_permitted = true;
    }
    if (speaker.timestamps && guess.timestamps)
        s.options.timestamps = {speaker.ts_value + guess.ts_value, speaker.ts_echo + guess.ts_echo};
    const bool has_text = kind == Kind::data || (kind == Kind::fin && guess.choice % 2 == 0);
    if (has_text) s.payload = std::span(text).first(guess.size);
    return sim::write_segment(s);
}

struct IcmpError {
    std::uint8_t type, code;
    std::uint32_t number;  ///< of the header: what fits
};

IcmpError error_of(Kind kind, bool v6, const Guess& guess) {
    if (kind == Kind::icmp_too_big) {
        const auto fits = static_cast<std::uint32_t>(256 + guess.size);
        return v6 ? IcmpError{2, 0, 1024 + fits} : IcmpError{3, 4, fits};
    }
    // No route, prohibited, address or port out of reach; network, host, protocol or port.
    constexpr std::uint8_t codes6[] = {0, 1, 3, 4}, codes4[] = {0, 1, 2, 3};
    return v6 ? IcmpError{1, codes6[guess.choice % 4], 0} : IcmpError{3, codes4[guess.choice % 4], 0};
}

void put(sim::Bytes& out, std::uint32_t value, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void patch16(std::uint8_t* p, std::uint32_t value) {
    p[0] = static_cast<std::uint8_t>(value >> 8);
    p[1] = static_cast<std::uint8_t>(value);
}

/// An error about a segment of the victim's that never left, as if its receiver sent it.
sim::Bytes forge_icmp(Kind kind, const Aim& aim, const Guess& guess) {
    const auto& victim = aim.connection[1 - aim.speaker];
    const bool v6 = !victim.address.address.is_v4();
    const auto ip_size = v6 ? ipv6_size : ipv4_size;
    sim::Segment about;
    about.from = victim.address;
    about.to = aim.connection[aim.speaker].address;
    about.seq = {victim.next.value + guess.seq};
    about.ack = victim.ack;
    about.flags = flag::ack;
    const auto quoted = sim::write_segment(about);
    const auto error = error_of(kind, v6, guess);
    sim::Bytes message = {error.type, error.code, 0, 0};
    put(message, error.number, 4);
    message.insert(message.end(), quoted.begin() + ethernet_size,
                   quoted.begin() + static_cast<std::ptrdiff_t>(ethernet_size + ip_size + 20));

    // Its IP header is that of a segment the other way round.
    std::swap(about.from, about.to);
    about.from_mac = aim.own;
    about.to_mac = aim.victim;
    auto frame = sim::write_segment(about);
    frame.resize(ethernet_size + ip_size);
    auto* ip = frame.data() + ethernet_size;
    const auto size = static_cast<std::uint32_t>(message.size());
    std::uint32_t sum = 0;
    if (v6) {
        patch16(ip + 4, size);
        ip[6] = 58;
        sum = sim::ones_sum({ip + 8, 32}) + 58 + size;
    } else {
        patch16(ip + 2, static_cast<std::uint32_t>(ip_size) + size);
        ip[9] = 1;
        patch16(ip + 10, 0);
        patch16(ip + 10, sim::fold(sim::ones_sum({ip, ip_size})));
    }
    patch16(message.data() + 2, sim::fold(sim::ones_sum(message, sum)));
    frame.insert(frame.end(), message.begin(), message.end());
    return frame;
}

}  // namespace

std::optional<Kind> kind_of(std::string_view name) {
    const auto* const found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return std::nullopt;
    return static_cast<Kind>(found - names.begin());
}

sim::Bytes forge(Kind kind, const Aim& aim, Random& random) {
    const Guess guess(random);
    if (kind == Kind::mix) kind = guess.kind;
    const bool icmp = kind == Kind::icmp_unreachable || kind == Kind::icmp_too_big;
    return icmp ? forge_icmp(kind, aim, guess) : forge_segment(kind, aim, guess);
}

}  // namespace holdfast::lab
