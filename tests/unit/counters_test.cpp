// Counters and events: what operators read, printed whole.
#include <catch2/catch.hpp>

#include <set>
#include <sstream>

#include "cores/app/counters.hpp"
#include "cores/app/host_counters.hpp"
#include "cores/app/journal_counters.hpp"
#include "cores/guard/counters.hpp"
#include "cores/mirror/counters.hpp"
#include "cores/net/counters.hpp"
#include "cores/proxy/counters.hpp"
#include "cores/tcp/counters.hpp"
#include "engine/lcore/counters.hpp"
#include "lib/report/event.hpp"
#include "lib/wire/frame.hpp"
#include "tests/support/golden.hpp"

using namespace holdfast;

namespace {

struct Module {
    std::string_view name;
    std::span<const CounterRow> rows;
};
const Module modules[] = {
    {"frame", wire::frame_rows},
    {"net", net::counter_rows},
    {"tcp", tcp::counter_rows},
    {"proxy", proxy::counter_rows},
    {"mirror", mirror::counter_rows},
    {"guard", guard::counter_rows},
    {"app", app::counter_rows},
    {"host", app::host_counter_rows},
    {"journal", app::journal_counter_rows},
    {"runner", engine::runner_counter_rows},
};

std::string all_rows() {
    std::ostringstream text;
    for (const auto& m : modules)
        for (const auto& row : m.rows) text << m.name << '.' << row.name << ": " << row.help << '\n';
    for (const auto& row : event_rows) text << "event " << row.name << ": " << row.help << '\n';
    return text.str();
}

}  // namespace

TEST_CASE("counters: every row is in the golden list", "[report]") {
    CHECK(all_rows() == test::golden("counters.txt", all_rows()));
}

TEST_CASE("counters: names are unique in a module, every row has its help", "[report]") {
    for (const auto& m : modules) {
        std::set<std::string_view> names;
        for (const auto& row : m.rows) {
            CHECK(names.insert(row.name).second);
            CHECK(row.help.size() > 5);
        }
    }
}

TEST_CASE("counters: add, set and read", "[report]") {
    Counters<wire::FrameKind> c;
    c.add(wire::FrameKind::arp);
    c.add(wire::FrameKind::arp, 4);
    CHECK(c.get(wire::FrameKind::arp) == 5);
    CHECK(c.get(static_cast<std::size_t>(wire::FrameKind::arp)) == 5);
    c.set(wire::FrameKind::arp, 2);
    CHECK(c.get(wire::FrameKind::arp) == 2);
    CHECK(c.get(wire::FrameKind::tcp) == 0);
}
