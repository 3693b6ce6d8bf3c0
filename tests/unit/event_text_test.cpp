// Events as sentences: what happened and why.
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "cores/app/journal_bar.hpp"
#include "cores/guard/roles.hpp"
#include "cores/mirror/codec.hpp"
#include "cores/protocol/event_text.hpp"
#include "cores/proxy/backend_cell.hpp"

using namespace holdfast;

namespace {

Event event(EventKind kind, std::uint64_t a = 0, std::uint64_t b = 0, std::uint16_t reason = 0) {
    return {Instant{}, kind, reason, 0, a, b};
}

}  // namespace

TEST_CASE("a takeover says in which term, why, and after how much silence", "[events]") {
    const auto why = static_cast<std::uint16_t>(guard::Reason::silence);
    CHECK(protocol::describe(event(EventKind::takeover, 3, 152'340, why)) ==
          "active in term 3: the active peer was silent on every path (152.3 ms since its last heartbeat)");
    CHECK(protocol::describe(event(EventKind::takeover_opened, 1, 49)) == "1 session taken over, in 0.0 ms");
}

TEST_CASE("a pair that does not fit says what differs", "[events]") {
    const auto why = static_cast<std::uint16_t>(mirror::Refusal::configuration);
    CHECK(protocol::describe(event(EventKind::mirror_refused, 0, 0, why)) ==
          "the pair does not fit: " + std::string(mirror::to_string(mirror::Refusal::configuration)));
}

TEST_CASE("a stalled core is named, and the application in which it stalls", "[events]") {
    CHECK(protocol::describe(event(EventKind::core_stalled, 1)) == "the server core makes no progress");
    CHECK(protocol::describe(event(EventKind::core_stalled, 2, 4)) ==
          "the application core makes no progress, in the application of service 3");
}

TEST_CASE("a backend's change says which one and why", "[events]") {
    const auto why = static_cast<std::uint16_t>(proxy::BackendReason::refuses);
    CHECK(protocol::describe(event(EventKind::backend_down, 2, 5, why)) ==
          "backend 2/5 is down: it refuses connections");
    // Up because the node became active, and knows nothing of it.
    CHECK(protocol::describe(event(EventKind::backend_up, 2, 5)) == "backend 2/5 is up");
}

TEST_CASE("a journal that keeps the standby out of sync is named, and why", "[events]") {
    const auto why = static_cast<std::uint16_t>(app::JournalBar::full);
    CHECK(protocol::describe(event(EventKind::journal_bars_sync, 3, 0, why)) ==
          "the journal of service 3 keeps the standby out of sync: its journal_max_bytes is below what the "
          "active's log holds (journal_full): raise it");
}

TEST_CASE("every kind of event has a sentence of its own, whatever its numbers", "[events]") {
    std::vector<std::string> seen;
    for (std::uint16_t kind = 0; kind < static_cast<std::uint16_t>(EventKind::count_); ++kind) {
        const auto text = protocol::describe(event(static_cast<EventKind>(kind), ~0ull, ~0ull));
        CHECK(text != "unknown event");
        CHECK(std::count(seen.begin(), seen.end(), text) == 0);
        seen.push_back(text);
    }
}
