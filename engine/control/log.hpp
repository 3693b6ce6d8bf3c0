// Lines for the operator, on standard error.
#pragma once

#include <cstdio>
#include <string>

namespace holdfast::engine {

/// Writes "holdfast: TEXT" as one line in one piece; any thread.
inline void say(const std::string& text) { std::fprintf(stderr, "holdfast: %s\n", text.c_str()); }

}  // namespace holdfast::engine
