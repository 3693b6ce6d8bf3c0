#include "tests/sim/congestion_marks.hpp"

namespace holdfast::sim {

namespace {
constexpr std::uint8_t both = flag::ece | flag::cwr;
}

void CongestionMarks::offer(Segment& syn) {
    if (!offered_) syn.flags |= both;
    offered_ = true;
}

void CongestionMarks::take_offer(const Segment& syn, bool willing) { agreed_ = willing && syn.has(both); }

void CongestionMarks::answer(Segment& syn_ack) const {
    if (agreed_) syn_ack.flags |= flag::ece;
}

void CongestionMarks::take_answer(const Segment& syn_ack) {
    agreed_ = offered_ && (syn_ack.flags & both) == flag::ece;
}

void CongestionMarks::leave(Segment& s, bool fresh) {
    if (s.has(flag::syn) || s.has(flag::rst)) return;
    if (seen_ && s.has(flag::ack)) s.flags |= flag::ece;
    if (!agreed_ || !fresh || s.payload.empty()) return;
    s.ecn = ecn::ect0;
    if (cwr_owed_) s.flags |= flag::cwr;
    cwr_owed_ = false;
}

void CongestionMarks::take_data(const Segment& s) {
    if (!agreed_ || s.payload.empty()) return;
    if (s.has(flag::cwr)) seen_ = false;
    if (s.ecn == ecn::ce) seen_ = true;
}

std::string_view CongestionMarks::fault(const Segment& s) const {
    if (s.has(flag::syn)) {
        if (s.ecn != ecn::none) return "a SYN is ECT";
        return s.has(flag::ack) && (s.flags & both) != 0 && !offered_ ? "accepted and not offered" : "";
    }
    if (s.ecn != ecn::none && !agreed_) return "ECT and not agreed on";
    if (s.ecn != ecn::none && s.payload.empty()) return "a segment without data is ECT";
    return (s.flags & both) != 0 && !agreed_ ? "ECE or CWR and not agreed on" : "";
}

Frame marked(const Frame& frame) {
    auto bytes = *frame;
    const auto tag = ethertype(bytes) == ethertype_vlan ? 4u : 0u;
    const auto ip = 14u + tag;
    const bool v6 = bytes.size() > ip && bytes[ip] >> 4 == 6;
    if (bytes.size() < ip + 20 || (!v6 && bytes[ip] != 0x45)) return frame;
    const auto field = v6 ? bytes[ip + 1] >> 4 & 3 : bytes[ip + 1] & 3;
    if (field != ecn::ect0 && field != ecn::ect1) return frame;
    bytes[ip + 1] = static_cast<std::uint8_t>(bytes[ip + 1] | (v6 ? 0x30 : 0x03));
    if (!v6) {
        bytes[ip + 10] = bytes[ip + 11] = 0;
        const auto sum = fold(ones_sum({bytes.data() + ip, 20}));
        bytes[ip + 10] = static_cast<std::uint8_t>(sum >> 8);
        bytes[ip + 11] = static_cast<std::uint8_t>(sum);
    }
    return std::make_shared<const Bytes>(std::move(bytes));
}

}  // namespace holdfast::sim
