// A flood of SYNs with sources that nobody has, for tests of one's own lab: sends at a rate for a while, and
// prints how many frames left.
//
//     flood DEVICE DESTINATION_MAC DESTINATION:PORT ON_LINK_PREFIX SECONDS RATE
//
// Half of the sources lie in ON_LINK_PREFIX (a.b.c), the other half anywhere in 100.64.0.0/10.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "lib/base/address.hpp"
#include "lib/base/random.hpp"
#include "tests/lab/packet_socket.hpp"

namespace {

using namespace holdfast;

constexpr std::size_t syn_size = 14 + 20 + 40, burst = 64;
using Syn = std::array<std::uint8_t, syn_size>;

struct Plan {
    std::string device;
    MacAddress mac;
    Endpoint to;
    std::uint32_t prefix = 0;  ///< of the sources on the link, in host order
    double seconds = 0, rate = 0;
};

std::uint32_t sum_words(const std::uint8_t* p, std::size_t n) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < n; i += 2) sum += static_cast<std::uint32_t>(p[i] << 8 | p[i + 1]);
    return sum;
}

void put16(std::uint8_t* p, std::uint32_t v) {
    p[0] = static_cast<std::uint8_t>(v >> 8);
    p[1] = static_cast<std::uint8_t>(v);
}

void put32(std::uint8_t* p, std::uint32_t v) {
    put16(p, v >> 16);
    put16(p + 2, v);
}

std::uint32_t checksum(std::uint32_t sum) {
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

/// What is alike in all frames: Ethernet, IPv4, and a SYN with the options that Linux offers.
Syn first_syn(const Plan& plan) {
    Syn s{};
    std::copy_n(plan.mac.bytes.begin(), 6, s.begin());
    constexpr std::uint8_t own_mac[] = {2, 0xf1, 0, 0xd, 0, 1};
    std::copy_n(own_mac, 6, s.begin() + 6);
    put16(&s[12], ETH_P_IP);
    s[14] = 0x45;
    put16(&s[16], syn_size - 14);
    s[22] = 64;
    s[23] = 6;
    const auto to = plan.to.address.v4();
    std::memcpy(&s[30], &to, 4);
    put16(&s[36], plan.to.port);
    s[46] = 0xa0;
    s[47] = 2;
    put16(&s[48], 64240);
    constexpr std::uint8_t options[] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
    std::copy_n(options, sizeof options, s.begin() + 54);
    return s;
}

/// Gives the frame another source, port and sequence number.
void disguise(Syn& s, const Plan& plan, Random& random) {
    const auto n = random.next();
    const auto host = static_cast<std::uint32_t>(n >> 32);
    put32(&s[26], (n & 1) != 0 ? plan.prefix | (host % 100 + 130) : 0x64400000u | (host & 0x3fffff));
    put16(&s[34], 1024 + (n >> 1) % 60000);
    put32(&s[38], static_cast<std::uint32_t>(random.next()));
    put16(&s[24], 0);
    put16(&s[24], checksum(sum_words(&s[14], 20)));
    put16(&s[50], 0);
    put16(&s[50], checksum(sum_words(&s[26], 8) + 6 + 40 + sum_words(&s[34], 40)));
}

/// Frames that left.
std::uint64_t flood(const Plan& plan) {
    using clock = std::chrono::steady_clock;
    const lab::PacketSocket port(plan.device, false);
    Random random(1);
    std::array<Syn, burst> frames;
    frames.fill(first_syn(plan));
    std::array<iovec, burst> vectors;
    std::array<mmsghdr, burst> messages{};
    for (std::size_t i = 0; i < burst; ++i) {
        vectors[i] = {frames[i].data(), syn_size};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    std::uint64_t sent = 0;
    const auto begin = clock::now();
    for (;;) {
        const double passed = std::chrono::duration<double>(clock::now() - begin).count();
        if (passed >= plan.seconds) break;
        if (static_cast<double>(sent) > passed * plan.rate) {
            std::this_thread::sleep_for(std::chrono::microseconds(200));
            continue;
        }
        for (auto& frame : frames) disguise(frame, plan, random);
        const int n = ::sendmmsg(port.fd(), messages.data(), burst, 0);
        if (n > 0) sent += static_cast<std::uint64_t>(n);
        else if (errno != ENOBUFS && errno != EAGAIN) throw std::runtime_error(std::strerror(errno));
    }
    return sent;
}

std::optional<Plan> read_plan(int argc, char** argv) {
    if (argc != 7) return std::nullopt;
    Plan plan{argv[1], {}, {}, 0, std::atof(argv[5]), std::atof(argv[6])};
    const auto mac = MacAddress::parse(argv[2]);
    const auto to = Endpoint::parse(argv[3]);
    in_addr prefix{};
    if (!mac || !to || ::inet_pton(AF_INET, (std::string(argv[4]) + ".0").c_str(), &prefix) != 1)
        return std::nullopt;
    plan.mac = *mac;
    plan.to = *to;
    plan.prefix = ntohl(prefix.s_addr);
    return plan;
}

}  // namespace

int main(int argc, char** argv) {
    const auto plan = read_plan(argc, argv);
    if (!plan) {
        std::fputs("usage: flood DEVICE DESTINATION_MAC DESTINATION:PORT ON_LINK_PREFIX SECONDS RATE\n",
                   stderr);
        return 2;
    }
    try {
        std::printf("%llu\n", static_cast<unsigned long long>(flood(*plan)));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "flood: %s\n", error.what());
        return 1;
    }
}
