#include "capture.hpp"

#include <arpa/inet.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <regex>
#include <stdexcept>

namespace holdfast::r1 {

namespace {

std::uint32_t be32(const std::uint8_t* p) {
    return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 | p[3];
}
std::uint16_t be16(const std::uint8_t* p) { return static_cast<std::uint16_t>(p[0] << 8 | p[1]); }

using PcapFile = std::unique_ptr<pcap_t, decltype(&pcap_close)>;

PcapFile open_capture(const std::string& path) {
    char error[PCAP_ERRBUF_SIZE] = "";
    PcapFile file(pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, error),
                  pcap_close);
    if (!file) throw std::runtime_error(path + ": " + error);
    if (pcap_datalink(file.get()) != DLT_EN10MB)
        throw std::runtime_error(path + ": not captured at an Ethernet device");
    return file;
}

/// The TCP segment of a captured frame.
struct Found {
    Endpoint source, target;
    std::size_t tcp_at = 0;  ///< from the frame's start
    std::size_t size = 0;    ///< bytes of TCP header and payload, captured or not
};

/// Finds it in a frame of TCP over IPv4, or over IPv6 without extension headers.
std::optional<Found> find_tcp(const std::uint8_t* frame, std::size_t captured) {
    constexpr std::size_t kEthernet = 14, kIpv6 = 40;
    if (captured < kEthernet + 20) return std::nullopt;
    const std::uint8_t* ip = frame + kEthernet;
    Found found;
    if (be16(frame + 12) == 0x0800) {
        const std::size_t header = (ip[0] & 15u) * 4u;
        if (ip[9] != 6) return std::nullopt;
        found.tcp_at = kEthernet + header;
        found.size = be16(ip + 2) - header;
        for (auto* end : {&found.source, &found.target}) end->address[10] = end->address[11] = 0xff;
        std::memcpy(&found.source.address[12], ip + 12, 4);
        std::memcpy(&found.target.address[12], ip + 16, 4);
    } else if (be16(frame + 12) == 0x86dd) {
        if (captured < kEthernet + kIpv6 || ip[6] != 6) return std::nullopt;
        found.tcp_at = kEthernet + kIpv6;
        found.size = be16(ip + 4);
        std::memcpy(found.source.address.data(), ip + 8, 16);
        std::memcpy(found.target.address.data(), ip + 24, 16);
    } else {
        return std::nullopt;
    }
    if (captured < found.tcp_at + 20) return std::nullopt;
    found.source.port = be16(frame + found.tcp_at);
    found.target.port = be16(frame + found.tcp_at + 2);
    return found;
}

/// Keeps the SACK blocks of a segment, if it has any.
void note_sacks(const std::uint8_t* tcp, std::size_t header, Leg& leg, Packet& packet) {
    constexpr std::uint8_t kEnd = 0, kNop = 1, kSack = 5;
    packet.first_sack = leg.sacks.size();
    for (std::size_t at = 20; at < header && tcp[at] != kEnd;) {
        if (tcp[at] == kNop) {
            ++at;
            continue;
        }
        if (at + 1 >= header || tcp[at + 1] < 2 || at + tcp[at + 1] > header) return;
        if (tcp[at] == kSack) {
            for (std::size_t block = at + 2; block + 8 <= at + tcp[at + 1]; block += 8) {
                leg.sacks.emplace_back(be32(tcp + block), be32(tcp + block + 4));
                ++packet.sacks;
            }
        }
        at += tcp[at + 1];
    }
}

}  // namespace

std::string name(const Endpoint& end) {
    static constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    const bool v4 = std::equal(kMapped.begin(), kMapped.end(), end.address.begin());
    char text[INET6_ADDRSTRLEN];
    inet_ntop(v4 ? AF_INET : AF_INET6, &end.address[v4 ? 12 : 0], text, sizeof text);
    return (v4 ? std::string(text) : "[" + std::string(text) + "]") + ":" + std::to_string(end.port);
}

Capture::Capture(const std::string& path, Side side) : side_(side) {
    const PcapFile file = open_capture(path);
    pcap_pkthdr* header = nullptr;
    const std::uint8_t* frame = nullptr;
    int outcome = 0;
    for (std::size_t index = 0; (outcome = pcap_next_ex(file.get(), &header, &frame)) == 1; ++index) {
        take(*header, frame, index);
    }
    if (outcome == PCAP_ERROR) throw std::runtime_error(path + ": " + pcap_geterr(file.get()));
}

void Capture::take(const pcap_pkthdr& header, const std::uint8_t* frame, std::size_t index) {
    const auto found = find_tcp(frame, header.caplen);
    if (!found) return;
    const std::uint8_t* tcp = frame + found->tcp_at;
    const auto &source = found->source, &target = found->target;
    const std::size_t tcp_header = (tcp[12] >> 4) * 4u;
    const std::size_t payload_at = found->tcp_at + tcp_header;
    const std::size_t payload = found->size - tcp_header;

    Packet packet;
    packet.time_ns = std::int64_t{header.ts.tv_sec} * 1'000'000'000 + header.ts.tv_usec;
    packet.index = index;
    packet.seq = be32(tcp + 4);
    packet.ack = be32(tcp + 8);
    packet.flags = tcp[13];
    packet.length = static_cast<std::uint32_t>(payload) + !!(packet.flags & kSyn) + !!(packet.flags & kFin);

    Leg* leg = find(source, target, packet);
    if (!leg) {
        ++orphans_;
        return;
    }
    packet.from_endpoint = source == leg->endpoint;
    if (!packet.from_endpoint)
        note_sacks(tcp, std::min<std::size_t>(tcp_header, header.caplen - found->tcp_at), *leg, packet);
    auto& isn = packet.from_endpoint ? leg->endpoint_isn : leg->proxy_isn;
    if ((packet.flags & kSyn) && !isn) isn = packet.seq;
    if ((packet.flags & kSyn) && (packet.flags & kAck) && !leg->syn_ack_ns) leg->syn_ack_ns = packet.time_ns;
    if (isn && payload > 0 && header.caplen > payload_at) {
        auto& print = packet.from_endpoint ? leg->from_endpoint : leg->to_endpoint;
        print.note(static_cast<std::int32_t>(packet.seq - *isn - 1), frame + payload_at,
                   std::min<std::size_t>(payload, header.caplen - payload_at));
    }
    leg->packets.push_back(packet);
}

/// The connection a packet belongs to; a SYN with a new number starts another one on the same addresses.
Leg* Capture::find(const Endpoint& source, const Endpoint& target, const Packet& packet) {
    const bool opening = (packet.flags & (kSyn | kAck)) == kSyn;
    const bool by_client = opening ? true : newest_.contains({source, target});
    const auto key = by_client ? std::pair{source, target} : std::pair{target, source};
    const auto found = newest_.find(key);
    if (!opening) return found == newest_.end() ? nullptr : found->second;
    if (found != newest_.end()) {
        const auto& isn = side_ == Side::client ? found->second->endpoint_isn : found->second->proxy_isn;
        if (isn == packet.seq) return found->second;
    }
    auto leg = std::make_unique<Leg>();
    leg->endpoint = side_ == Side::client ? source : target;
    leg->proxy = side_ == Side::client ? target : source;
    leg->opened_ns = packet.time_ns;
    newest_[key] = leg.get();
    legs_.push_back(std::move(leg));
    return legs_.back().get();
}

std::optional<std::uint64_t> dropped(const std::string& capture) {
    std::ifstream file(capture + ".report");
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    std::smatch match;
    if (!std::regex_search(text, match, std::regex("(\\d+) packets? dropped by kernel"))) return std::nullopt;
    return std::stoull(match[1]);
}

void write_corrupt(const std::string& from, const std::string& to, std::size_t victim) {
    const PcapFile file = open_capture(from);
    const std::unique_ptr<pcap_dumper_t, decltype(&pcap_dump_close)> out(
        pcap_dump_open(file.get(), to.c_str()), pcap_dump_close);
    if (!out) throw std::runtime_error(to + ": " + pcap_geterr(file.get()));
    pcap_pkthdr* header = nullptr;
    const std::uint8_t* frame = nullptr;
    for (std::size_t index = 0; pcap_next_ex(file.get(), &header, &frame) == 1; ++index) {
        std::vector<std::uint8_t> copy(frame, frame + header->caplen);
        if (index == victim) {
            std::uint8_t* ack = copy.data() + find_tcp(frame, header->caplen)->tcp_at + 8;
            const std::uint32_t raised = be32(ack) + 1;
            for (int i = 0; i < 4; ++i) ack[i] = static_cast<std::uint8_t>(raised >> (24 - 8 * i));
        }
        pcap_dump(reinterpret_cast<u_char*>(out.get()), header, copy.data());
    }
}

}  // namespace holdfast::r1
