// A last word of a process that crashes: which core, and in which service's application.
#pragma once

#include "cores/protocol/node.hpp"
#include "lib/config/config.hpp"

namespace holdfast::engine {

/// From here on a fatal signal (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT) is reported on standard error
/// before it takes its usual course. `application_lcore` is the one of the application core, or -1. Node and
/// names must outlive the object.
class CrashReport {
  public:
    CrashReport(const protocol::Node& node, const Config& config, int application_lcore);
    ~CrashReport();
    CrashReport(const CrashReport&) = delete;
    CrashReport& operator=(const CrashReport&) = delete;
};

}  // namespace holdfast::engine
