// Somebody who speaks in an end's name, with bytes and numbers of his own. The end knows nothing of it.
#pragma once

#include <algorithm>

#include "tests/script/lane_stage.hpp"

namespace holdfast::script {

class Stranger {
  public:
    Stranger(LaneStage& lane, Side side, const Peer& in_whose_name)
        : lane_(lane), side_(side), name_(in_whose_name) {}

    /// What `s` leaves out is what the end would say. The payload is `fill` throughout, which no end's is.
    void sends(const Seg& s, std::uint8_t fill = 'X') {
        lane_.deliver_raw(side_, sim::write_segment(raw(s, fill)));
    }

    sim::Segment raw(const Seg& s, std::uint8_t fill = 'X') {
        const auto& k = name_.knows();
        sim::Segment raw;
        raw.from_mac = name_.mac();
        raw.to_mac = LaneStage::virtual_mac(side_);
        raw.from = name_.local();
        raw.to = k.other;
        const auto begin = s.begin.value_or(k.sent);
        raw.seq = to_seq(name_.isn(), begin);
        raw.flags = s.flags;
        if (s.has(flag::ack)) raw.ack = to_seq(k.other_isn, s.acks.value_or(k.acked));
        raw.window = static_cast<std::uint16_t>(s.bytes_open.value_or(name_.default_window) >> k.shift);
        if (k.timestamps && s.timestamps.value_or(true))
            raw.options.timestamps = {s.ts_value.value_or(name_.ts_now()), s.ts_echo.value_or(k.heard_ts)};
        payload_.assign(static_cast<std::size_t>(s.begin ? std::max<Position>(s.end - begin, 0) : 0), fill);
        raw.payload = payload_;
        return raw;
    }

  private:
    LaneStage& lane_;
    Side side_;
    const Peer& name_;
    sim::Bytes payload_;
};

}  // namespace holdfast::script
