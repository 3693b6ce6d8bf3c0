// The wire as a whole: two devices, a direction each way, and the loop that sleeps until something is due.
#pragma once

#include <cstdint>
#include <string>

#include "control.hpp"
#include "device.hpp"
#include "impairment.hpp"
#include "settings.hpp"

namespace holdfast::lossy {

struct Ends {
    std::string host;       ///< device toward the host
    std::string to_switch;  ///< device toward the switch
};

class Bridge {
  public:
    Bridge(const Ends& ends, const Settings& settings);

    /// Carries frames until SIGTERM or SIGINT, which the caller has blocked.
    void run(Control& control);

  private:
    struct Direction {
        const char* name;
        Device& in;
        Device& out;
        Impairment impairment;
        bool tagged_in;  ///< the side of the VLAN tag
    };

    void set(const Settings& settings);
    bool receive(Direction& direction, Instant now, std::int64_t realtime_ahead_ns);
    void take(Direction& direction, const Arrival& arrival, Instant at);
    bool transmit(Direction& direction, Instant now);
    std::string answer(const std::string& request);
    std::string report();

    Settings settings_;
    Device host_, switch_;
    Direction directions_[2];
};

}  // namespace holdfast::lossy
