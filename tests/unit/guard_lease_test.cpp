// The arithmetic of leases, terms and searches, without a guard around it.
#include <catch2/catch.hpp>

#include "cores/guard/lease.hpp"
#include "cores/guard/search.hpp"
#include "cores/guard/send_log.hpp"
#include "cores/guard/settings.hpp"
#include "cores/guard/terms.hpp"

using namespace holdfast;
using namespace holdfast::guard;
using namespace holdfast::literals;

TEST_CASE("lease: over for the grantor after it ended for the holder, whatever the clocks do", "[guard]") {
    for (const std::int64_t lease_ms : {10, 30, 150, 1000}) {
        const LeaseTimes t{milliseconds(lease_ms),
                           milliseconds(lease_ms) / 20};  // the smallest margin allowed
        for (const std::int64_t holder_ppm : {-1000, 0, 1000}) {
            for (const std::int64_t grantor_ppm : {-1000, 0, 1000}) {
                // Both from real time 0, with no delay at all: the worst case.
                const auto real = [](Instant local, std::int64_t ppm) {
                    return static_cast<double>(local.ns) / (1.0 + static_cast<double>(ppm) * 1e-6);
                };
                CHECK(real(t.ends(Instant{}), holder_ppm) < real(t.over(Instant{}), grantor_ppm));
            }
        }
    }
}

TEST_CASE("lease: the active has time to begin its own before the last echo runs out", "[guard]") {
    const Settings s;
    CHECK(s.times().solo_after() + s.heartbeat * 2 < s.lease);
    // And a search begins before the peer can have begun its own (lease.hpp, 3b).
    CHECK(s.times().search_after() + s.heartbeat + s.times().slack() < s.times().solo_after());
}

TEST_CASE("terms: two nodes never use the same", "[guard]") {
    for (std::uint64_t known = 0; known < 10; ++known) {
        const auto a = next_term(known, 0), b = next_term(known, 1);
        CHECK(a > known);
        CHECK(b > known);
        CHECK(a != b);
        CHECK((a == known + 1 || b == known + 1));
    }
}

TEST_CASE("terms: a term is usable when stored and above all that is known", "[guard]") {
    Terms t(1, 4);
    CHECK(t.known() == 4);
    t.reserve();
    CHECK(t.to_persist() == 5u);
    CHECK_FALSE(t.ready());
    t.persisted(5);
    CHECK(t.ready());
    CHECK_FALSE(t.to_persist());
    t.learn(6);
    CHECK_FALSE(t.ready());
    t.reserve();
    CHECK(t.to_persist() == 7u);
    t.persisted(7);
    REQUIRE(t.ready());
    CHECK(t.claim() == 7);
    CHECK_FALSE(t.ready());
}

TEST_CASE("send log: an old echo is not found", "[guard]") {
    SendLog log;
    for (std::uint64_t c = 1; c <= 300; ++c) log.note(c, Instant{static_cast<std::int64_t>(c)});
    CHECK(log.sent_at(300) == Instant{300});
    CHECK(log.sent_at(45) == Instant{45});
    CHECK_FALSE(log.sent_at(44));
    CHECK_FALSE(log.sent_at(301));
    CHECK_FALSE(log.sent_at(0));
}

TEST_CASE("search: an answer counts from its oldest open query, a second one for nothing", "[guard]") {
    Search s;
    s.references_queried(Instant{10});
    s.references_queried(Instant{20});
    Instant sent{};
    REQUIRE(s.reference_answered(3, sent));
    CHECK(sent == Instant{10});
    CHECK(s.connected(Duration{11}, Instant{20}));
    CHECK_FALSE(s.connected(Duration{10}, Instant{20}));
    CHECK_FALSE(s.reference_answered(3, sent));
    CHECK_FALSE(s.reference_answered(references_max, sent));
    // An older answer of another target does not take the proof back.
    s.references_queried(Instant{30});
    REQUIRE(s.reference_answered(3, sent));
    CHECK(s.proof() == Instant{30});
    REQUIRE(s.reference_answered(4, sent));
    CHECK(sent == Instant{10});
    CHECK(s.proof() == Instant{30});
}

TEST_CASE("search: a pause ends the series of queries, but not what the first one proves", "[guard]") {
    Search s;
    s.vip_queried(Instant{100});
    s.vip_queried(Instant{200});
    CHECK(s.unanswered_since() == Instant{100});
    CHECK(s.first_query() == Instant{100});
    s.note_gap(Instant{250});
    CHECK(s.unanswered_since().is_never());
    CHECK(s.first_query() == Instant{100});
    s.vip_queried(Instant{400});
    CHECK(s.unanswered_since() == Instant{400});
    CHECK(s.first_query() == Instant{100});
    s.restart();
    CHECK(s.first_query().is_never());
    // Handed out, and then the node was held up: it may have left at the end of the pause.
    s.vip_queried(Instant{500});
    s.note_gap(Instant{500});
    CHECK(s.first_query().is_never());
}

TEST_CASE("settings: each mistake is named", "[guard]") {
    const std::vector<std::uint8_t> key(32, 1);
    Settings good;
    good.key = key;
    good.boot_nonce = 1;
    CHECK(settings_error(good).empty());
    const auto wrong = [&](auto change) {
        Settings s = good;
        change(s);
        return !settings_error(s).empty();
    };
    CHECK(wrong([](Settings& s) { s.node_id = 2; }));
    CHECK(wrong([](Settings& s) { s.key = s.key.first(31); }));
    CHECK(wrong([](Settings& s) { s.boot_nonce = 0; }));
    CHECK(wrong([](Settings& s) { s.heartbeat = {}; }));
    CHECK(wrong([](Settings& s) { s.lease = 20_ms; }));
    CHECK(wrong([](Settings& s) { s.lease_margin = 1_ms; }));
    CHECK(wrong([](Settings& s) { s.boot_wait = 50_ms; }));
    CHECK(wrong([](Settings& s) { s.syncing_wait = 50_ms; }));
    CHECK(wrong([](Settings& s) { s.echo_window = 20_ms; }));
    CHECK(wrong([](Settings& s) { s.announce_every = {}; }));
    CHECK(wrong([](Settings& s) { s.references = 17; }));
}
