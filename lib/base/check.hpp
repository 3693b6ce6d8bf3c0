// Assertions of what we believe about our own state. Never used on wire input: that is clamped and counted.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace holdfast {

[[noreturn]] inline void check_failed(const char* expression, const char* file, int line) {
    std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, expression);
    std::abort();
}

}  // namespace holdfast

#define HF_CHECK(expression)                       \
    (__builtin_expect(!!(expression), 1) ? (void)0 \
                                         : ::holdfast::check_failed(#expression, __FILE__, __LINE__))
