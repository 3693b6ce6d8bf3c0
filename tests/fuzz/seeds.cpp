// Writes the first inputs of targets that read frames and records: real ones, as the tests make them.
// Usage: fuzz_seeds DIRECTORY (scripts/fuzz --merge calls it; what adds no coverage is not kept).
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/fuzz/target.hpp"
#include "tests/support/frame_bytes.hpp"

using namespace holdfast;
using fuzz::Bytes;

namespace {

class Seeds {
  public:
    Seeds(const std::filesystem::path& root, const std::string& target) : place_(root / target) {
        std::filesystem::create_directories(place_);
    }
    void add(std::uint8_t options, const Bytes& bytes) {
        std::ofstream out(place_ / ("seed" + std::to_string(count_++)), std::ios::binary);
        out.put(static_cast<char>(options));
        out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }

  private:
    std::filesystem::path place_;
    unsigned count_ = 0;
};

const MacAddress node_mac{{2, 0, 0, 0, 0, 1}}, peer_mac{{2, 0, 0, 0, 0, 9}};
const Endpoint client = *Endpoint::parse("10.0.0.9:40000"), service = *Endpoint::parse("10.0.0.100:80");

sim::Segment segment(std::uint8_t flags) {
    sim::Segment s;
    s.from_mac = peer_mac;
    s.to_mac = node_mac;
    s.from = client;
    s.to = service;
    s.seq = {0xfffffff0};
    s.ack = {7};
    s.flags = flags;
    s.window = 512;
    return s;
}

std::vector<sim::Segment> segments() {
    static const Bytes text(100, 'h');
    auto syn = segment(sim::flag::syn), data = segment(sim::flag::ack | sim::flag::psh),
         sack = segment(sim::flag::ack);
    syn.options.mss = 1460;
    syn.options.window_scale = 7;
    syn.options.sack_permitted = true;
    syn.options.timestamps = sim::Timestamps{11, 22};
    data.options.timestamps = sim::Timestamps{11, 22};
    data.payload = text;
    sack.options.timestamps = sim::Timestamps{11, 22};
    sack.options.sack_count = 3;
    for (std::uint32_t i = 0; i < 3; ++i) sack.options.sack[i] = {{10 + 20 * i}, {20 + 20 * i}};
    auto without = sack;
    without.options.timestamps.reset();
    without.options.sack_count = 4;
    return {syn,
            data,
            sack,
            without,
            segment(sim::flag::ack | sim::flag::fin),
            segment(sim::flag::rst),
            segment(sim::flag::syn | sim::flag::ack)};
}

Bytes arp(std::uint16_t operation, const IpAddress& target) {
    return sim::write_resolution({operation, peer_mac, peer_mac, {}, client.address, target},
                                 MacAddress::broadcast());
}

/// An echo request for the virtual address, on the way of a segment's addresses.
Bytes echo_request() {
    auto s = segment(sim::flag::ack);
    static const Bytes text(20, 'e');
    s.payload = text;
    auto f = sim::write_segment(s);
    f[test::at_ip + 9] = 1;
    f[test::at_tcp] = 8;
    f[test::at_tcp + 1] = 0;
    test::put16(f, test::at_tcp + 2, 0);
    test::put16(f, test::at_tcp + 2, sim::fold(sim::ones_sum({&f[test::at_tcp], 40})));
    test::seal_ip(f);
    return f;
}

void frames(const std::filesystem::path& root) {
    Seeds seeds(root, "frame");
    for (const auto& s : segments()) seeds.add(3, sim::write_segment(s));
    seeds.add(4 + 8 + 16, sim::write_segment(segments()[1]));
    seeds.add(0, arp(1, service.address));
    seeds.add(0, arp(2, service.address));
    seeds.add(1, echo_request());
    auto heartbeat = arp(1, service.address);
    test::put16(heartbeat, 12, 0x88b5);
    seeds.add(0, heartbeat);
}

void options(const std::filesystem::path& root) {
    Seeds seeds(root, "options");
    for (const auto& s : segments()) {
        const auto f = sim::write_segment(s);
        const std::size_t size = f[test::at_tcp + 12] / 16 * 4u - 20u;
        const auto* begin = f.data() + test::at_options;
        seeds.add(static_cast<std::uint8_t>(size), Bytes(begin, begin + size));
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("Usage: fuzz_seeds DIRECTORY\n", stderr);
        return 2;
    }
    frames(argv[1]);
    options(argv[1]);
    return 0;
}
