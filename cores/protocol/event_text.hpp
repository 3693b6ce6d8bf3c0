// Events in words.
#pragma once

#include <string>

#include "lib/report/event.hpp"

namespace holdfast::protocol {

/// What happened and why, as a sentence for an operator: "active in term 3: the active peer was silent on
/// every path (152 ms of silence)".
std::string describe(const Event& event);

}  // namespace holdfast::protocol
