// Why a journal keeps a standby from being in sync, and with it all services of the node.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::app {

enum class JournalBar : std::uint16_t {
    none,
    logs_differ,  ///< seen by the active, the others by the standby
    full,
    aside_full,
    disk,
    slow,
};

constexpr std::string_view words_of(JournalBar bar) {
    switch (bar) {
        case JournalBar::logs_differ:
            return "the two logs have nothing in common (logs_differ): keep the wrong one elsewhere, and "
                   "start its node";
        case JournalBar::full:
            return "its journal_max_bytes is below what the active's log holds (journal_full): raise it";
        case JournalBar::aside_full:
            return "what was set aside before fills journal_max_bytes (cut_full): take the directories cut-* "
                   "away";
        case JournalBar::disk: return "its disk is full or fails";
        case JournalBar::slow: return "its disk is too slow, or it was given what does not follow";
        case JournalBar::none: break;
    }
    return "";
}

}  // namespace holdfast::app
