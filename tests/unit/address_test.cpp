// Addresses as people write them: what is understood, what is not, and that the text comes back.
#include "lib/base/address.hpp"

#include <catch2/catch.hpp>

using namespace holdfast;

namespace {

template <class T>
void comes_back(const char* text) {
    INFO(text);
    const auto value = T::parse(text);
    REQUIRE(value);
    CHECK(value->to_string() == text);
}

template <class T>
void is_refused(const char* text) {
    INFO('"' << text << '"');
    CHECK_FALSE(T::parse(text));
}

IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

}  // namespace

TEST_CASE("mac: good and bad texts", "[base]") {
    comes_back<MacAddress>("02:00:5e:00:01:0a");
    comes_back<MacAddress>("ff:ff:ff:ff:ff:ff");
    CHECK(MacAddress::parse("FF:Ff:fF:ff:ff:ff") == MacAddress::broadcast());
    for (const auto* text :
         {"", "02:00:5e:00:01", "02:00:5e:00:01:0a:", "02:00:5e:00:01:0g", "02-00-5e-00-01-0a",
          "2:0:5e:0:1:a:0000", "02:00:5e:00:01:0a:0b", " 2:00:5e:00:01:0a", "+2:00:5e:00:01:0a"})
        is_refused<MacAddress>(text);
}

TEST_CASE("mac: zero and multicast", "[base]") {
    CHECK(MacAddress{}.is_zero());
    CHECK_FALSE(MacAddress{}.is_multicast());
    CHECK(MacAddress::parse("01:00:5e:00:00:01")->is_multicast());
    CHECK(MacAddress::broadcast().is_multicast());
}

TEST_CASE("ip: good and bad texts of both families", "[base]") {
    for (const auto* text : {"10.0.0.1", "255.255.255.255", "0.0.0.0", "fe80::1", "::", "2001:db8::1:2"})
        comes_back<IpAddress>(text);
    for (const auto* text : {"", "10.0.0", "10.0.0.256", "10.0.0.1.2", "10.0.0.1 ", "10.0.0.01x",
                             "fe80::1::2", "fe80", "localhost"})
        is_refused<IpAddress>(text);
}

TEST_CASE("ip: the family is part of the value", "[base]") {
    CHECK(ip("10.0.0.1").is_v4());
    CHECK_FALSE(ip("fe80::1").is_v4());
    CHECK_FALSE(ip("::").is_v4());
    CHECK(ip("::").is_unspecified());
    // 0.0.0.0 is an address of IPv4, not the absence of one.
    CHECK_FALSE(ip("0.0.0.0").is_unspecified());
    CHECK(IpAddress::from_v4(ip("192.0.2.7").v4()) == ip("192.0.2.7"));
    CHECK(ip("::ffff:10.0.0.1") == ip("10.0.0.1"));
}

TEST_CASE("endpoint: good and bad texts", "[base]") {
    for (const auto* text : {"10.0.0.1:80", "10.0.0.1:65535", "[fe80::1]:443"}) comes_back<Endpoint>(text);
    for (const auto* text :
         {"", ":80", "10.0.0.1", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:-1", "10.0.0.1:80x",
          "10.0.0.1: 80", "[fe80::1]", "[fe80::1:80", "host:80"})
        is_refused<Endpoint>(text);
}

TEST_CASE("prefix: good and bad texts", "[base]") {
    for (const auto* text : {"10.0.0.1/24", "0.0.0.0/0", "10.0.0.1/32", "2001:db8::/128"})
        comes_back<Prefix>(text);
    for (const auto* text : {"", "10.0.0.1", "10.0.0.1/", "10.0.0.1/33", "10.0.0.1/-1", "2001:db8::/129",
                             "10.0.0.1/24/24", "10.0.0.1/256"})
        is_refused<Prefix>(text);
}

TEST_CASE("prefix: contains the addresses of its network and no others", "[base]") {
    const auto contains = [](const char* prefix, const char* address) {
        return Prefix::parse(prefix)->contains(ip(address));
    };
    CHECK(contains("10.1.2.3/24", "10.1.2.255"));
    CHECK_FALSE(contains("10.1.2.3/24", "10.1.3.0"));
    CHECK(contains("10.1.2.3/32", "10.1.2.3"));
    CHECK_FALSE(contains("10.1.2.3/32", "10.1.2.2"));
    CHECK(contains("10.1.2.3/0", "200.0.0.1"));
    CHECK(contains("10.1.2.128/25", "10.1.2.129"));
    CHECK_FALSE(contains("10.1.2.128/25", "10.1.2.127"));
    CHECK(contains("2001:db8::/33", "2001:db8:7fff::1"));
    CHECK_FALSE(contains("2001:db8::/33", "2001:db8:8000::1"));
    // /0 of one family is not the other family.
    CHECK_FALSE(contains("0.0.0.0/0", "fe80::1"));
    CHECK_FALSE(contains("::/0", "10.0.0.1"));
}
