// Frames that somebody sends in another's name, with numbers that he guesses.
#pragma once

#include <optional>
#include <string_view>

#include "lib/base/random.hpp"
#include "tests/lab/attack/witness.hpp"

namespace holdfast::lab {

enum class Kind : std::uint8_t {
    rst,      ///< SEQ guessed
    rst_ack,  ///< SEQ guessed, ACK exact
    syn,
    syn_ack,
    data,
    fin,               ///< with data or without
    ack,               ///< pure, with any window
    icmp_unreachable,  ///< about a segment of the victim's whose SEQ is guessed
    icmp_too_big,
    mix,  ///< each guess is one of the above
};

/// The name of a kind as a person writes it; nullopt for any other word.
std::optional<Kind> kind_of(std::string_view name);

/// Who gets the frames, and whose name is on them.
struct Aim {
    const Connection& connection;
    unsigned speaker;  ///< index of the end in whose name is spoken; the other one is the victim
    MacAddress own, victim;
};

/// A frame of that kind whose numbers lie within 2^20 of the truth. The same generator draws the same
/// distances from the truth, whatever the truth is.
sim::Bytes forge(Kind kind, const Aim& aim, Random& random);

}  // namespace holdfast::lab
