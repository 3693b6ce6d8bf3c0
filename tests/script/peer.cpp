#include "tests/script/peer.hpp"

#include <algorithm>

#include "tests/support/true_bytes.hpp"

namespace holdfast::script {

Peer::Peer(PeerStage& stage, std::string name, Endpoint local, MacAddress mac, SeqNum isn, std::uint8_t salt)
    : stage_(stage), name_(std::move(name)), local_(local), mac_(mac), isn_(isn), salt_(salt) {}

std::uint8_t Peer::byte_at(Position p) const { return static_cast<std::uint8_t>(test::byte_at(p) ^ salt_); }

sim::TcpOptions Peer::options_for(const Seg& s) const {
    sim::TcpOptions o;
    const bool opens = s.has(flag::syn);
    if (opens) {
        o.mss = s.mss_offer.value_or(offer.mss);
        const auto shift = s.shift_offer.value_or(offer.shift);
        if (shift >= 0) o.window_scale = static_cast<std::uint8_t>(shift);
        o.sack_permitted = s.sack_permitted.value_or(offer.sack);
    }
    // A RST carries none, as Linux sends it for a socket that is gone.
    const bool usual = opens ? offer.timestamps : k_.timestamps && !s.has(flag::rst);
    if (s.timestamps.value_or(usual || s.ts_value))
        o.timestamps = {s.ts_value.value_or(ts_now()), s.ts_echo.value_or(k_.heard_ts)};
    for (const auto& r : s.sacked.value_or(std::vector<Range>{}))
        o.sack[o.sack_count++] = {to_seq(k_.other_isn, r.begin), to_seq(k_.other_isn, r.end)};
    return o;
}

std::uint16_t Peer::window_field(const Seg& s) const {
    if (s.has(flag::syn)) return static_cast<std::uint16_t>(s.bytes_open.value_or(offer.window));
    return static_cast<std::uint16_t>(s.bytes_open.value_or(default_window) >> k_.shift);
}

sim::Bytes Peer::build(const Seg& s) {
    sim::Segment raw;
    raw.from_mac = mac_;
    raw.to_mac = {};  // the stage knows its port
    raw.from = local_;
    raw.to = k_.other;
    const auto begin = s.begin.value_or(k_.sent), end = s.begin ? s.end : begin;
    raw.seq = to_seq(isn_, begin);
    raw.flags = s.flags;
    if (s.has(flag::ack)) raw.ack = to_seq(k_.other_isn, s.acks.value_or(k_.acked));
    raw.window = window_field(s);
    raw.options = options_for(s);
    raw.ecn = s.codepoint.value_or(sim::ecn::none);
    sim::Bytes payload;
    for (auto p = begin; p < end; ++p) payload.push_back(byte_at(p));
    raw.payload = payload;
    if (s.pushed.value_or(end > begin)) raw.flags |= flag::psh;
    note_sent(s, raw);
    return sim::write_segment(raw);
}

void Peer::note_sent(const Seg& s, const sim::Segment& raw) {
    const auto begin = s.begin.value_or(k_.sent);
    stage_.log(name_ + " > " + script::to_string(Seg(s).seq(begin)) +
               (s.end > begin && s.begin ? ":" + std::to_string(s.end) : ""));
    if (s.has(flag::rst)) return;
    k_.sent = std::max(k_.sent, begin + raw.length());
    if (s.has(flag::syn)) {
        k_.shift = std::min<int>(raw.options.window_scale.value_or(0), 14);
        if (!raw.options.window_scale) k_.other_shift = 0;
    }
    // An ACK of bytes that never came is a lie of the story's, and no grant.
    const auto acked = s.acks.value_or(k_.acked);
    if (acked > k_.heard_end) return;
    const auto shift = s.has(flag::syn) ? 0 : k_.shift;
    const auto base = s.has(flag::ack) ? acked : Position{1};
    k_.edge = std::max(k_.edge, base + (static_cast<Position>(raw.window) << shift));
    if (s.has(flag::ack)) k_.acked = std::max(k_.acked, acked);
}

void Peer::send_burst(const std::vector<Seg>& burst) {
    std::vector<sim::Bytes> frames;
    for (const auto& s : burst) frames.push_back(build(s));
    stage_.deliver(*this, frames);
}

void Peer::learn_from_syn(const Seen& s) {
    k_.synchronized = true;
    k_.other_isn = s.raw.seq;
    k_.other = s.raw.from;
    const auto& o = s.raw.options;
    k_.other_shift = o.window_scale ? std::min<int>(*o.window_scale, 14) : 0;
    // Both ends must have offered it.
    const bool answers = s.raw.has(flag::ack);
    k_.timestamps = offer.timestamps && o.timestamps.has_value();
    if (!answers && !o.window_scale) offer.shift = -1;
    if (!answers && !o.sack_permitted) offer.sack = false;
    if (!answers && !o.timestamps) offer.timestamps = false;
    if (answers && !o.window_scale) k_.shift = 0;
}

void Peer::receive(const sim::Frame& frame, const std::function<void(const Seen&)>& check) {
    Numbers n{k_.other_isn, isn_, static_cast<std::uint8_t>(k_.other_shift)};
    auto s = read(frame, n, k_.heard_end, k_.heard_ack);
    if (s.raw.has(flag::syn) && !k_.synchronized) {
        n.own_isn = s.raw.seq;
        s = read(frame, n, 0, k_.heard_ack);
        learn_from_syn(s);
    }
    s.at = stage_.time();
    stage_.log(name_ + " < " + script::to_string(s));
    check(s);
    k_.heard_end = std::max(k_.heard_end, s.begin + s.raw.length());
    if (s.raw.has(flag::ack) && !s.raw.has(flag::rst)) {
        k_.heard_ack = std::max(k_.heard_ack, s.ack);
        k_.heard_edge = std::max(k_.heard_edge, s.ack + s.window);
    }
    if (const auto& ts = s.raw.options.timestamps) {
        k_.heard_ts = ts->value;
        k_.heard_any_ts = true;
    }
    inbox_.push_back(std::move(s));
}

Seen Peer::takes(Where where) {
    if (inbox_.empty()) depart("nothing came to the " + name_ + "\n" + stage_.transcript(), where);
    auto s = std::move(inbox_.front());
    inbox_.pop_front();
    return s;
}

Seen Peer::expects(const Seg& expected, Where where) {
    if (inbox_.empty())
        depart("nothing came to the " + name_ + ", expected: " + script::to_string(expected) + "\n" +
                   stage_.transcript(),
               where);
    auto s = takes(where);
    if (const auto d = difference(expected, s); !d.empty())
        depart("to the " + name_ + " came " + script::to_string(s) +
                   ", expected: " + script::to_string(expected) + "; " + d + "\n" + stage_.transcript(),
               where);
    return s;
}

void Peer::expects_nothing(Where where) {
    if (has_unexpected()) depart(describe_unexpected() + "\n" + stage_.transcript(), where);
}

std::string Peer::describe_unexpected() const {
    return "to the " + name_ + " came, unexpected: " + script::to_string(inbox_.front()) +
           (inbox_.size() > 1 ? " and " + std::to_string(inbox_.size() - 1) + " more" : "");
}

}  // namespace holdfast::script
