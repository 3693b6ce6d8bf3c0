// Records and segments of a journal: bytes, checksums, torn tails and damage.
#include <catch2/catch.hpp>

#include "tests/support/journal_log.hpp"

using namespace holdfast;
using namespace holdfast::journal;
using namespace holdfast::test;

namespace {

Scan scan(std::span<const std::uint8_t> bytes, LogPosition durable = 0) {
    Term term;
    return scan_segment(bytes, 0, durable, term, [](const Record&, LogPosition) { return true; });
}

}  // namespace

TEST_CASE("journal: a record comes back as it was written", "[journal]") {
    const auto body = bytes_of("what the client said");
    std::vector<std::uint8_t> out(record_max);
    const auto size = encode({Kind::data, false, {7, 9}, 1234, 5678, body}, 42, out);
    CHECK(size == record_header_size + body.size());
    Record r;
    REQUIRE(decode(out, 42, r) == Decoded::whole);
    CHECK(r.kind == Kind::data);
    CHECK(r.session == SessionId{7, 9});
    CHECK(r.number == 1234);
    CHECK(r.offset == 5678);
    CHECK(std::ranges::equal(r.body, body));
    CHECK(claimed_size(out) == size);
}

TEST_CASE("journal: no byte of a record can be changed, and it checks in its term alone", "[journal]") {
    const auto body = bytes_of("x");
    std::vector<std::uint8_t> out(record_max);
    const auto size = encode({Kind::data, false, {7, 9}, 1234, 5678, body}, 42, out);
    Record r;
    CHECK(decode(out, 43, r) == Decoded::damaged);
    for (std::size_t i = 0; i < size; ++i) {
        auto changed = out;
        changed[i] ^= 0x10;
        INFO("byte " << i);
        // A length that has grown may only say that more is to come.
        CHECK(decode(std::span(changed).first(size), 42, r) != Decoded::whole);
    }
}

TEST_CASE("journal: who a client is comes back", "[journal]") {
    std::uint8_t out[party_max];
    const Party p{*Endpoint::parse("10.0.0.1:4000"), *Endpoint::parse("[fd00::1]:9000"), "sink"};
    const auto size = encode(p, out);
    const auto back = decode_party({out, size});
    REQUIRE(back);
    CHECK(back->client == p.client);
    CHECK(back->local == p.local);
    CHECK(back->service == "sink");
    CHECK_FALSE(decode_party({out, 35}));
}

TEST_CASE("journal: a tail torn at any byte is cut off at its record", "[journal]") {
    LogWriter log;
    log.term(1).opened(3).data("first ").data("second");
    const auto sound = log.bytes.size();
    log.data("the last one");
    for (auto n = sound; n < log.bytes.size(); ++n) {
        INFO("after " << n << " bytes");
        const auto s = scan(std::span(log.bytes).first(n));
        CHECK(s.end == sound);
        CHECK(s.tail == (n == sound ? Tail::none : Tail::torn));
    }
    // Blocks that were never written read as zeroes.
    for (auto n = sound; n < log.bytes.size(); ++n) {
        auto bytes = log.bytes;
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(n), bytes.end(), std::uint8_t{0});
        bytes.back() = 0;
        INFO("zeroes from " << n);
        CHECK(scan(bytes).end == sound);
        CHECK(scan(bytes).tail == Tail::torn);
    }
}

TEST_CASE("journal: a hole is torn where nothing was durable, and damage below", "[journal]") {
    LogWriter log;
    log.term(1).opened(3);
    const auto sound = log.bytes.size();
    log.data("first ").data("second");
    for (std::size_t i = sound; i < sound + record_header_size + 6; ++i) {
        auto bytes = log.bytes;
        bytes[i] ^= 0xff;
        INFO("byte " << i);
        CHECK(scan(bytes, sound).end == sound);
        // Sound records follow: a batch's blocks reach the disk in any order.
        CHECK(scan(bytes, sound).tail == Tail::torn);
        CHECK(scan(bytes, sound + 1).end == sound);
        CHECK(scan(bytes, sound + 1).tail == Tail::damaged);
    }
}

TEST_CASE("journal: what was durable and is not there is damage", "[journal]") {
    LogWriter log;
    log.term(1).opened(3).data("first ");
    CHECK(scan(log.bytes, log.bytes.size()).tail == Tail::none);
    CHECK(scan(log.bytes, log.bytes.size() + 1).tail == Tail::damaged);
}

TEST_CASE("journal: what looks like a record in a client's bytes is none", "[journal]") {
    LogWriter log, fake;
    fake.term(1, 999).opened(3).data("planted");
    log.term(1).opened(3);
    const auto sound = log.bytes.size();
    log.data(std::string(fake.bytes.begin(), fake.bytes.end()));
    const auto s = scan(std::span(log.bytes).first(log.bytes.size() - 1));
    CHECK(s.end == sound);
    CHECK(s.tail == Tail::torn);
}

TEST_CASE("journal: a segment's header checks, and nothing else does", "[journal]") {
    std::vector<std::uint8_t> out(segment_header_size);
    encode(SegmentHeader{77, {3, 4}}, out);
    const auto back = decode_segment(out);
    REQUIRE(back);
    CHECK(back->first == 77);
    CHECK(back->term == Term{3, 4});
    for (std::size_t i = 0; i < 36; ++i) {
        auto changed = out;
        changed[i] ^= 1;
        CHECK_FALSE(decode_segment(changed));
    }
}

TEST_CASE("journal: of a segment's two marks the greater one that checks counts", "[journal]") {
    std::vector<std::uint8_t> out(segment_header_size);
    encode(SegmentHeader{77, {3, 4}, 100}, out);
    CHECK(decode_segment(out)->durable == 100);
    encode_mark(SegmentHeader{77, {3, 4}, 200}, std::span(out).subspan(mark_place(1)));
    CHECK(decode_segment(out)->durable == 200);
    encode_mark(SegmentHeader{77, {3, 4}, 300}, std::span(out).subspan(mark_place(2)));
    CHECK(decode_segment(out)->durable == 300);
    for (std::size_t i = 0; i < mark_size; ++i) {
        auto changed = out;
        changed[mark_place(0) + i] ^= 1;
        CHECK(decode_segment(changed)->durable == 200);
    }
    // One of a file that stood in this place before says nothing.
    encode_mark(SegmentHeader{78, {3, 4}, 900}, std::span(out).subspan(mark_place(0)));
    CHECK(decode_segment(out)->durable == 200);
}
