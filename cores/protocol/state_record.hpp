// State of applications between a ring's entry and the mirror's record.
#pragma once

#include <algorithm>

#include "cores/proxy/lane.hpp"

namespace holdfast::protocol {

/// What the entry, `state` or `described`, says.
inline StateRecord state_record(const proxy::ApplicationEntry& e) {
    StateRecord r;
    r.service = e.service;
    r.size = e.record.size;
    std::copy_n(e.record.bytes.begin(), r.size, r.bytes.begin());
    return r;
}

inline void take_record(proxy::ApplicationEntry& e, const StateRecord& r) {
    e.service = r.service;
    e.record.size = r.size;
    std::copy_n(r.bytes.begin(), r.size, e.record.bytes.begin());
}

}  // namespace holdfast::protocol
