// What a cookie holds comes out of it again; for anybody else, at any other time, it is a number.
#include <catch2/catch.hpp>
#include <vector>

#include "cores/tcp/syn_cookie.hpp"
#include "lib/base/random.hpp"

using namespace holdfast;
using namespace holdfast::literals;
using namespace holdfast::tcp;

namespace {

const Secrets secrets(std::vector<std::uint8_t>(32, 0x42)), others(std::vector<std::uint8_t>(32, 0x43));
const Endpoint service = *Endpoint::parse("198.51.100.1:80"),
               client = *Endpoint::parse("[2001:db8::7]:40000");
const CookieTuple tuple{service, client, {0xfffffff0}};
const Instant noon = Instant{} + seconds(43'200);

HandshakeOffer offer(std::uint16_t mss, bool timestamps, bool sack, int scale) {
    HandshakeOffer o;
    o.mss = mss;
    o.timestamps = timestamps;
    o.sack = sack;
    o.window_scaling = scale >= 0;
    o.scale = static_cast<std::uint8_t>(scale >= 0 ? scale : 0);
    return o;
}

std::optional<std::uint32_t> echo_of(const HandshakeOffer& agreed, std::uint32_t ts_now) {
    if (!agreed.timestamps) return std::nullopt;
    return cookie_timestamp(agreed, ts_now);
}

}  // namespace

TEST_CASE("syn cookie: every combination of options comes back", "[tcp]") {
    Random random(1);
    for (const std::uint16_t mss : {0, 88, 535, 536, 1459, 1460, 1461, 8960, 65535})
        for (const bool timestamps : {false, true})
            for (const bool sack : {false, true})
                for (int scale = -1; scale <= 14; ++scale) {
                    const auto agreed = cookie_offer(offer(mss, timestamps, sack, scale));
                    CHECK(agreed.mss <= std::max<std::uint16_t>(mss, 88));
                    CHECK(agreed.sack == (sack && timestamps));
                    CHECK(agreed.window_scaling == (scale >= 0 && timestamps));
                    const auto iss = make_cookie(secrets, tuple, agreed, noon);
                    const auto echo = echo_of(agreed, static_cast<std::uint32_t>(random.next()));
                    const auto read = read_cookie(secrets, tuple, iss, echo, noon + 10_s);
                    REQUIRE(read);
                    CHECK(read->mss == agreed.mss);
                    CHECK(read->timestamps == agreed.timestamps);
                    CHECK(read->sack == agreed.sack);
                    CHECK(read->window_scaling == agreed.window_scaling);
                    CHECK(read->scale == agreed.scale);
                }
}

TEST_CASE("syn cookie: its TSval is at most 31 ms old and never goes back", "[tcp]") {
    const auto agreed = cookie_offer(offer(1460, true, true, 7));
    std::uint32_t last = cookie_timestamp(agreed, 0xfffff000);
    for (std::uint32_t now = 0xfffff000; now != 0x1000; ++now) {
        const auto value = cookie_timestamp(agreed, now);
        REQUIRE(now - value < 32);
        REQUIRE(static_cast<std::int32_t>(value - last) >= 0);
        last = value;
    }
}

TEST_CASE("syn cookie: good for its slot and the next, and then for ever not", "[tcp]") {
    const auto agreed = cookie_offer(offer(1460, false, false, -1));
    const auto begin = Instant{} + cookie_slot * 1000;
    const auto iss = make_cookie(secrets, tuple, agreed, begin);
    const auto good = [&](Duration later) {
        return read_cookie(secrets, tuple, iss, std::nullopt, begin + later).has_value();
    };
    CHECK(good(Duration{}));
    CHECK(good(cookie_slot * 2 - 1_us));
    CHECK_FALSE(good(cookie_slot * 2));
    CHECK_FALSE(good(cookie_slot * -1));
    // The slot's number in the cookie wraps.
    CHECK_FALSE(good(cookie_slot * 256));
}

TEST_CASE("syn cookie: of another tuple, ISN, key or option it is none", "[tcp]") {
    const auto agreed = cookie_offer(offer(1460, true, true, 7));
    const auto iss = make_cookie(secrets, tuple, agreed, noon);
    const auto echo = echo_of(agreed, 123456);
    const Endpoint neighbour{client.address, 40001};
    CHECK(read_cookie(secrets, tuple, iss, echo, noon));
    CHECK_FALSE(read_cookie(secrets, {service, neighbour, tuple.irs}, iss, echo, noon));
    CHECK_FALSE(read_cookie(secrets, {service, client, tuple.irs + 1}, iss, echo, noon));
    CHECK_FALSE(read_cookie(others, tuple, iss, echo, noon));
    CHECK_FALSE(read_cookie(secrets, tuple, iss, std::nullopt, noon));
    CHECK_FALSE(read_cookie(secrets, tuple, iss, *echo ^ 16, noon));
    CHECK_FALSE(read_cookie(secrets, tuple, iss, *echo ^ 1, noon));
    // Of what the wire shows, only the clock's part may differ.
    CHECK(read_cookie(secrets, tuple, iss, *echo + 32, noon));
}

TEST_CASE("syn cookie: numbers at random are hardly ever one", "[tcp]") {
    Random random(7);
    int good = 0;
    for (int i = 0; i < 1'000'000; ++i)
        good += read_cookie(secrets, tuple, {static_cast<std::uint32_t>(random.next())}, std::nullopt, noon)
                    ? 1
                    : 0;
    // 16 of 2^32 are.
    CHECK(good <= 1);
    int lying_well = 0;
    for (int i = 0; i < 100'000; ++i)
        lying_well +=
            may_be_cookie(secrets, service, client, {static_cast<std::uint32_t>(random.next())}, noon) ? 1
                                                                                                       : 0;
    CHECK((lying_well > 600 && lying_well < 960));
}

TEST_CASE("syn cookie: its ISN lies in the same time slot as any other of the tuple", "[tcp]") {
    const auto agreed = cookie_offer(offer(1460, false, false, -1));
    const auto slot_begin = Instant{} + cookie_slot * 1000;
    const auto plain = secrets.initial_sequence(service, client, slot_begin);
    const auto cookie = make_cookie(secrets, tuple, agreed, slot_begin + 30_s);
    CHECK(cookie.value - plain.value < 1u << 24);
}

TEST_CASE("syn cookie: its MAC has 21 bits", "[tcp]") {
    const auto agreed = cookie_offer(offer(1460, false, false, -1));
    std::int32_t least = 0, most = 0;
    const auto first = make_cookie(secrets, tuple, agreed, noon).value;
    for (std::uint32_t isn = 0; isn < 200; ++isn) {
        const auto apart = static_cast<std::int32_t>(
            make_cookie(secrets, {service, client, {isn}}, agreed, noon).value - first);
        least = std::min(least, apart);
        most = std::max(most, apart);
    }
    CHECK(most - least > 1 << 23);
    CHECK(most - least < 1 << 24);
}
