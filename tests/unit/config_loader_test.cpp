#include "config_text.hpp"

using namespace holdfast;
using namespace holdfast::test;

TEST_CASE("the example configuration is accepted") {
    const KeyFile key;
    const auto text = read_file(HF_SOURCE_DIR "/scripts/example.toml");
    CHECK_NOTHROW(parse_config(replaced(text, "/etc/holdfast/key", key.path), "example.toml"));
}

TEST_CASE("every key reaches its place") {
    const KeyFile key;
    const Config c = parse_config(example(key), "c.toml");
    CHECK(c.node_id == 0);
    CHECK(c.node_name == "a");
    CHECK(c.state_dir == "/run/holdfast-a");
    CHECK(c.client.device == "net_af_xdp0");
    CHECK(c.client.address == Prefix::parse("10.77.1.2/24"));
    CHECK(c.client.gateway.is_unspecified());
    CHECK(c.client.virtual_mac == MacAddress::parse("02:48:46:00:01:00"));
    CHECK(c.server.mtu == 1500);
    CHECK(c.snat == std::vector{*IpAddress::parse("10.77.2.100")});
    CHECK(c.mirror_link.peer == IpAddress::parse("10.77.3.3"));
    CHECK(c.mirror_link.store_wait == milliseconds(50));
    REQUIRE(c.services.size() == 1);
    CHECK(c.services[0].address == Endpoint::parse("10.77.1.100:80"));
    CHECK(c.services[0].backends == std::vector{*Endpoint::parse("10.77.2.20:80")});
    CHECK(c.services[0].gate == Gate::peer);
    CHECK(c.guard.lease == milliseconds(150));
    CHECK(c.guard.reference == std::vector{*IpAddress::parse("10.77.2.20")});
    CHECK(c.tcp.time_wait == seconds(60));
    CHECK(c.limits.ring == 4096);
    CHECK(c.idle == IdlePolicy::adaptive);
    CHECK(c.idle_sleep_max == microseconds(1000));
    CHECK(c.key == std::vector<std::uint8_t>(32, 'k'));
}

TEST_CASE("a single wrong value is named with its line and its mend") {
    const auto [from, to, message] = GENERATE(table<const char*, const char*, const char*>({
        {"id = 0", "id = 2", "c.toml:2: node.id: 2 is out of range; write an integer from 0 to 1"},
        {"id = 0", "id = \"0\"", "c.toml:2: node.id: has the wrong type; write an integer from 0 to 1"},
        {"id = 0\n", "\n",
         "c.toml:1: node.id: is missing; add it (0 on one node of the pair, 1 on the other)"},
        {"name = \"a\"", "name = \"\"", "c.toml:3: node.name: is empty; give it a value"},
        {"name = \"a\"", "name = \"a\\u001b[2J\"",
         "c.toml:3: node.name: holds something else than letters, digits and signs of ASCII; leave it out"},
        {"name = \"web\"", "name = \"0123456789012345678901234567890123456789012345678901234567890123\"",
         "c.toml:32: service[0].name: has 64 bytes; choose at most 63"},
        {"net_af_xdp1", "net\\naf", "c.toml:14: port.server.device: holds a control character; remove it"},
        {"10.77.1.2/24", "10.77.1.2",
         "c.toml:8: port.client.address: \"10.77.1.2\" is no address with prefix length; "
         "write it like \"10.0.0.1/24\" or \"fd00::1/64\""},
        {"02:48:46:00:01:00", "2:48",
         "c.toml:10: port.client.virtual_mac: \"2:48\" is no Ethernet address; write it "
         "like \"02:48:46:00:01:00\""},
        {"heartbeat_ms", "hearbeat_ms",
         "c.toml:39: guard.hearbeat_ms: unknown key; did you mean \"heartbeat_ms\"?"},
        {"heartbeat_ms", "colour",
         "c.toml:39: guard.colour: unknown key; remove it, or see holdfast --config-keys"},
        {"heartbeat_ms", "\"\\u001b[2J\"",
         "c.toml:39: guard.\\x1b[2J: unknown key; remove it, or see holdfast --config-keys"},
        {"[limits]", "[limit]", "c.toml:51: limit: unknown section; did you mean \"limits\"?"},
        {"[\"peer\"]", "[\"peers\"]",
         "c.toml:35: service[0].gate: \"peers\" is no gate; use [\"peer\"], [\"app\"], [\"host\"], each "
         "also with \"standby\", [\"standby\"], or [\"none\"]"},
        {"[\"peer\"]", "[]",
         "c.toml:35: service[0].gate: is empty; use [\"none\"] if an acknowledgment waits for nothing"},
        {"[\"peer\"]", "\"peer\"",
         "c.toml:35: service[0].gate: has the wrong type; write a list of strings, as in "
         "[\"...\"]"},
        {"\"serve\"", "\"fence\"",
         "c.toml:44: guard.on_isolation: \"fence\" is not available in this version; use "
         "\"serve\""},
        {"\"adaptive\"", "\"lazy\"",
         "c.toml:58: idle.policy: \"lazy\" is no idle policy; use \"busy\", \"adaptive\" "
         "or \"interrupt\""},
        {"address = \"10.77.1.100:80\"\n", "\n",
         "c.toml:31: service[0].address: is missing; add it (virtual address and port that clients connect "
         "to)"},
        {"[[service]]", "[service]",
         "c.toml:31: service: is not a list of tables; start each service with "
         "[[service]]"},
    }));
    CHECK(said(from, to) == message);
}

TEST_CASE("a rule between keys that is broken is named with its mend") {
    const auto [from, to, message] = GENERATE(table<const char*, const char*, const char*>({
        {"02:48:46:00:01:00", "00:00:00:00:00:00",
         "c.toml:10: port.client.virtual_mac: is zero; choose one such as \"02:48:46:00:01:00\""},
        {"02:48:46:00:01:00", "03:48:46:00:01:00",
         "c.toml:10: port.client.virtual_mac: 03:48:46:00:01:00 is a multicast address; clear the lowest bit "
         "of its "
         "first byte"},
        {"02:48:46:00:01:00", "00:48:46:00:01:00",
         "c.toml:10: port.client.virtual_mac: 00:48:46:00:01:00 is not locally administered and may belong "
         "to a card; "
         "set bit 1 of its first byte, as in \"02:48:46:00:01:00\""},
        {"02:48:46:00:02:00", "02:48:46:00:01:00",
         "c.toml:16: port.server.virtual_mac: is the client port's too; give each port its own"},
        {"net_af_xdp1", "net_af_xdp0",
         "c.toml:14: port.server.device: net_af_xdp0 is the client port too; each port needs its own device"},
        {"net_af_xdp2", "net_af_xdp0",
         "c.toml:21: port.mirror.device: net_af_xdp0 is a service port too; each port needs its own device"},
        {"# gateway = \"10.77.1.254\"", "gateway = \"10.77.9.254\"",
         "c.toml:9: port.client.gateway: 10.77.9.254 is not on the network 10.77.1.2/24; choose an address "
         "there"},
        {"10.77.1.100:80", "10.77.9.100:80",
         "c.toml:33: service[0].address: 10.77.9.100 is not on the network 10.77.1.2/24; choose an address "
         "there or "
         "set port.client.gateway"},
        {"10.77.1.100:80", "10.77.1.2:80",
         "c.toml:33: service[0].address: 10.77.1.2 is port.client.address too, the node's own address, which "
         "does not move at a takeover; choose another"},
        {"[\"10.77.2.20:80\"]", "[]", "c.toml:34: service[0].backends: is empty; give at least one backend"},
        {"[\"10.77.2.20:80\"]", "[\"10.77.9.20:80\"]",
         "c.toml:34: service[0].backends: 10.77.9.20 is not on the network 10.77.2.2/24; choose an address "
         "there or "
         "set port.server.gateway"},
        {"[\"10.77.2.20:80\"]", "[\"[fd00::1]:80\"]",
         "c.toml:34: service[0].backends: fd00::1 is an IPv6 address, and port.server has none; set "
         "port.server.address6"},
        {"[\"10.77.2.100\"]", "[]",
         "c.toml:18: port.server.snat: is empty; give at least one address on the server network"},
        {"[\"10.77.2.100\"]", "[\"10.77.9.100\"]",
         "c.toml:18: port.server.snat: 10.77.9.100 is not on the network 10.77.2.2/24; choose an address "
         "there"},
        {"[\"10.77.2.100\"]", "[\"10.77.2.2\"]",
         "c.toml:18: port.server.snat: 10.77.2.2 is port.server.address too, the node's own address, which "
         "does not move at a takeover; choose another"},
        {"\"10.77.3.3\"", "\"10.77.9.3\"",
         "c.toml:26: mirror.peer: 10.77.9.3 is not on the network 10.77.3.2/24; choose an address there"},
        {"\"10.77.3.3\"", "\"10.77.3.2\"",
         "c.toml:26: mirror.peer: 10.77.3.2 is port.mirror.address too, the node's own address, which does "
         "not "
         "move at a takeover; choose another"},
        {"lease_ms = 150", "lease_ms = 99",
         "c.toml:40: guard.lease_ms: a lease of 99 ms is shorter than five heartbeats of 20 ms, so one lost "
         "round would look like death; choose at least 100"},
        {"lease_ms = 150", "lease_ms = 100", ""},
        {"lease_margin_ms = 50", "lease_margin_ms = 7",
         "c.toml:41: guard.lease_margin_ms: a margin of 7 ms is less than a twentieth of the lease of 150 "
         "ms, too little for drift and frames under way; choose at least 8"},
        {"lease_margin_ms = 50", "lease_margin_ms = 8", ""},
        {"boot_wait_ms = 1000", "boot_wait_ms = 399",
         "c.toml:42: guard.boot_wait_ms: after 399 ms a lease from before the start may still run; choose at "
         "least twice lease and margin, 400"},
        {"boot_wait_ms = 1000", "boot_wait_ms = 400", ""},
        {"on_isolation = \"serve\"", "announce_every_ms = 200\nannounce_for_ms = 199",
         "c.toml:45: guard.announce_for_ms: 199 ms end before the first repetition after 200 ms; choose at "
         "least 200, or 0 for none"},
        {"on_isolation = \"serve\"", "announce_for_ms = 0", ""},
        {"reference = [\"10.77.2.20\"]", "reference = [\"10.9.9.9\"]",
         "c.toml:43: guard.reference: 10.9.9.9 is on neither service network; choose a gateway's or a "
         "backend's "
         "address on one of them"},
        {"rto_min_ms = 20", "rto_initial_ms = 10",
         "c.toml:47: tcp.rto_initial_ms: must lie between rto_min_ms and rto_max_ms; choose one from 20 to "
         "60000"},
        {"ring = 4096", "ring = 5000",
         "c.toml:55: limits.ring: 5000 is no power of two; choose 1024, 2048, 4096, ..."},
        {"mbufs = 32768", "mbufs = 8192\n", ""},
        {"session_bytes = 2097152", "session_bytes = 200000000",
         "c.toml:53: limits.session_bytes: one session could hold more than half of 32768 mbufs; choose at "
         "most "
         "23724032 or raise limits.mbufs"},
    }));
    CHECK(said(from, to) == message);
}

TEST_CASE("more references than the guard keeps account of are refused") {
    const auto references = [](std::size_t count) {
        std::string list;
        for (std::size_t i = 0; i < count; ++i)
            list += (i == 0 ? "\"" : ", \"") + ("10.77.2." + std::to_string(20 + i)) + "\"";
        return said("reference = [\"10.77.2.20\"]", "reference = [" + list + "]");
    };
    CHECK(references(16) == "");
    CHECK(references(17) == "c.toml:43: guard.reference: there are 17; choose at most 16");
}

TEST_CASE("two services at one address are refused") {
    CHECK(said("[guard]",
               "[[service]]\nname = \"again\"\naddress = \"10.77.1.100:80\"\nbackends = "
               "[\"10.77.2.20:80\"]\n[guard]") ==
          "c.toml:39: service[1].address: 10.77.1.100 is service[0].address too, with the same port; choose "
          "another address or port");
}

TEST_CASE("two services may share an address, not a name") {
    const auto second = [](const std::string& name) {
        return said("[guard]",
                    "[[service]]\nname = \"" + name +
                        "\"\naddress = \"10.77.1.100:81\"\nbackends = [\"10.77.2.20:80\"]\n[guard]");
    };
    CHECK(second("again") == "");
    CHECK(second("web") ==
          "c.toml:38: service[1].name: \"web\" is service[0] too; give each service its own name");
}

TEST_CASE("more services than a SYN may look through are refused") {
    const auto services = [](int more) {
        std::string text;
        for (int i = 0; i < more; ++i)
            text += "[[service]]\nname = \"s" + std::to_string(i) +
                    "\"\naddress = \"10.77.1.101:" + std::to_string(1000 + i) +
                    "\"\nbackends = [\"10.77.2.20:80\"]\n";
        return said("[guard]", text + "[guard]");
    };
    CHECK(services(255) == "");
    CHECK(services(257) == "c.toml:1057: service[256]: is one too many of 258; choose at most 256 services");
}

TEST_CASE("an address in two roles that do not go together is refused") {
    const auto [from, to, message] = GENERATE(table<const char*, const char*, const char*>({
        {"10.77.2.100\"", "10.77.2.100\", \"10.77.2.100\"",
         "c.toml:18: port.server.snat: 10.77.2.100 is there twice, a source address towards the backends; "
         "choose another"},
        {"10.77.2.20:80", "10.77.2.100:80",
         "c.toml:34: service[0].backends: 10.77.2.100 is port.server.snat too, a source address towards the "
         "backends; choose another"},
        {"10.77.2.20:80", "10.77.2.2:80",
         "c.toml:34: service[0].backends: 10.77.2.2 is port.server.address too, the node's own address, "
         "which does not move at a takeover; choose another"},
        {"# gateway = \"10.77.1.254\"", "gateway = \"10.77.1.100\"",
         "c.toml:33: service[0].address: 10.77.1.100 is port.client.gateway too, the next hop of everything "
         "else; choose another"},
        {"# gateway = \"10.77.1.254\"", "gateway = \"10.77.1.2\"",
         "c.toml:9: port.client.gateway: 10.77.1.2 is port.client.address too, the node's own address, which "
         "does not move at a takeover; choose another"},
        {"reference = [\"10.77.2.20\"]", "reference = [\"10.77.1.2\"]",
         "c.toml:43: guard.reference: 10.77.1.2 is port.client.address too, the node's own address, which "
         "does not move at a takeover; choose another"},
        {"reference = [\"10.77.2.20\"]", "reference = [\"10.77.1.100\"]",
         "c.toml:43: guard.reference: 10.77.1.100 is service[0].address too, an address that clients connect "
         "to; choose another"},
        // Other machines play several parts.
        {"snat = [", "gateway = \"10.77.2.20\"\nsnat = [", ""},
        {"backends = [\"10.77.2.20:80\"]", "backends = [\"10.77.2.20:80\", \"10.77.2.20:81\"]", ""},
    }));
    CHECK(said(from, to) == message);
}

TEST_CASE("a virtual address that is a source or a backend behind gateways is refused") {
    const KeyFile key;
    auto text = replaced(example(key), "# gateway = \"10.77.1.254\"", "gateway = \"10.77.1.254\"");
    text = replaced(text, "snat = [", "gateway = \"10.77.2.254\"\nsnat = [");
    CHECK_THROWS_WITH(parse_config(replaced(text, "10.77.1.100:80", "10.77.2.100:80"), "c.toml"),
                      "c.toml:34: service[0].address: 10.77.2.100 is port.server.snat too, a source address "
                      "towards the backends; choose another");
    CHECK_THROWS_WITH(
        parse_config(replaced(text, "10.77.2.20:80", "10.77.1.100:80"), "c.toml"),
        "c.toml:35: service[0].backends: 10.77.1.100 is service[0].address too, an address that "
        "clients connect to; choose another");
}

TEST_CASE("an address that no host can have is refused") {
    const auto [from, to, message] = GENERATE(table<const char*, const char*, const char*>({
        {"10.77.1.100:80", "10.77.1.255:80",
         "c.toml:33: service[0].address: 10.77.1.255 is the broadcast address of the network 10.77.1.2/24; "
         "choose the address of a host"},
        {"[\"10.77.2.100\"]", "[\"10.77.2.0\"]",
         "c.toml:18: port.server.snat: 10.77.2.0 is the address of the network 10.77.2.2/24 itself; choose "
         "the address of a host"},
        {"10.77.1.2/24", "10.77.1.0/24",
         "c.toml:8: port.client.address: 10.77.1.0 is the address of the network 10.77.1.0/24 itself; choose "
         "the address of a host"},
        {"10.77.1.2/24", "0.0.0.0/0",
         "c.toml:8: port.client.address: a network with prefix length 0 holds every address; choose one of 1 "
         "to 32\n"
         "c.toml:8: port.client.address: 0.0.0.0 means no address; choose the address of a host"},
        {"# gateway = \"10.77.1.254\"", "gateway = \"0.0.0.0\"",
         "c.toml:9: port.client.gateway: 0.0.0.0 is not on the network 10.77.1.2/24; choose an address "
         "there\n"
         "c.toml:9: port.client.gateway: 0.0.0.0 means no address; choose the address of a host"},
        {"# gateway = \"10.77.1.254\"\nvirtual_mac = \"02:48:46:00:01:00\"\nmtu = 1500\n\n[port.server]",
         "gateway = \"10.77.1.254\"\nvirtual_mac = \"02:48:46:00:01:00\"\n\n\n[port.server]", ""},
        {"10.77.2.2/24", "10.77.1.2/16",
         "c.toml:15: port.server.address: 10.77.1.2/16 overlaps port.client.address, 10.77.1.2/24; give each "
         "port a network of its own\n"
         "c.toml:22: port.mirror.address: 10.77.3.2/24 overlaps port.server.address, 10.77.1.2/16; give each "
         "port a network of its own"},
        {"10.77.3.2/24", "10.77.3.2/31", ""},
    }));
    CHECK(said(from, to) == message);
}

TEST_CASE("a multicast, loopback or reserved address is refused even behind a gateway") {
    const auto [address, what] = GENERATE(table<const char*, const char*>({
        {"224.0.0.1", "is a multicast address"},
        {"127.0.0.1", "is a loopback address"},
        {"255.255.255.255", "is reserved or the broadcast address"},
    }));
    const KeyFile key;
    const auto text = replaced(example(key), "# gateway = \"10.77.1.254\"", "gateway = \"10.77.1.254\"");
    CHECK_THROWS_WITH(parse_config(replaced(text, "10.77.1.100:80", std::string(address) + ":80"), "c.toml"),
                      std::string("c.toml:33: service[0].address: ") + address + " " + what +
                          "; choose the address of a host");
}

TEST_CASE("a configuration without a service is refused") {
    const KeyFile key;
    auto text = example(key);
    const auto begin = text.find("[[service]]"), end = text.find("[guard]");
    text.erase(begin, end - begin);
    CHECK_THROWS_WITH(parse_config(text, "c.toml"), "c.toml:1: service: there is none; add a [[service]]");
}

TEST_CASE("all problems are listed, in the order of their lines") {
    const KeyFile key;
    auto text = replaced(example(key), "ring = 4096", "ring = 1");
    text = replaced(text, "id = 0", "id = 7");
    text = replaced(text, "10.77.3.3", "nobody");
    CHECK_THROWS_WITH(
        parse_config(text, "c.toml"),
        "c.toml:2: node.id: 7 is out of range; write an integer from 0 to 1\n"
        "c.toml:26: mirror.peer: \"nobody\" is no IP address; write it like \"10.0.0.1\" or \"fd00::1\"\n"
        "c.toml:55: limits.ring: 1 is out of range; write an integer from 64 to 1048576");
}

TEST_CASE("a syntax error is named with its line") {
    try {
        parse_config("[node]\nid = = 0\n", "c.toml");
        FAIL("accepted");
    } catch (const ConfigError& e) {
        REQUIRE(e.problems().size() == 1);
        CHECK(e.problems()[0].starts_with("c.toml:2: syntax: "));
    }
}

TEST_CASE("a section that is written as a key is named with its mend") {
    CHECK_THROWS_WITH(parse_config("idle = 3\n", "c.toml"),
                      Catch::StartsWith("c.toml:1: idle: is a section; write [idle] and its keys below\n"));
    CHECK_THROWS_WITH(parse_config("port = 3\n", "c.toml"),
                      Catch::StartsWith("c.toml:1: port: holds sections; write [port.client], [port.server], "
                                        "[port.mirror], each with its keys below\n"));
}

TEST_CASE("a file that can not be read is named with its reason") {
    CHECK_THROWS_WITH(load_config("/nonexistent/c.toml"),
                      "/nonexistent/c.toml:1: file: can not be read: No such file or directory; give an "
                      "existing file with --config");
    CHECK_THROWS_WITH(load_config("/tmp"), "/tmp:1: file: is a directory; name a file in it with --config");
    const KeyFile closed(0, 0);
    if (geteuid() != 0)
        CHECK_THROWS_WITH(load_config(closed.path),
                          closed.path +
                              ":1: file: can not be read: Permission denied; let this user read it, "
                              "or start as root");
}

TEST_CASE("an empty file is answered with all keys that it lacks") {
    const KeyFile empty(0);
    CHECK_THROWS_WITH(load_config(empty.path),
                      Catch::StartsWith(empty.path + ":1: node.id: is missing; add it") &&
                          Catch::Contains("guard.key_file: is missing") &&
                          Catch::Contains("service: there is none; add a [[service]]"));
}

TEST_CASE("the key file must exist, be long enough and be private") {
    const auto with = [&](const std::string& path) { return replaced(sound, "/run/holdfast-a/key", path); };

    const KeyFile open_key(32, 0644);
    CHECK_THROWS_WITH(parse_config(with(open_key.path), "c.toml"),
                      "c.toml:38: guard.key_file: " + open_key.path +
                          " is readable by others than its owner; chmod 600 " + open_key.path);
    const KeyFile short_key(31);
    CHECK_THROWS_WITH(
        parse_config(with(short_key.path), "c.toml"),
        Catch::Contains("guard.key_file: " + short_key.path + " holds 31 bytes, fewer than 32; make one"));
    CHECK_THROWS_WITH(
        parse_config(with("/nonexistent/key"), "c.toml"),
        Catch::Contains("/nonexistent/key: No such file or directory; make one with: head -c 32"));
    CHECK_THROWS_WITH(parse_config(with("/tmp"), "c.toml"),
                      Catch::EndsWith("/tmp is no regular file; name a file"));
}

TEST_CASE("the list of keys is the golden one") {
    CHECK(describe_keys() == read_file(HF_SOURCE_DIR "/tests/golden/config_keys.txt"));
}
