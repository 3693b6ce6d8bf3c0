// R1 from outside: reads what crossed the client's and the server's own devices in one run, and proves that
// no acknowledgment to one end ever covered a byte that the other end had not acknowledged before.
//
// The two captures carry the clock of one machine, so their packets have one order. The stream of one leg
// appears on the other at a constant distance of sequence numbers: offsets from each leg's initial sequence
// numbers are equal on both, SYN and FIN counting one each. So the proof needs no help from the program it
// judges.
//
//     client ----- leg ----- proxy ----- leg ----- server
//            ack = irs_c + k            ack = iss_s + m         k must not exceed the m that left the server
//            before
#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <compare>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kAck = 0x10;
constexpr std::size_t kFingerprint = 512;  ///< bytes from the start of a stream that tell sessions apart

/// One end of a connection.
struct Endpoint {
    std::uint32_t address = 0;
    std::uint16_t port = 0;
    auto operator<=>(const Endpoint&) const = default;
};

/// Who stands at the device that was captured: the client opens its leg, the server is called.
enum class Side { client, server };

struct Packet {
    std::int64_t time_ns = 0;
    std::size_t index = 0;  ///< in its capture file
    std::uint32_t seq = 0, ack = 0;
    std::uint32_t length = 0;  ///< sequence space: payload, SYN and FIN
    std::uint8_t flags = 0;
    std::uint8_t sacks = 0;  ///< SACK blocks, from Leg::sacks[first_sack] on
    std::size_t first_sack = 0;
    bool from_endpoint = false;  ///< left the client or the server; otherwise it came from the proxy
    bool acknowledges() const { return (flags & kAck) && !(flags & kRst); }
};

/// The start of a stream, as far as captured packets show it.
class Fingerprint {
  public:
    void note(std::int64_t offset, const std::uint8_t* bytes, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::int64_t at = offset + static_cast<std::int64_t>(i);
            if (at < 0 || at >= static_cast<std::int64_t>(kFingerprint)) continue;
            bytes_[static_cast<std::size_t>(at)] = static_cast<std::int16_t>(bytes[i]);
        }
    }
    /// How many bytes both know and agree on; nothing if they differ anywhere.
    std::optional<std::size_t> agreement(const Fingerprint& other) const {
        std::size_t same = 0;
        for (std::size_t i = 0; i < kFingerprint; ++i) {
            if (bytes_[i] < 0 || other.bytes_[i] < 0) continue;
            if (bytes_[i] != other.bytes_[i]) return std::nullopt;
            ++same;
        }
        return same;
    }

  private:
    std::array<std::int16_t, kFingerprint> bytes_ = [] {
        std::array<std::int16_t, kFingerprint> unknown{};
        unknown.fill(-1);
        return unknown;
    }();
};

/// Sequence numbers as offsets that do not wrap: 0 is the SYN, 1 the first byte.
class Unwrapped {
  public:
    void start(std::uint32_t isn) { isn_ = isn; }
    std::int64_t at(std::uint32_t number) {
        const auto near = static_cast<std::uint32_t>(isn_ + static_cast<std::uint32_t>(last_));
        const std::int64_t offset = last_ + static_cast<std::int32_t>(number - near);
        last_ = std::max(last_, offset);
        return offset;
    }

  private:
    std::uint32_t isn_ = 0;
    std::int64_t last_ = 0;
};

/// One TCP connection as it passed one endpoint's device.
struct Leg {
    Endpoint endpoint, proxy;
    std::optional<std::uint32_t> endpoint_isn, proxy_isn;
    std::int64_t opened_ns = 0;
    std::optional<std::int64_t> syn_ack_ns;
    std::vector<Packet> packets;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> sacks;  ///< blocks that the proxy reported
    Fingerprint from_endpoint, to_endpoint;

    bool acknowledged_by_proxy() const {
        return std::any_of(packets.begin(), packets.end(),
                           [](const Packet& each) { return !each.from_endpoint && each.acknowledges(); });
    }
};

std::string name(const Endpoint& end) {
    const std::uint32_t a = end.address;
    return std::to_string(a >> 24) + '.' + std::to_string(a >> 16 & 255) + '.' +
           std::to_string(a >> 8 & 255) + '.' + std::to_string(a & 255) + ':' + std::to_string(end.port);
}

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

/// Where the TCP header of a captured frame lies, if it is TCP over IPv4.
std::optional<std::size_t> tcp_header(const std::uint8_t* frame, std::size_t captured) {
    constexpr std::size_t kEthernet = 14;
    if (captured < kEthernet + 20 || be16(frame + 12) != 0x0800) return std::nullopt;
    const std::size_t tcp = kEthernet + (frame[kEthernet] & 15u) * 4u;
    if (frame[kEthernet + 9] != 6 || captured < tcp + 20) return std::nullopt;
    return tcp;
}

/// All connections of one capture, in the order in which they opened.
class Capture {
  public:
    Capture(const std::string& path, Side side) : side_(side) {
        const PcapFile file = open_capture(path);
        pcap_pkthdr* header = nullptr;
        const std::uint8_t* frame = nullptr;
        int outcome = 0;
        for (std::size_t index = 0; (outcome = pcap_next_ex(file.get(), &header, &frame)) == 1; ++index) {
            take(*header, frame, index);
        }
        if (outcome == PCAP_ERROR) throw std::runtime_error(path + ": " + pcap_geterr(file.get()));
    }

    const std::vector<std::unique_ptr<Leg>>& legs() const { return legs_; }
    std::size_t orphans() const { return orphans_; }

  private:
    void take(const pcap_pkthdr& header, const std::uint8_t* frame, std::size_t index) {
        const auto tcp_at = tcp_header(frame, header.caplen);
        if (!tcp_at) return;
        const std::uint8_t* ip = frame + 14;
        const std::uint8_t* tcp = frame + *tcp_at;
        const Endpoint source{be32(ip + 12), be16(tcp)}, target{be32(ip + 16), be16(tcp + 2)};
        const std::size_t payload_at = *tcp_at + (tcp[12] >> 4) * 4u;
        const std::size_t payload = be16(ip + 2) + 14u - payload_at;

        Packet packet;
        packet.time_ns = std::int64_t{header.ts.tv_sec} * 1'000'000'000 + header.ts.tv_usec;
        packet.index = index;
        packet.seq = be32(tcp + 4);
        packet.ack = be32(tcp + 8);
        packet.flags = tcp[13];
        packet.length =
            static_cast<std::uint32_t>(payload) + !!(packet.flags & kSyn) + !!(packet.flags & kFin);

        Leg* leg = find(source, target, packet);
        if (!leg) {
            ++orphans_;
            return;
        }
        packet.from_endpoint = source == leg->endpoint;
        if (!packet.from_endpoint)
            note_sacks(tcp, std::min<std::size_t>(payload_at - *tcp_at, header.caplen - *tcp_at), *leg,
                       packet);
        auto& isn = packet.from_endpoint ? leg->endpoint_isn : leg->proxy_isn;
        if ((packet.flags & kSyn) && !isn) isn = packet.seq;
        if ((packet.flags & kSyn) && (packet.flags & kAck) && !leg->syn_ack_ns)
            leg->syn_ack_ns = packet.time_ns;
        if (isn && payload > 0 && header.caplen > payload_at) {
            auto& print = packet.from_endpoint ? leg->from_endpoint : leg->to_endpoint;
            print.note(static_cast<std::int32_t>(packet.seq - *isn - 1), frame + payload_at,
                       std::min<std::size_t>(payload, header.caplen - payload_at));
        }
        leg->packets.push_back(packet);
    }

    /// Keeps the SACK blocks of a segment, if it has any.
    static void note_sacks(const std::uint8_t* tcp, std::size_t header, Leg& leg, Packet& packet) {
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

    /// The connection a packet belongs to; a SYN with a new number starts another one on the same addresses.
    Leg* find(const Endpoint& source, const Endpoint& target, const Packet& packet) {
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

    Side side_;
    std::vector<std::unique_ptr<Leg>> legs_;
    std::map<std::pair<Endpoint, Endpoint>, Leg*> newest_;  ///< by (opener, called)
    std::size_t orphans_ = 0;
};

/// A moment at which somebody wants to know what was in flight.
struct Moment {
    std::int64_t time_ns = 0;
    std::array<std::int64_t, 2>
        unacknowledged{};                ///< bytes sent and not acknowledged to their sender, by side
    std::array<unsigned, 2> sessions{};  ///< sessions that had such bytes
};

struct Violation {
    Side to{};
    std::int64_t time_ns = 0;
    std::int64_t covered = 0, allowed = 0;
    const Leg* leg = nullptr;
};

/// What a sender was told arrived above its holes, and may therefore never be asked for again.
class Reported {
  public:
    void note(std::int64_t from, std::int64_t to) {
        auto next = ranges_.lower_bound(from);
        if (next != ranges_.begin() && std::prev(next)->second >= from) --next;
        while (next != ranges_.end() && next->first <= to) {
            from = std::min(from, next->first);
            to = std::max(to, next->second);
            next = ranges_.erase(next);
        }
        ranges_.emplace(from, to);
    }
    /// Takes an ACK; true if it stops inside a reported range, which a sender reads as reneging.
    bool reneges(std::int64_t covered) {
        while (!ranges_.empty() && ranges_.begin()->second <= covered) ranges_.erase(ranges_.begin());
        if (ranges_.empty() || ranges_.begin()->first > covered) return false;
        ranges_.clear();  // the sender forgets what it was told, too
        return true;
    }

  private:
    std::map<std::int64_t, std::int64_t> ranges_;
};

/// What the examination of all pairs found.
struct Findings {
    std::uint64_t acks = 0;
    std::int64_t peak_withheld = 0;
    std::vector<Violation> violations;
    std::vector<Violation> reneged;            ///< ACKs that stopped inside a range reported by SACK
    std::vector<std::size_t> tight_to_client;  ///< packets whose ACK covered all it might, no more
};

/// Follows one leg: what its endpoint sent and acknowledged, and what the proxy acknowledged to it.
struct Follower {
    explicit Follower(const Leg& leg) {
        sent_numbers.start(*leg.endpoint_isn);
        acks_to_endpoint.start(*leg.endpoint_isn);
        sack_numbers.start(*leg.endpoint_isn);
        if (leg.proxy_isn) acks_by_endpoint.start(*leg.proxy_isn);
    }
    void endpoint_spoke(const Packet& packet) {
        if (packet.flags & kRst) return;
        if (packet.length > 0) sent = std::max(sent, sent_numbers.at(packet.seq) + packet.length);
        if (packet.acknowledges()) acknowledged = std::max(acknowledged, acks_by_endpoint.at(packet.ack));
    }
    std::int64_t in_flight() const { return std::max<std::int64_t>(0, sent - covered); }

    /// Takes what the proxy reported by SACK; true if its ACK stops inside what it had reported before.
    bool reneges(const Leg& leg, const Packet& packet, std::int64_t covers) {
        if (covers < covered) return false;  // an old ACK moves nothing
        const bool result = covers > covered && reported.reneges(covers);
        for (std::size_t i = packet.first_sack; i < packet.first_sack + packet.sacks; ++i) {
            const std::int64_t from = sack_numbers.at(leg.sacks[i].first),
                               to = sack_numbers.at(leg.sacks[i].second);
            if (from > covers && to > from) reported.note(from, to);
        }
        return result;
    }

    Unwrapped sent_numbers, acks_by_endpoint, acks_to_endpoint, sack_numbers;
    Reported reported;
    std::int64_t sent = 0;          ///< the endpoint sent everything below
    std::int64_t acknowledged = 0;  ///< of the other end's stream
    std::int64_t covered = 0;       ///< of the endpoint's own stream, by the proxy's ACKs to it
};

/// Checks every ACK of a session, and looks at the given moments.
void examine(const Leg& client, const Leg& server, std::vector<Moment>* moments, Findings& findings) {
    std::vector<std::pair<const Packet*, Side>> order;
    order.reserve(client.packets.size() + server.packets.size());
    for (const Packet& each : client.packets) order.emplace_back(&each, Side::client);
    for (const Packet& each : server.packets) order.emplace_back(&each, Side::server);
    // What an endpoint said and what the proxy answered can not carry one time stamp; if they do, the words
    // came first.
    std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
        return std::pair(a.first->time_ns, !a.first->from_endpoint) <
               std::pair(b.first->time_ns, !b.first->from_endpoint);
    });

    std::array followers{Follower(client), Follower(server)};
    std::size_t next_moment = 0;
    const auto look = [&](std::int64_t until_ns) {
        for (; moments && next_moment < moments->size() && (*moments)[next_moment].time_ns < until_ns;
             ++next_moment) {
            for (std::size_t side = 0; side < 2; ++side) {
                const std::int64_t bytes = followers[side].in_flight();
                (*moments)[next_moment].unacknowledged[side] += bytes;
                (*moments)[next_moment].sessions[side] += bytes > 0;
            }
        }
    };
    for (const auto& [packet, side] : order) {
        look(packet->time_ns);
        Follower& near = followers[side == Side::client ? 0 : 1];
        const Follower& far = followers[side == Side::client ? 1 : 0];
        if (packet->flags &
            kRst) {  // the connection is over: nothing is in flight any more, nothing is promised
            near.covered = std::max(near.covered, near.sent);
            continue;
        }
        if (packet->from_endpoint) {
            near.endpoint_spoke(*packet);
            continue;
        }
        if (!packet->acknowledges()) continue;
        ++findings.acks;
        const Leg& leg = side == Side::client ? client : server;
        const std::int64_t covers = near.acks_to_endpoint.at(packet->ack);
        if (covers > far.acknowledged) {
            findings.violations.push_back({side, packet->time_ns, covers, far.acknowledged, &leg});
        }
        if (near.reneges(leg, *packet, covers)) {
            findings.reneged.push_back({side, packet->time_ns, covers, far.acknowledged, &leg});
        }
        if (side == Side::client && covers == far.acknowledged)
            findings.tight_to_client.push_back(packet->index);
        near.covered = std::max(near.covered, covers);
        findings.peak_withheld = std::max(findings.peak_withheld, near.in_flight());
    }
}

/// The server leg that carries a client leg's session.
const Leg* partner(const Leg& client, const std::vector<const Leg*>& free) {
    std::vector<const Leg*> best;
    std::size_t best_agreement = 0;
    for (const Leg* server : free) {
        if (server->opened_ns < client.opened_ns) continue;
        if (client.syn_ack_ns && (server->opened_ns > *client.syn_ack_ns || !server->endpoint_isn)) continue;
        const auto upward = client.from_endpoint.agreement(server->to_endpoint);
        const auto downward = server->from_endpoint.agreement(client.to_endpoint);
        if (!upward || !downward) continue;
        const std::size_t agreement = *upward + *downward;
        if (agreement > best_agreement) best.clear();
        if (agreement >= best_agreement) best.push_back(server);
        best_agreement = std::max(best_agreement, agreement);
    }
    if (best.size() < 2) return best.empty() ? nullptr : best.front();
    // Sessions without payload look alike: any partner that explains all ACKs will do.
    for (const Leg* server : best) {
        if (!server->endpoint_isn) continue;
        Findings trial;
        examine(client, *server, nullptr, trial);
        if (trial.violations.empty()) return server;
    }
    return best.front();
}

/// tcpdump's last words about a capture, kept in a file beside it.
std::optional<std::uint64_t> dropped(const std::string& capture) {
    std::ifstream file(capture + ".report");
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    std::smatch match;
    if (!std::regex_search(text, match, std::regex("(\\d+) packets? dropped by kernel"))) return std::nullopt;
    return std::stoull(match[1]);
}

/// A copy of a capture in which one packet acknowledges one byte more.
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
            std::uint8_t* ack = copy.data() + *tcp_header(frame, header->caplen) + 8;
            const std::uint32_t raised = be32(ack) + 1;
            for (int i = 0; i < 4; ++i) ack[i] = static_cast<std::uint8_t>(raised >> (24 - 8 * i));
        }
        pcap_dump(reinterpret_cast<u_char*>(out.get()), header, copy.data());
    }
}

struct Options {
    std::string client, server, corrupt;
    std::uint64_t min_acks = 10'000;
    bool require_reports = true;
    bool json = false;
    std::vector<Moment> moments;
};

constexpr std::string_view kUsage =
    "r1_check CLIENT.pcap SERVER.pcap [options]\n"
    "Proves from captures at the endpoints' own devices that no ACK covered a byte the other end had not "
    "acknowledged.\n"
    "  --min-acks N    fail below so many checked ACKs (10000)\n"
    "  --at SECONDS    also print what was in flight at that time (since the epoch; may be repeated)\n"
    "  --no-reports    do not ask for tcpdump's reports, FILE.report\n"
    "  --json          print one JSON object instead of lines\n"
    "  --corrupt FILE  write a copy of CLIENT.pcap in which one ACK is raised by one byte, and stop:\n"
    "                  a checker that accepts it is broken\n";

Options parse(int argc, char** argv) {
    Options options;
    std::vector<std::string> files;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const auto value = [&]() -> std::string {
            if (++i == argc) throw std::invalid_argument(argument + " needs a value");
            return argv[i];
        };
        if (argument == "--min-acks") {
            options.min_acks = std::stoull(value());
        } else if (argument == "--at") {
            options.moments.push_back({static_cast<std::int64_t>(std::stold(value()) * 1e9L), {}, {}});
        } else if (argument == "--no-reports") {
            options.require_reports = false;
        } else if (argument == "--json") {
            options.json = true;
        } else if (argument == "--corrupt") {
            options.corrupt = value();
        } else if (argument == "--help") {
            std::fputs(kUsage.data(), stdout);
            std::exit(0);
        } else if (argument.starts_with("--")) {
            throw std::invalid_argument(argument + " is no option; see --help");
        } else {
            files.push_back(argument);
        }
    }
    if (files.size() != 2) throw std::invalid_argument("give CLIENT.pcap and SERVER.pcap; see --help");
    options.client = files[0];
    options.server = files[1];
    std::sort(options.moments.begin(), options.moments.end(),
              [](const Moment& a, const Moment& b) { return a.time_ns < b.time_ns; });
    return options;
}

struct Result {
    Findings findings;
    unsigned paired = 0;
    std::vector<std::string> faults;  ///< why this run proves nothing, or the contrary
};

void check_reports(const Options& options, Result& result) {
    if (!options.require_reports) return;
    for (const std::string& capture : {options.client, options.server}) {
        const auto lost = dropped(capture);
        if (!lost) result.faults.push_back(capture + ".report does not say how many packets were dropped");
        if (lost && *lost > 0)
            result.faults.push_back(capture + ": " + std::to_string(*lost) + " packets dropped");
    }
}

Result judge(const Capture& client, const Capture& server, Options& options) {
    Result result;
    check_reports(options, result);
    std::vector<const Leg*> free;
    for (const auto& leg : server.legs()) free.push_back(leg.get());
    for (const auto& leg : client.legs()) {
        const Leg* found = partner(*leg, free);
        if (found && leg->endpoint_isn && found->endpoint_isn) {
            std::erase(free, found);
            ++result.paired;
            examine(*leg, *found, &options.moments, result.findings);
        } else if (leg->acknowledged_by_proxy()) {
            result.faults.push_back(name(leg->endpoint) +
                                    " was acknowledged though no server leg carries its session");
        }
    }
    for (const Leg* leg : free) {
        if (leg->acknowledged_by_proxy()) {
            result.faults.push_back("the server was acknowledged to " + name(leg->proxy) +
                                    " though no client leg carries that session");
        }
    }
    if (!result.findings.violations.empty()) {
        result.faults.push_back(std::to_string(result.findings.violations.size()) +
                                " ACKs covered bytes that the other end had not acknowledged");
    }
    if (result.findings.acks < options.min_acks) {
        result.faults.push_back("only " + std::to_string(result.findings.acks) +
                                " ACKs checked, fewer than " + std::to_string(options.min_acks));
    }
    return result;
}

void print_json(const Options& options, const Result& result) {
    std::printf("{\"ok\":%s,\"acks\":%" PRIu64 ",\"sessions\":%u,\"peak_withheld\":%" PRId64
                ",\"violations\":%zu",
                result.faults.empty() ? "true" : "false", result.findings.acks, result.paired,
                result.findings.peak_withheld, result.findings.violations.size());
    const char* separator = ",\"reneged\":[";
    for (const Violation& each : result.findings.reneged) {
        std::printf("%s{\"at\":%.6f,\"to\":\"%s\",\"from\":\"%s\",\"offset\":%" PRId64 "}", separator,
                    static_cast<double>(each.time_ns) / 1e9, name(each.leg->endpoint).c_str(),
                    name(each.leg->proxy).c_str(), each.covered);
        separator = ",";
    }
    std::printf("%s", result.findings.reneged.empty() ? "" : "]");
    separator = ",\"moments\":[";
    for (const Moment& each : options.moments) {
        std::printf("%s{\"at\":%.6f,\"client_bytes\":%" PRId64
                    ",\"client_sessions\":%u,\"server_bytes\":%" PRId64 ",\"server_sessions\":%u}",
                    separator, static_cast<double>(each.time_ns) / 1e9, each.unacknowledged[0],
                    each.sessions[0], each.unacknowledged[1], each.sessions[1]);
        separator = ",";
    }
    std::printf("%s,\"faults\":[", options.moments.empty() ? "" : "]");
    for (std::size_t i = 0; i < result.faults.size(); ++i)
        std::printf("%s\"%s\"", i ? "," : "", result.faults[i].c_str());
    std::printf("]}\n");
}

void print_lines(const Options& options, const Result& result, std::size_t orphans) {
    constexpr std::size_t kShown = 10;
    for (std::size_t i = 0; i < std::min(kShown, result.findings.violations.size()); ++i) {
        const Violation& each = result.findings.violations[i];
        std::printf("violation at %.6f: the %s at %s was acknowledged up to offset %" PRId64
                    ", the other end had acknowledged %" PRId64 "\n",
                    static_cast<double>(each.time_ns) / 1e9, each.to == Side::client ? "client" : "server",
                    name(each.leg->endpoint).c_str(), each.covered, each.allowed);
    }
    for (std::size_t i = 0; i < std::min(kShown, result.findings.reneged.size()); ++i) {
        const Violation& each = result.findings.reneged[i];
        std::printf("note at %.6f: an ACK to %s stopped at offset %" PRId64
                    ", inside a range reported by SACK\n",
                    static_cast<double>(each.time_ns) / 1e9, name(each.leg->endpoint).c_str(), each.covered);
    }
    for (const Moment& each : options.moments) {
        std::printf("at %.6f: client had %" PRId64 " unacknowledged bytes in %u sessions, server %" PRId64
                    " in %u\n",
                    static_cast<double>(each.time_ns) / 1e9, each.unacknowledged[0], each.sessions[0],
                    each.unacknowledged[1], each.sessions[1]);
    }
    if (orphans)
        std::printf("%zu packets of connections older than the captures were not looked at\n", orphans);
    for (std::size_t i = 0; i < std::min(kShown, result.faults.size()); ++i)
        std::printf("FAULT %s\n", result.faults[i].c_str());
    std::printf("%s: %" PRIu64 " ACKs checked in %u sessions, peak withheld %" PRId64 " bytes\n",
                result.faults.empty() ? "R1 holds" : "R1 NOT SHOWN", result.findings.acks, result.paired,
                result.findings.peak_withheld);
}

int run(int argc, char** argv) {
    Options options = parse(argc, argv);
    const Capture client(options.client, Side::client), server(options.server, Side::server);
    const Result result = judge(client, server, options);
    if (!options.corrupt.empty()) {
        const auto& tight = result.findings.tight_to_client;
        if (tight.empty())
            throw std::runtime_error("no ACK to the client covers all that it may: none to corrupt");
        write_corrupt(options.client, options.corrupt, tight[tight.size() / 2]);
        return 0;
    }
    if (options.json) {
        print_json(options, result);
    } else {
        print_lines(options, result, client.orphans() + server.orphans());
    }
    return result.faults.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "r1_check: %s\n", error.what());
        return 2;
    }
}
