// Round-trip time and retransmission timeout as in RFC 6298, with Linux's reading of the minimum.
#pragma once

#include <algorithm>

#include "lib/base/time.hpp"

namespace holdfast::sim {

class RoundTrip {
  public:
    RoundTrip(Duration rto_min, Duration rto_initial, Duration rto_max)
        : rto_min_(rto_min), rto_max_(rto_max), rto_(rto_initial) {}

    void sample(Duration rtt) {
        rtt = std::max(rtt, microseconds(1));
        if (!known_) {
            smoothed_ = lowest_ = rtt;
            variation_ = rtt / 2;
        } else {
            const Duration error = rtt > smoothed_ ? rtt - smoothed_ : smoothed_ - rtt;
            variation_ = (variation_ * 3 + error) / 4;
            smoothed_ = (smoothed_ * 7 + rtt) / 8;
            lowest_ = std::min(lowest_, rtt);
        }
        known_ = true;
        rto_ = std::min(smoothed_ + std::max(variation_ * 4, rto_min_), rto_max_);
    }
    bool known() const { return known_; }
    Duration smoothed() const { return smoothed_; }
    Duration lowest() const { return lowest_; }
    /// Doubled `backoff` times.
    Duration rto(unsigned backoff) const {
        Duration d = rto_;
        for (; backoff > 0 && d < rto_max_; --backoff) d = d * 2;
        return std::min(d, rto_max_);
    }

  private:
    Duration rto_min_, rto_max_, rto_;
    Duration smoothed_{}, variation_{}, lowest_{};
    bool known_ = false;
};

}  // namespace holdfast::sim
