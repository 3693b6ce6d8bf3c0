// R4: one node at a time speaks with the virtual addresses, and who speaks later does so in a higher term.
#pragma once

#include <cstdint>
#include <string>

#include "tests/sim/machine.hpp"

namespace holdfast::sim {

class SpeakerChecker {
  public:
    explicit SpeakerChecker(Journal& journal) : journal_(journal) {}

    /// True when `machine` has become the speaker with this frame.
    bool node_sends(const Machine& machine, std::size_t port, const Bytes& frame);
    const Machine* speaker() const { return speaker_; }

  private:
    static bool is_virtual(const Machine& machine, std::size_t port, const Bytes& frame);

    Journal& journal_;
    const Machine* speaker_ = nullptr;
    std::uint64_t life_ = 0, term_ = 0;
};

}  // namespace holdfast::sim
