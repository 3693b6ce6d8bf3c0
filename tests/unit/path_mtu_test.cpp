// ICMP errors that make segments smaller (RFC 1191, RFC 8201).
#include "cores/tcp/path_mtu.hpp"

#include "tests/unit/sender_rig.hpp"

using namespace holdfast;
using namespace holdfast::literals;
using namespace holdfast::test;

namespace {

/// An error about our first segment: the path carries `mtu`, or says nothing of it.
wire::IcmpError error(const SenderRig& rig, std::uint32_t mtu, std::uint16_t packet_size = 1500) {
    wire::IcmpError e;
    e.kind = wire::IcmpError::Kind::too_big;
    e.mtu = mtu;
    e.packet_size = packet_size;
    e.seq = tcp::send_seq(rig.t, 1);
    return e;
}

}  // namespace

TEST_CASE("path MTU: an error counts for bytes that are under way, first to last", "[tcp]") {
    SenderRig rig;
    auto e = error(rig, 1000);
    const auto about = [&](Position p) {
        e.seq = tcp::send_seq(rig.t, p);
        return tcp::is_in_flight(rig.t, e, 100, 200);
    };
    CHECK_FALSE(about(99));
    CHECK(about(100));
    CHECK(about(199));
    CHECK_FALSE(about(200));
}

TEST_CASE("path MTU: what a router says, else the next size that occurs below the packet's", "[tcp]") {
    const struct {
        std::uint32_t told;
        std::uint16_t packet;
        unsigned mss;
    } cases[] = {{1400, 1500, 1360}, {0, 1500, 1452}, {0, 1492, 966}, {0, 1006, 512}, {100, 1500, 512}};
    for (const auto& c : cases) {
        SenderRig rig;
        rig.t.hard.leg.mss_send = 1460;
        CHECK(tcp::lower_path_mtu(rig.t, error(rig, c.told, c.packet), rig.context()));
        CHECK(rig.t.hard.leg.mss_send == c.mss);
        CHECK(rig.count(tcp::Counter::path_mtu_lowered) == 1);
    }
}

TEST_CASE(
    "path MTU: never larger by an error; after ten minutes the full size is tried, whatever came between",
    "[tcp]") {
    SenderRig rig;
    rig.t.hard.leg.mss_send = 1460;
    CHECK(tcp::lower_path_mtu(rig.t, error(rig, 1400), rig.context()));
    CHECK_FALSE(tcp::lower_path_mtu(rig.t, error(rig, 1400), rig.context()));
    CHECK_FALSE(tcp::lower_path_mtu(rig.t, error(rig, 1450), rig.context()));
    rig.after(300_s);
    CHECK(tcp::lower_path_mtu(rig.t, error(rig, 1300), rig.context()));
    rig.after(599_s);
    tcp::retry_path_mtu(rig.t, rig.context());
    CHECK(rig.t.hard.leg.mss_send == 1260);
    rig.after(1_s);
    tcp::retry_path_mtu(rig.t, rig.context());
    CHECK(rig.t.hard.leg.mss_send == 1460);
}
