// IPv6 in the configuration: both families on a port, services and backends of either, and what does not go
// together.
#include "config_text.hpp"

using namespace holdfast;
using namespace holdfast::test;

namespace {

/// The sound configuration with both families on both service ports, and a second service for IPv6 clients.
std::string dual(const KeyFile& key) {
    auto text = example(key);
    text = replaced(text, "# gateway = \"10.77.1.254\"", "address6 = \"fd77:1::2/64\"");
    text = replaced(text, "snat = [\"10.77.2.100\"]",
                    "snat = [\"10.77.2.100\", \"fd77:2::100\"]\naddress6 = \"fd77:2::2/64\"");
    return replaced(text, "[guard]",
                    "[[service]]\nname = \"web6\"\naddress = \"[fd77:1::100]:80\"\n"
                    "backends = [\"[fd77:2::20]:80\", \"10.77.2.20:81\"]\n\n[guard]");
}

std::string said6(const std::string& from, const std::string& to) {
    const KeyFile key;
    return said_of(replaced(dual(key), from, to));
}

}  // namespace

TEST_CASE("ipv6: both families are accepted beside each other, and reach their places") {
    const KeyFile key;
    const auto c = parse_config(dual(key), "c.toml");
    CHECK(c.client.address6 == Prefix::parse("fd77:1::2/64"));
    CHECK(c.services[1].address == Endpoint::parse("[fd77:1::100]:80"));
    CHECK(c.services[1].backends.size() == 2);
    const auto v6 = *IpAddress::parse("fd77:1::9"), v4 = *IpAddress::parse("10.77.1.9");
    CHECK(c.client.own(v6) == &c.client.address6);
    CHECK(c.client.own(v4) == &c.client.address);
    CHECK(c.client.is_on_link(v6));
    CHECK_FALSE(c.server.is_on_link(v6));
    CHECK(c.mirror.own(v6) == nullptr);
    CHECK(c.client.gateway_of(v6).is_unspecified());
}

TEST_CASE("ipv6: a port may speak IPv6 only, the mirror too") {
    const KeyFile key;
    auto text = example(key);
    text = replaced(text, "10.77.1.2/24", "fd77:1::2/64");
    text = replaced(text, "10.77.1.100:80", "[fd77:1::100]:80");
    text = replaced(text, "10.77.3.2/24", "fd77:3::2/64");
    text = replaced(text, "peer = \"10.77.3.3\"", "peer = \"fd77:3::3\"");
    CHECK(said_of(text) == "");
}

TEST_CASE("ipv6: what does not go together is named with its mend") {
    const auto [from, to, message] = GENERATE(table<const char*, const char*, const char*>({
        {"address6 = \"fd77:1::2/64\"", "",
         "c.toml:40: service[1].address: fd77:1::100 is an IPv6 address, and port.client has none; set "
         "port.client.address6"},
        {"[fd77:1::100]:80", "[fd99::100]:80",
         "c.toml:40: service[1].address: fd99::100 is not on the network fd77:1::2/64; choose an address "
         "there or "
         "set port.client.gateway6"},
        {"address6 = \"fd77:1::2/64\"", "address6 = \"fd77:1::2/64\"\ngateway6 = \"fd99::1\"",
         "c.toml:10: port.client.gateway6: fd99::1 is not on the network fd77:1::2/64; choose an address "
         "there"},
        {"address6 = \"fd77:1::2/64\"", "address6 = \"fd77:1::2/64\"\ngateway6 = \"fe80::1\"", ""},
        {"address6 = \"fd77:1::2/64\"", "address6 = \"10.77.9.2/24\"",
         "c.toml:9: port.client.address6: 10.77.9.2/24 is an IPv4 address; write it under "
         "port.client.address\n"
         "c.toml:40: service[1].address: fd77:1::100 is an IPv6 address, and port.client has none; set "
         "port.client.address6"},
        {"\"10.77.1.2/24\"        # the node's own address", "\"fd77:9::2/64\"",
         "c.toml:9: port.client.address6: there is an IPv6 address in port.client.address already; leave one "
         "of them "
         "out\n"
         "c.toml:34: service[0].address: 10.77.1.100 is an IPv4 address, and port.client has none; write "
         "the IPv6 one under port.client.address6 and an IPv4 one under port.client.address\n"
         "c.toml:40: service[1].address: fd77:1::100 is not on the network fd77:9::2/64; choose an address "
         "there or "
         "set port.client.gateway6"},
        {"mtu = 1500\n\n[port.server]", "mtu = 1279\n\n[port.server]",
         "c.toml:11: port.client.mtu: 1279 bytes are too few for IPv6; choose at least 1280 or leave out the "
         "IPv6 "
         "address"},
        {"[fd77:1::100]:80", "fd77:1::100:80",
         "c.toml:40: service[1].address: \"fd77:1::100:80\" is no address with port; write it like "
         "\"10.0.0.1:80\" or "
         "\"[fd00::1]:80\""},
        {"address6 = \"fd77:1::2/64\"", "address6 = \"fd77:1::2/64\"\ngateway = \"fe80::1\"",
         "c.toml:10: port.client.gateway: fe80::1 is not on the network 10.77.1.2/24; choose an address "
         "there"},
        {"reference = [\"10.77.2.20\"]", "reference = [\"fe80::1\"]",
         "c.toml:49: guard.reference: fe80::1 is a link-local address, which each link has anew; choose the "
         "address of a "
         "host"},
        {", \"fd77:2::100\"]", "]",
         "c.toml:41: service[1].backends: [fd77:2::20]:80 is an IPv6 address, and no source address is; add "
         "one to "
         "port.server.snat"},
        {"peer = \"10.77.3.3\"", "peer = \"fd77:3::3\"",
         "c.toml:27: mirror.peer: fd77:3::3 is of another family than port.mirror.address, 10.77.3.2/24; "
         "choose an "
         "address there"},
        {"fd77:2::100\"", "fd77:2::2\"",
         "c.toml:18: port.server.snat: fd77:2::2 is port.server.address6 too, the node's own address, which "
         "does not "
         "move at a takeover; choose another"},
        {"[fd77:2::20]:80", "[ff02::1]:80",
         "c.toml:41: service[1].backends: ff02::1 is not on the network fd77:2::2/64; choose an address "
         "there or set "
         "port.server.gateway6\n"
         "c.toml:41: service[1].backends: ff02::1 is a multicast address; choose the address of a host"},
        {"[fd77:2::20]:80", "[fd77:2::]:80",
         "c.toml:41: service[1].backends: fd77:2:: is every router's address on the network fd77:2::2/64; "
         "choose the "
         "address of a host"},
        {"fd77:2::2/64", "fd77:1::3/60",
         "c.toml:18: port.server.snat: fd77:2::100 is not on the network fd77:1::3/60; choose an address "
         "there\n"
         "c.toml:19: port.server.address6: fd77:1::3/60 overlaps port.client.address6, fd77:1::2/64; give "
         "each port a "
         "network of its own\n"
         "c.toml:41: service[1].backends: fd77:2::20 is not on the network fd77:1::3/60; choose an address "
         "there or set "
         "port.server.gateway6"},
    }));
    CHECK(said6(from, to) == message);
}

TEST_CASE("ipv6: an address that no host can have is refused even behind a gateway") {
    const auto [address, what] = GENERATE(table<const char*, const char*>({
        {"::1", "is a loopback or reserved address"},
        {"fe80::5", "is a link-local address, which each link has anew"},
        {"ff0e::1", "is a multicast address"},
    }));
    const KeyFile key;
    auto text = replaced(dual(key), "address6 = \"fd77:2::2/64\"",
                         "address6 = \"fd77:2::2/64\"\ngateway6 = \"fd77:2::1\"");
    text = replaced(text, "[fd77:2::20]:80", std::string("[") + address + "]:80");
    CHECK(said_of(text) == std::string("c.toml:42: service[1].backends: ") + address + " " + what +
                               "; choose the address of a host");
}
