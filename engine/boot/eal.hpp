// DPDK's environment abstraction layer, for as long as the object lives.
#pragma once

#include "engine/boot/arguments.hpp"

namespace holdfast::engine {

/// Throws StartRefused when hugepages are wanted and there are none; needs no EAL.
void check_hugepages(const Arguments& arguments);

class Eal {
  public:
    /// Starts EAL with the options that stood before "--". Throws StartRefused.
    explicit Eal(const Arguments& arguments);
    ~Eal();
    Eal(const Eal&) = delete;
    Eal& operator=(const Eal&) = delete;
};

}  // namespace holdfast::engine
