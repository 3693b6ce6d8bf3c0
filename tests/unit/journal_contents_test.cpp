// What a journal's log holds, and where two logs part.
#include <catch2/catch.hpp>

#include "tests/support/journal_log.hpp"

using namespace holdfast;
using namespace holdfast::journal;
using namespace holdfast::test;

namespace {

Terms terms_of(std::initializer_list<TermStart> starts) {
    Terms t;
    for (const auto& s : starts) t.begin(s);
    return t;
}
constexpr Term a1{1, 10}, b2{2, 20}, a3{3, 11}, b3{3, 20};

}  // namespace

TEST_CASE("journal: contents know how far each session is held", "[journal]") {
    LogWriter log;
    log.term(1).opened(3).data("hello ").data("world").opened(4).data("x").end();
    Contents c(16);
    REQUIRE(fill(c, log));
    REQUIRE(c.find({3, 1}) != nullptr);
    CHECK(c.find({3, 1})->offset == 11);
    CHECK_FALSE(c.find({3, 1})->ended);
    CHECK(c.find({4, 1})->offset == 1);
    CHECK(c.find({4, 1})->ended);
    CHECK(c.find({3, 2}) == nullptr);
    CHECK(c.find({5, 1}) == nullptr);
    CHECK(c.find({16, 1}) == nullptr);
    CHECK(c.terms().last() == Term{1, 77});
}

TEST_CASE("journal: a gap, a double and bytes behind the end are refused", "[journal]") {
    Contents c(16);
    const auto body = bytes_of("abc");
    REQUIRE(c.add({Kind::opened, false, {3, 1}, 0, 0, {}}, 0));
    REQUIRE(c.add({Kind::data, false, {3, 1}, 0, 0, body}, 40));
    CHECK_FALSE(c.add({Kind::data, false, {3, 1}, 0, 4, body}, 100));
    CHECK_FALSE(c.add({Kind::data, false, {3, 1}, 0, 2, body}, 100));
    REQUIRE(c.add({Kind::end, false, {3, 1}, 0, 3, {}}, 100));
    CHECK_FALSE(c.add({Kind::data, false, {3, 1}, 0, 3, body}, 140));
}

TEST_CASE("journal: sessions of a fresh start have nothing of others with their names", "[journal]") {
    LogWriter log;
    log.term(1).opened(3).data("hello").term(2, 78, true);
    Contents c(16);
    REQUIRE(fill(c, log));
    CHECK(c.find({3, 1}) == nullptr);
    CHECK(c.holds_data());
}

TEST_CASE("journal: what is taken back leaves what was before", "[journal]") {
    LogWriter log;
    log.term(1).opened(3).data("hello ");
    const auto to = log.bytes.size();
    log.data("world").end().opened(4).data("x").term(2, 78);
    Contents c(16);
    REQUIRE(fill(c, log));
    Term term = {1, 77};
    scan_segment(std::span(log.bytes).subspan(to), to, 0, term, [&](const Record& r, LogPosition) {
        c.take_back(r);
        return true;
    });
    c.truncate(to);
    CHECK(c.find({3, 1})->offset == 6);
    CHECK_FALSE(c.find({3, 1})->ended);
    CHECK(c.find({4, 1}) == nullptr);
    CHECK(c.terms().last() == Term{1, 77});
    CHECK(c.holds_data());
    c.begin_again();
    c.truncate(0);
    CHECK(c.find({3, 1}) == nullptr);
    CHECK_FALSE(c.holds_data());
}

TEST_CASE("journal: where the place of a session was taken, all is added anew, and is as before",
          "[journal]") {
    LogWriter log;
    log.term(1).opened(3).data("hello ").end();
    const auto to = log.bytes.size();
    SECTION("by another one of its slot") { log.opened(3, 2).data("x"); }
    SECTION("by a node that began anew") { log.term(2, 78, true); }
    const auto displaced = log.bytes.size();
    log.opened(5).data("y");
    Contents c(16);
    REQUIRE(fill(c, log));
    CHECK_FALSE(c.can_take_back(to));
    CHECK(c.can_take_back(displaced));
    c.begin_again();
    c.truncate(to);
    CHECK(c.find({3, 1}) == nullptr);
    CHECK(c.terms().starts().size() == 1);
    LogWriter before;
    before.bytes.assign(log.bytes.begin(), log.bytes.begin() + static_cast<std::ptrdiff_t>(to));
    REQUIRE(fill(c, before));
    REQUIRE(c.find({3, 1}) != nullptr);
    CHECK(c.find({3, 1})->offset == 6);
    CHECK(c.find({3, 1})->ended);
    CHECK(c.find({5, 1}) == nullptr);
    CHECK(c.terms().starts().size() == 1);
    CHECK(c.can_take_back(to));
}

TEST_CASE("journal: a log of terms alone holds no data, whatever was cut from it", "[journal]") {
    LogWriter log;
    log.term(1);
    const auto to = log.bytes.size();
    log.opened(3).data("x");
    Contents c(16);
    REQUIRE(fill(c, log));
    c.truncate(to);
    CHECK_FALSE(c.holds_data());
}

TEST_CASE("journal: two logs are alike up to the end of the last term that both have", "[journal]") {
    const auto own = terms_of({{a1, 0}, {b2, 100}});
    const auto described = [](const Terms& t, LogPosition end) { return describe(t, end, true); };
    // It was the active of term 1 and had more of it than came through.
    CHECK(common_end(own, 500, described(terms_of({{a1, 0}}), 130)) == 100);
    // It has less of it.
    CHECK(common_end(own, 500, described(terms_of({{a1, 0}}), 70)) == 70);
    // It follows term 2.
    CHECK(common_end(own, 500, described(terms_of({{a1, 0}, {b2, 100}}), 300)) == 300);
    CHECK(common_end(own, 200, described(terms_of({{a1, 0}, {b2, 100}}), 300)) == 200);
    // It was alone for a while, in a term that nobody else knows.
    CHECK(common_end(own, 500, described(terms_of({{a1, 0}, {a3, 90}}), 400)) == 90);
    // Terms of one number by two nodes are two terms.
    CHECK(common_end(terms_of({{a1, 0}, {a3, 100}}), 500, described(terms_of({{a1, 0}, {b3, 100}}), 400)) ==
          100);
}

TEST_CASE("journal: a log with nothing in common is replaced only if it is empty", "[journal]") {
    const auto own = terms_of({{a1, 0}, {b2, 100}});
    CHECK(common_end(own, 500, describe({}, 0, false)) == 0);
    CHECK(common_end(own, 500, describe(terms_of({{a3, 0}}), 40, false)) == 0);
    CHECK_FALSE(common_end(own, 500, describe(terms_of({{a3, 0}}), 400, true)));
}

TEST_CASE("journal: a description comes back, the newest terms first", "[journal]") {
    Terms t;
    for (std::uint64_t i = 1; i <= 300; ++i) t.begin({{i, i}, i * 100});
    CHECK(t.starts().size() == Terms::kept_max);
    std::uint8_t out[Description::size_max];
    const auto size = encode(describe(t, 99999, true), out);
    const auto d = decode_description({out, size});
    REQUIRE(d);
    CHECK(d->end == 99999);
    CHECK(d->holds_data);
    CHECK(d->count == Description::terms_max);
    CHECK(d->newest[0].term == Term{300, 300});
    CHECK(d->newest[9].at == 29100);
    CHECK_FALSE(decode_description({out, size - 1}));
    CHECK_FALSE(decode_description({out, 8}));
}
