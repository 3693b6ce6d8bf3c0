// The bytes of the mirror protocol: what is written is what is read, versions never change, damage is never
// misread.
#include "cores/mirror/codec.hpp"

#include <catch2/catch.hpp>

#include <limits>
#include <sstream>
#include <vector>

#include "lib/base/random.hpp"
#include "tests/support/edge_mbuf.hpp"
#include "tests/support/golden.hpp"
#include "tests/support/records.hpp"

using namespace holdfast;
using namespace holdfast::mirror;
using test::Bytes;
using Verdict = Decoded::Verdict;

namespace {

Bytes encoded(const Record& record) {
    Bytes out(record_size_max);
    out.resize(encode(record, out));
    return out;
}

ApplicationRecord application_record() {
    ApplicationRecord r;
    r.id = {0x91929394, 0x95969798};
    r.first = r.complete = r.client_fin = r.finished = r.closed = true;
    r.committed = 0x2122232425262728;
    r.una = 0x2324252627282930;
    r.begin = 0x2526272829303132;
    r.size = 3;
    r.bytes = {0xa1, 0xa2, 0xa3};
    return r;
}

StateRecord state_record() {
    StateRecord r;
    r.service = 0x6162;
    r.size = 3;
    r.bytes = {0xb1, 0xb2, 0xb3};
    return r;
}

PayloadRecord payload_record() {
    PayloadRecord r;
    r.id = {0xa1a2a3a4, 0xa5a6a7a8};
    r.side = Side::server;
    r.over = true;
    r.entrusted = true;
    r.una = 0x3132333435363738;
    r.edge = 0x3334353637383940;
    r.ack = 0x3536373839404142;
    r.window = 0x3738394041424344;
    r.begin = 0x3940414243444546;
    r.size = 3;
    r.bytes = {0xb1, 0xb2, 0xb3};
    return r;
}

/// One record of every type, no field zero and no two alike.
std::vector<Record> one_of_each() {
    return {
        Hello{1, 1, 2, 16384, 0x0102030405060708, 0x1112131415161718, 0x2122232425262728, 0x3132333435363738},
        Refused{Refusal::slots},
        EpochStart{Journal::server, 0x41424344},
        SnapshotEnd{Journal::server, 0x5152535455565758},
        Opened{0x6162636465666768, test::session_record()},
        Progress{0x7172737475767778, test::progress_record()},
        Closed{9, {{10, 11}, 1}},
        Confirm{{12, 13, 14, 15, 16}, 1},
        Application{0x8182838485868788, application_record()},
        State{0x9192939495969798, state_record()},
        Described{state_record()},
        Payload{0x9192939495969798, payload_record()}};
}

std::string hex(const Bytes& bytes) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    for (const auto b : bytes) {
        text += digits[b >> 4];
        text += digits[b & 15];
    }
    return text;
}

Bytes from_hex(const std::string& text) {
    Bytes bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        bytes.push_back(static_cast<std::uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
    return bytes;
}

std::string dump() {
    static constexpr const char* names[] = {"hello",       "refused",  "epoch start", "snapshot end",
                                            "opened",      "progress", "closed",      "confirm",
                                            "application", "state",    "described",   "payload"};
    static_assert(std::size(names) == std::variant_size_v<Record>);
    std::string text;
    for (const auto& record : one_of_each())
        text += std::string(names[record.index()]) + ": " + hex(encoded(record)) + "\n";
    return text;
}

/// Repairs the CRC, so that only what lies behind it can refuse.
void seal(Bytes& record) {
    const auto crc = test::crc32c({record.data() + 2, record.size() - 6});
    for (std::size_t i = 0; i < 4; ++i)
        record[record.size() - 4 + i] = static_cast<std::uint8_t>(crc >> (8 * i));
}

}  // namespace

TEST_CASE("mirror codec: every record comes back as it was", "[mirror]") {
    for (const auto& record : one_of_each()) {
        INFO("type " << record.index());
        const auto bytes = encoded(record);
        const auto d = decode(bytes);
        REQUIRE(d.verdict == Verdict::complete);
        CHECK(d.size == bytes.size());
        CHECK(d.record.index() == record.index());
        // Every field was written: the same bytes again.
        CHECK(encoded(d.record) == bytes);
    }
}

TEST_CASE("mirror codec: a session record comes back field by field", "[mirror]") {
    const auto before = test::session_record();
    const auto d = decode(encoded(Opened{1, before}));
    REQUIRE(d.verdict == Verdict::complete);
    const auto& r = std::get<Opened>(d.record).record;
    CHECK(r.id == before.id);
    CHECK(r.term == before.term);
    CHECK(r.gates == before.gates);
    CHECK(r.sack == before.sack);
    CHECK(r.timestamps == before.timestamps);
    CHECK(r.scale_client == before.scale_client);
    CHECK(r.scale_server == before.scale_server);
    CHECK(r.scale_to_client == before.scale_to_client);
    CHECK(r.cookie == before.cookie);
    CHECK(r.ecn[0] == before.ecn[0]);
    CHECK(r.ecn[1] == before.ecn[1]);
    CHECK(r.syn_window == before.syn_window);
    for (std::size_t i = 0; i < 2; ++i) {
        CHECK(r.leg[i].local == before.leg[i].local);
        CHECK(r.leg[i].remote == before.leg[i].remote);
        CHECK(r.leg[i].iss == before.leg[i].iss);
        CHECK(r.leg[i].irs == before.leg[i].irs);
        CHECK(r.leg[i].ts_offset == before.leg[i].ts_offset);
        CHECK(r.leg[i].mss_send == before.leg[i].mss_send);
    }
    CHECK(r.opened_at == before.opened_at);
}

TEST_CASE("mirror codec: version 4 is these bytes for ever", "[mirror]") {
    REQUIRE(record_version == 4);
    CHECK(dump() == test::golden("mirror_records_v4.txt", dump()));
}

TEST_CASE("mirror codec: records of versions 2 and 3 are read; sessions of 2 have no ECN", "[mirror]") {
    const int version = GENERATE(2, 3);
    std::size_t records = 0;
    std::istringstream lines(test::golden("mirror_records_v" + std::to_string(version) + ".txt"));
    for (std::string line; std::getline(lines, line); ++records) {
        INFO(line);
        const auto old = from_hex(line.substr(line.find(": ") + 2));
        const auto d = decode(old);
        REQUIRE(d.verdict == Verdict::complete);
        CHECK(d.size == old.size());
        CHECK(d.record.index() == records);
        if (const auto* opened = std::get_if<Opened>(&d.record)) {
            CHECK(opened->record.leg[1].ts_offset == test::session_record().leg[1].ts_offset);
            CHECK(opened->record.opened_at == test::session_record().opened_at);
            CHECK(opened->record.ecn[0] == (version >= 3 && test::session_record().ecn[0]));
            CHECK(opened->record.ecn[1] == (version >= 3 && test::session_record().ecn[1]));
        }
        if (const auto* confirm = std::get_if<Confirm>(&d.record))
            CHECK((confirm->sequence[2] == 0 && confirm->sequence[4] == 0));
    }
    // Application, State, Described and Payload came with version 4.
    CHECK(records == std::variant_size_v<Record> - 4);
}

TEST_CASE("mirror codec: records stay as small as the design says", "[mirror]") {
    CHECK(encoded(Opened{1, test::session_record()}).size() <= 190);
    CHECK(encoded(Progress{1, test::progress_record()}).size() <= 72);
    CHECK(encoded(Closed{1, {{1, 2}, 0}}).size() <= 32);
}

TEST_CASE("mirror codec: the front of a record is incomplete, never wrong, and nothing past it is read",
          "[mirror]") {
    test::EdgeBuffer edge;
    for (const auto& record : one_of_each()) {
        const auto whole = encoded(record);
        for (std::size_t size = 0; size < whole.size(); ++size) {
            INFO("type " << record.index() << ", " << size << " bytes");
            REQUIRE(decode(edge.place({whole.data(), size})).verdict == Verdict::incomplete);
        }
    }
}

TEST_CASE("mirror codec: the longest record fits, and one that claims more bytes than it has is refused",
          "[mirror]") {
    auto a = application_record();
    a.size = reply_record_max;
    for (std::size_t i = 0; i < a.size; ++i) a.bytes[i] = static_cast<std::uint8_t>(i * 3);
    auto bytes = encoded(Application{1, a});
    CHECK(bytes.size() <= record_size_max);
    const auto d = decode(bytes);
    REQUIRE(d.verdict == Verdict::complete);
    CHECK(std::get<Application>(d.record).record.bytes == a.bytes);
    const auto size_at = bytes.size() - 4 - reply_record_max - 2;
    constexpr int longest = reply_record_max;
    for (const int claimed : {0, longest - 1, longest + 1, 65535}) {
        bytes[size_at] = static_cast<std::uint8_t>(claimed);
        bytes[size_at + 1] = static_cast<std::uint8_t>(claimed >> 8);
        seal(bytes);
        CHECK(decode(bytes).verdict == Verdict::malformed);
    }
}

TEST_CASE("mirror codec: what follows a record is left alone", "[mirror]") {
    auto bytes = encoded(one_of_each()[1]);
    const auto size = bytes.size();
    bytes.insert(bytes.end(), 100, 0xee);
    const auto d = decode(bytes);
    CHECK(d.verdict == Verdict::complete);
    CHECK(d.size == size);
}

TEST_CASE("mirror codec: one flipped bit is never read as a record", "[mirror]") {
    test::EdgeBuffer edge;
    for (const auto& record : one_of_each()) {
        const auto good = encoded(record);
        for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
            auto bytes = good;
            bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1u << bit % 8));
            INFO("type " << record.index() << ", bit " << bit);
            REQUIRE(decode(edge.place(bytes)).verdict != Verdict::complete);
        }
    }
}

TEST_CASE("mirror codec: a body longer or shorter than its type is refused though its CRC is good",
          "[mirror]") {
    for (const auto& record : one_of_each()) {
        INFO("type " << record.index());
        for (const int change : {-1, 1}) {
            auto bytes = encoded(record);
            bytes.resize(bytes.size() + static_cast<std::size_t>(change));
            bytes[0] = static_cast<std::uint8_t>(bytes.size() - 2);
            seal(bytes);
            CHECK(decode(bytes).verdict == Verdict::malformed);
        }
    }
}

TEST_CASE("mirror codec: unknown types and other versions are refused though their CRC is good", "[mirror]") {
    auto bytes = encoded(one_of_each()[0]);
    bytes[2] = static_cast<std::uint8_t>(std::variant_size_v<Record>);
    seal(bytes);
    CHECK(decode(bytes).verdict == Verdict::malformed);
    bytes[2] = 0;
    for (const std::uint8_t version : {0, 1, 255}) {
        bytes[3] = version;
        seal(bytes);
        CHECK(decode(bytes).verdict == Verdict::other_version);
    }
    bytes[3] = 2;
    seal(bytes);
    CHECK(decode(bytes).verdict == Verdict::complete);
}

TEST_CASE("mirror codec: impossible values are refused though their CRC is good", "[mirror]") {
    const auto refused = [](const Record& record) {
        return decode(encoded(record)).verdict == Verdict::malformed;
    };
    CHECK(refused(EpochStart{static_cast<Journal>(journal_count), 1}));
    CHECK(refused(SnapshotEnd{static_cast<Journal>(255), 1}));
    for (const auto member :
         {&ApplicationRecord::committed, &ApplicationRecord::una, &ApplicationRecord::begin})
        for (const Position position : {Position{0}, Position{1} << 62}) {
            auto a = application_record();
            a.*member = position;
            CHECK(refused(Application{1, a}));
        }
    auto a = application_record();
    a.committed = 1;  // less than the FIN that it counts
    CHECK(refused(Application{1, a}));
    auto state = state_record();
    state.size = state_record_max + 1;
    CHECK(refused(State{1, state}));
    state.size = description_max + 1;
    CHECK(refused(Described{state}));
    for (const auto member : {&PayloadRecord::una, &PayloadRecord::edge, &PayloadRecord::ack,
                              &PayloadRecord::window, &PayloadRecord::begin})
        for (const Position position : {Position{0}, Position{1} << 62}) {
            auto r = payload_record();
            r.*member = position;
            CHECK(refused(Payload{1, r}));
        }
    CHECK(refused(Refused{Refusal::count_}));
    auto p = test::progress_record();
    p.side = static_cast<Side>(2);
    CHECK(refused(Progress{1, p}));
    auto s = test::session_record();
    s.scale_client = 15;
    CHECK(refused(Opened{1, s}));
    s = test::session_record();
    s.scale_server = 15;
    CHECK(refused(Opened{1, s}));
    s = test::session_record();
    s.scale_to_client = 15;
    CHECK(refused(Opened{1, s}));
}

TEST_CASE("mirror codec: times that no pair's clock shows are refused", "[mirror]") {
    Hello h;
    auto s = test::session_record();
    const auto verdict = [&](std::int64_t clock) {
        h.shared_clock_ns = s.opened_at.ns = clock;
        const auto hello = decode(encoded(h)).verdict;
        REQUIRE(decode(encoded(Opened{1, s})).verdict == hello);
        return hello;
    };
    CHECK(verdict(std::numeric_limits<std::int64_t>::min()) == Verdict::malformed);
    CHECK(verdict(-1) == Verdict::malformed);
    CHECK(verdict(0) == Verdict::complete);
    CHECK(verdict((std::int64_t{1} << 62) - 1) == Verdict::complete);
    CHECK(verdict(std::int64_t{1} << 62) == Verdict::malformed);
}

TEST_CASE("mirror codec: a length that no record has is refused before it is waited for", "[mirror]") {
    CHECK(decode(Bytes{0, 0}).verdict == Verdict::malformed);
    CHECK(decode(Bytes{5, 0}).verdict == Verdict::malformed);
    CHECK(decode(Bytes{127, 4}).verdict == Verdict::malformed);
    CHECK(decode(Bytes{0, 5}).verdict == Verdict::malformed);
    CHECK(decode(Bytes{255, 255}).verdict == Verdict::malformed);
}

TEST_CASE("mirror codec: random bytes are read within their bounds", "[mirror]") {
    test::EdgeBuffer edge;
    Random random(1);
    for (int i = 0; i < 50'000; ++i) {
        Bytes bytes(random.below(80));
        for (auto& b : bytes) b = static_cast<std::uint8_t>(random.next());
        if (bytes.size() > 8) {
            bytes[0] = static_cast<std::uint8_t>(bytes.size() - 2);
            bytes[1] = 0;
            bytes[2] = static_cast<std::uint8_t>(random.below(10));
            bytes[3] = static_cast<std::uint8_t>(2 + random.below(3));
            seal(bytes);
        }
        const auto d = decode(edge.place(bytes));
        if (d.verdict == Verdict::complete) REQUIRE(d.size <= bytes.size());
    }
}
