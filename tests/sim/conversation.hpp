// One connection between the two applications, planned in full before it begins.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/base/random.hpp"
#include "tests/sim/talker.hpp"

namespace holdfast::sim {

enum class Talk : std::uint8_t {
    bulk,
    upload,
    download,
    requests,
    greeting,
    slow_reader,
    half_close,
    idle,
    tiny,
    simultaneous_close,
    abort,
    count_
};
inline constexpr std::string_view talk_names[] = {
    "bulk",       "upload", "download",    "requests",           "greeting", "slow reader",
    "half close", "idle",   "tiny writes", "simultaneous close", "abort"};
constexpr std::string_view name(Talk t) { return talk_names[static_cast<std::size_t>(t)]; }

/// What all conversations of a run have in common.
struct ConversationLimits {
    std::uint64_t bytes = 200'000;  ///< per direction
    Duration longest_pause = seconds(4);
    bool sack = true, timestamps = true, scaling = true;  ///< false: nobody has it
};

struct Conversation {
    unsigned number = 0;
    Talk talk{};
    std::uint16_t client_port = 0;
    Duration begins{};          ///< after the start of the traffic
    TalkerPlan client, server;  ///< the client's MSS is unlike that of every other conversation

    std::string to_string() const;
};

/// Draws the plan of conversation `number` from `seed`.
Conversation draw_conversation(std::uint64_t seed, unsigned number, Talk talk,
                               const ConversationLimits& limits);

}  // namespace holdfast::sim
