// Routes and VLANs of the ports in the configuration.
#include "config_text.hpp"

using namespace holdfast;
using namespace holdfast::test;

namespace {

constexpr const char* client_gateway = "# gateway = \"10.77.1.254\"";

std::string said_of_routes(const std::string& routes) { return said(client_gateway, "routes = " + routes); }

}  // namespace

TEST_CASE("routes: accepted, and they reach their place") {
    const KeyFile key;
    const auto c = parse_config(replaced(example(key), client_gateway,
                                         "routes = [{to = \"10.8.0.0/16\", via = \"10.77.1.9\"}, {to = "
                                         "\"10.9.0.0/16\", via = \"10.77.1.8\"}]"),
                                "c.toml");
    REQUIRE(c.client.routes.size() == 2);
    CHECK(c.client.routes[1].to == *Prefix::parse("10.9.0.0/16"));
    CHECK(c.client.routes[1].via == *IpAddress::parse("10.77.1.8"));
    CHECK(c.client.reaches(*IpAddress::parse("10.8.0.1")));
    CHECK_FALSE(c.client.reaches(*IpAddress::parse("10.10.0.1")));
    CHECK(said_of_routes("[]") == "");
}

TEST_CASE("routes: a backend behind one is reached, one behind none is not") {
    CHECK(said("backends = [\"10.77.2.20:80\"]", "backends = [\"10.8.0.1:80\"]")
              .find("10.8.0.1 is not on the network") != std::string::npos);
    const KeyFile key;
    auto text = replaced(example(key), "backends = [\"10.77.2.20:80\"]", "backends = [\"10.8.0.1:80\"]");
    text = replaced(text, "snat = [\"10.77.2.100\"]",
                    "snat = [\"10.77.2.100\"]\nroutes = [{to = \"10.8.0.0/16\", via = \"10.77.2.9\"}]");
    CHECK(said_of(text) == "");
}

TEST_CASE("routes: what is wrong with one is said with the mend") {
    const auto [routes, message] = GENERATE(table<const char*, const char*>({
        {"[{to = \"10.8.0.0/16\", via = \"10.77.2.9\"}]",
         "10.8.0.0/16 has its next hop 10.77.2.9 off the network 10.77.1.2/24; choose a neighbour there"},
        {"[{to = \"10.8.0.1/16\", via = \"10.77.1.9\"}]",
         "10.8.0.1/16 has bits behind its prefix length; write 10.8.0.0/16"},
        {"[{to = \"0.0.0.0/0\", via = \"10.77.1.9\"}]",
         "0.0.0.0/0 leads everywhere; write its neighbour under gateway"},
        {"[{to = \"224.0.0.0/8\", via = \"10.77.1.9\"}]", "224.0.0.0/8 is multicast; leave it out"},
        {"[{to = \"fd00::/16\", via = \"10.77.1.9\"}]",
         "fd00::/16 has a next hop of another family, 10.77.1.9; choose one of its own"},
        {"[{to = \"fd00::/16\", via = \"fe80::1\"}]",
         "fd00::/16 is of a family that the port has no address of; give it one or leave the route out"},
        {"[{to = \"10.8.0.0/16\", via = \"10.77.1.9\"}, {to = \"10.8.0.0/16\", via = \"10.77.1.8\"}]",
         "10.8.0.0/16 is there twice; leave one of them out"},
        {"[{to = \"10.8.0.0/16\", via = \"10.77.1.100\"}]", "10.77.1.100 is port.client.routes too"},
        {"[{to = \"10.8.0.0/16\", via = \"10.77.1.2\"}]", "10.77.1.2 is port.client.address too"},
        {"[{to = \"10.8.0.0/16\"}]",
         "route 1: holds a route without \"to\" and \"via\", or with more than that"},
        {"[{to = \"10.8/16\", via = \"10.77.1.9\"}]",
         "route 1: \"10.8/16\" is no address with prefix length"},
        {"[\"10.8.0.0/16\"]", "has the wrong type; write a list of tables of strings"},
        {"\"10.8.0.0/16\"", "has the wrong type; write a list of tables of strings"},
    }));
    const auto text = said_of_routes(routes);
    CAPTURE(text);
    CHECK(text.find(message) != std::string::npos);
}

TEST_CASE("routes: a bounded number") {
    std::string routes = "[";
    for (int i = 0; i < 65; ++i)
        routes += "{to = \"10." + std::to_string(100 + i) + ".0.0/16\", via = \"10.77.1.9\"},";
    CHECK(said_of_routes(routes + "]").find("there are 65; choose at most 64") != std::string::npos);
}

TEST_CASE("vlan: each port has its own, within the identifiers there are") {
    const KeyFile key;
    const auto text = replaced(example(key), client_gateway, "vlan = 7");
    CHECK(parse_config(text, "c.toml").client.vlan == 7);
    CHECK(parse_config(text, "c.toml").server.vlan == 0);
    CHECK(said(client_gateway, "vlan = 4095").find("4095 is out of range; write an integer from 0 to 4094") !=
          std::string::npos);
}
