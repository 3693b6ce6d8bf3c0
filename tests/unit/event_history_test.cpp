#include <catch2/catch.hpp>

#include "engine/control/event_history.hpp"

using namespace holdfast;
using namespace holdfast::engine;

namespace {

Event event(std::uint64_t a) {
    Event e;
    e.a = a;
    return e;
}

}  // namespace

TEST_CASE("events come back in order, page by page") {
    EventHistory history(8);
    for (std::uint64_t i = 0; i < 5; ++i) history.add(event(i));
    const auto first = history.page(0, 3);
    REQUIRE(first.size() == 3);
    CHECK(first[2].event.a == 2);
    const auto second = history.page(first.back().number + 1, 3);
    REQUIRE(second.size() == 2);
    CHECK(second[1].number == 4);
    CHECK(history.page(5, 3).empty());
}

TEST_CASE("the oldest events make room, and numbers go on") {
    EventHistory history(4);
    for (std::uint64_t i = 0; i < 10; ++i) history.add(event(i));
    const auto kept = history.page(0, 100);
    REQUIRE(kept.size() == 4);
    CHECK(kept.front().number == 6);
    CHECK(kept.front().event.a == 6);
    CHECK(kept.back().event.a == 9);
}
