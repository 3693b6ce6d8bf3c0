#include "lib/host/frame.hpp"

#include <cstring>

namespace holdfast::host {
namespace {

template <class Number>
void put(std::uint8_t* out, Number value) {
    for (std::size_t i = 0; i < sizeof(Number); ++i) out[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

template <class Number>
Number get(const std::uint8_t* in) {
    Number value = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i)
        value = static_cast<Number>(value | static_cast<Number>(in[i]) << (8 * i));
    return value;
}

void put(std::uint8_t* out, const Endpoint& e) {
    std::memcpy(out, e.address.bytes.data(), 16);
    put(out + 16, e.port);
}

Endpoint get_endpoint(const std::uint8_t* in) {
    Endpoint e;
    std::memcpy(e.address.bytes.data(), in, 16);
    e.port = get<std::uint16_t>(in + 16);
    return e;
}

}  // namespace

std::size_t write(const Frame& frame, std::span<std::uint8_t> out) {
    auto* p = out.data();
    p[0] = static_cast<std::uint8_t>(frame.kind);
    p[1] = frame.flags;
    put(p + 2, static_cast<std::uint16_t>(frame.bytes.size()));
    put(p + 4, frame.attachment);
    put(p + 8, frame.session.slot);
    put(p + 12, frame.session.generation);
    put(p + 16, frame.offset);
    put(p + 24, frame.second);
    if (!frame.bytes.empty()) std::memcpy(p + header_size, frame.bytes.data(), frame.bytes.size());
    return header_size + frame.bytes.size();
}

std::optional<Frame> read(std::span<const std::uint8_t> in) {
    if (in.size() < header_size) return std::nullopt;
    const auto* p = in.data();
    const auto size = get<std::uint16_t>(p + 2);
    const bool known =
        p[0] >= static_cast<std::uint8_t>(first_kind) && p[0] <= static_cast<std::uint8_t>(last_kind);
    if (!known || size > payload_max || header_size + size > in.size()) return std::nullopt;
    return Frame{static_cast<Kind>(p[0]),      p[1],
                 get<std::uint32_t>(p + 4),    {get<std::uint32_t>(p + 8), get<std::uint32_t>(p + 12)},
                 get<std::uint64_t>(p + 16),   get<std::uint64_t>(p + 24),
                 in.subspan(header_size, size)};
}

void write(const Greeting& greeting, std::span<std::uint8_t, Greeting::size> out) {
    put(out.data(), greeting.client);
    put(out.data() + 18, greeting.local);
    put(out.data() + 36, greeting.edge);
}

std::optional<Greeting> read_greeting(std::span<const std::uint8_t> in) {
    if (in.size() != Greeting::size) return std::nullopt;
    return Greeting{get_endpoint(in.data()), get_endpoint(in.data() + 18),
                    get<std::uint64_t>(in.data() + 36)};
}

}  // namespace holdfast::host
