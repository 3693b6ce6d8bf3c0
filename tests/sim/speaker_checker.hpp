// R4: one node at a time speaks with the virtual addresses, and who speaks later does so in a higher term.
#pragma once

#include <cstdint>
#include <string>

#include "tests/sim/options.hpp"

namespace holdfast::sim {

class SpeakerChecker {
  public:
    SpeakerChecker(Journal& journal, const Site& site) : journal_(journal), site_(site) {}

    /// True when `machine` has become the speaker with this frame.
    bool node_sends(const Machine& machine, std::size_t port, const Bytes& frame);
    const Machine* speaker() const { return speaker_; }

  private:
    bool is_virtual(const Machine& machine, std::size_t port, const Bytes& frame) const;

    Journal& journal_;
    Site site_;
    const Machine* speaker_ = nullptr;
    std::uint64_t life_ = 0, term_ = 0;
};

}  // namespace holdfast::sim
