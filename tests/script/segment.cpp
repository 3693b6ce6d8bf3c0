#include "tests/script/segment.hpp"

#include <cstdio>

#include "tests/script/story.hpp"

namespace holdfast::script {
namespace {

std::string number(std::uint64_t n) {
    return distance(0, n) < 0 ? "-" + std::to_string(-distance(0, n)) : std::to_string(n);
}

std::string flag_letters(std::uint8_t flags) {
    constexpr char letters[] = "FSRPAUEC";
    std::string text;
    for (int i = 0; i < 8; ++i)
        if ((flags >> i & 1) != 0) text += letters[i];
    return text;
}

std::string ranges(const std::vector<Range>& blocks) {
    std::string text;
    for (const auto& b : blocks) text += " sack " + number(b.begin) + "-" + number(b.end);
    return text;
}

std::string milliseconds_text(Duration d) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f ms", static_cast<double>(d.ns) / 1e6);
    return text;
}

/// Flags that must be alike; PSH is asked for by name, and a RST may or may not carry an ACK.
std::uint8_t compared_flags(const Seg& expected) {
    std::uint8_t mask = flag::syn | flag::fin | flag::rst | flag::urg | flag::ack | flag::ece | flag::cwr;
    if (expected.has(flag::rst) && !expected.acks) mask = static_cast<std::uint8_t>(mask & ~flag::ack);
    return mask;
}

template <class T>
std::string differs(const char* what, const std::optional<T>& expected, T actual) {
    if (!expected || *expected == actual) return {};
    return std::string(what) + " is " + number(static_cast<std::uint64_t>(actual)) + " and not " +
           number(static_cast<std::uint64_t>(*expected));
}

std::string option_difference(const Seg& e, const Seen& s) {
    const auto& o = s.raw.options;
    if (e.timestamps && *e.timestamps != o.timestamps.has_value())
        return o.timestamps ? "it has timestamps" : "it has no timestamps";
    if ((e.ts_value || e.ts_echo) && !o.timestamps) return "it has no timestamps";
    if (auto d = differs("TSval", e.ts_value, o.timestamps ? o.timestamps->value : 0); !d.empty()) return d;
    if (auto d = differs("TSecr", e.ts_echo, o.timestamps ? o.timestamps->echo : 0); !d.empty()) return d;
    if (auto d = differs<std::uint16_t>("MSS", e.mss_offer, o.mss.value_or(0)); !d.empty()) return d;
    if (auto d = differs("window scale", e.shift_offer, o.window_scale ? *o.window_scale : -1); !d.empty())
        return d;
    if (e.sack_permitted && *e.sack_permitted != o.sack_permitted)
        return o.sack_permitted ? "it permits SACK" : "it does not permit SACK";
    if (e.sacked && *e.sacked != s.sacked) return "its SACK blocks are other ones";
    return {};
}

}  // namespace

Seen read(const sim::Frame& frame, const Numbers& n, Position near_seq, Position near_ack) {
    Seen s;
    std::string fault;
    const auto raw = sim::read_segment(*frame, fault);
    if (!raw) throw Departure("a frame that is no segment: " + fault);
    s.raw = *raw;
    s.frame = frame;
    s.begin = to_position(n.own_isn, raw->seq, near_seq);
    s.end = s.begin + raw->payload.size();
    if (raw->has(flag::ack)) s.ack = to_position(n.other_isn, raw->ack, near_ack);
    s.window = static_cast<std::uint64_t>(raw->window) << (raw->has(flag::syn) ? 0 : n.shift);
    for (const auto& r : raw->options.ranges())
        s.sacked.push_back(
            {to_position(n.other_isn, r.begin, near_ack), to_position(n.other_isn, r.end, near_ack)});
    return s;
}

std::string difference(const Seg& e, const Seen& s) {
    const auto mask = compared_flags(e);
    if ((e.flags & mask) != (s.raw.flags & mask)) return "its flags are " + flag_letters(s.raw.flags);
    if (auto d = differs("SEQ", e.begin, s.begin); !d.empty()) return d;
    const auto size = e.begin ? e.end - *e.begin : 0;
    if (s.end - s.begin != size)
        return "it carries " + std::to_string(s.end - s.begin) + " bytes and not " + std::to_string(size);
    if (auto d = differs("ACK", e.acks, s.ack); !d.empty()) return d;
    if (auto d = differs("window", e.bytes_open, s.window); !d.empty()) return d;
    const bool may_be_ect = s.end > s.begin && !s.raw.has(flag::syn);
    const auto codepoint = e.codepoint ? e.codepoint : std::optional(sim::ecn::none);
    if (e.codepoint || !may_be_ect)
        if (auto d = differs<std::uint8_t>("ECN field", codepoint, s.raw.ecn); !d.empty()) return d;
    if (auto d = option_difference(e, s); !d.empty()) return d;
    if (e.pushed && *e.pushed != s.raw.has(flag::psh)) return *e.pushed ? "PSH is missing" : "PSH is set";
    if (e.sent_at) {
        // A timer fires within a tick of the wheel (0.26 ms) after its time, and a series of them adds up.
        const auto late = s.at - *e.sent_at;
        if (late < 0_ns || late > 1500_us) return "it left at " + milliseconds_text(s.at);
    }
    return {};
}

std::string to_string(const Seg& s) {
    std::string text = flag_letters(s.flags);
    if (s.begin) text += " " + number(*s.begin) + (s.end != *s.begin ? ":" + number(s.end) : "");
    if (s.acks) text += " ack " + number(*s.acks);
    if (s.bytes_open) text += " win " + number(*s.bytes_open);
    if (s.sacked) text += s.sacked->empty() ? " no sack" : ranges(*s.sacked);
    if (s.sent_at) text += " at " + milliseconds_text(*s.sent_at);
    return text;
}

std::string to_string(const Seen& s) {
    std::string text = flag_letters(s.raw.flags) + " " + number(s.begin);
    if (s.end != s.begin) text += ":" + number(s.end);
    if (s.raw.has(flag::ack)) text += " ack " + number(s.ack);
    text += " win " + number(s.window) + ranges(s.sacked);
    if (s.raw.ecn != sim::ecn::none) text += " ecn " + number(s.raw.ecn);
    const auto& o = s.raw.options;
    if (o.mss) text += " mss " + number(*o.mss);
    if (o.window_scale) text += " ws " + number(*o.window_scale);
    if (o.sack_permitted) text += " sackok";
    if (o.timestamps) text += " ts " + number(o.timestamps->value) + " " + number(o.timestamps->echo);
    return text;
}

}  // namespace holdfast::script
