// A stand-in for protocol::Node: each core answers ARP and ICMP echo for its addresses and knows no TCP. It
// lets the engine be tried alone, on real ports; the product never links it.
#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "cores/protocol/node.hpp"

namespace holdfast::protocol {
namespace {

rte_ether_addr ether(const MacAddress& mac) {
    rte_ether_addr a;
    std::memcpy(a.addr_bytes, mac.bytes.data(), 6);
    return a;
}

class EchoCore final : public Core {
  public:
    EchoCore(MacAddress mac, std::vector<IpAddress> addresses)
        : mac_(ether(mac)), addresses_(std::move(addresses)) {}
    ~EchoCore() override { rte_pktmbuf_free_bulk(out_.data(), static_cast<unsigned>(out_.size())); }

    void receive(std::span<rte_mbuf* const> burst, Instant) override {
        for (rte_mbuf* m : burst) {
            if (answer(m)) out_.push_back(m);
            else rte_pktmbuf_free(m);
        }
    }
    std::uint32_t advance(Instant) override { return 0; }
    std::uint32_t transmit(std::span<rte_mbuf*> out, Instant) override {
        const std::size_t n = std::min(out.size(), out_.size());
        std::copy_n(out_.begin(), n, out.begin());
        out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(n));
        return static_cast<std::uint32_t>(n);
    }
    Instant next_deadline() const override { return Instant::never(); }
    std::uint64_t held_mbufs() const override { return out_.size(); }

  private:
    /// Turns a request in `m` into its answer, in place.
    bool answer(rte_mbuf* m) {
        auto* eth = rte_pktmbuf_mtod(m, rte_ether_hdr*);
        bool answered = false;
        if (eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP))
            answered = answer_arp(reinterpret_cast<rte_arp_hdr*>(eth + 1));
        else if (eth->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4))
            answered = answer_echo(reinterpret_cast<rte_ipv4_hdr*>(eth + 1));
        if (!answered) return false;
        eth->dst_addr = eth->src_addr;
        eth->src_addr = mac_;
        return true;
    }
    bool is_ours(std::uint32_t be) const {
        for (const auto& a : addresses_)
            if (a.is_v4() && a.v4() == be) return true;
        return false;
    }
    bool answer_arp(rte_arp_hdr* arp) {
        if (arp->arp_opcode != rte_cpu_to_be_16(RTE_ARP_OP_REQUEST) || !is_ours(arp->arp_data.arp_tip))
            return false;
        arp->arp_opcode = rte_cpu_to_be_16(RTE_ARP_OP_REPLY);
        arp->arp_data.arp_tha = arp->arp_data.arp_sha;
        const std::uint32_t asked = arp->arp_data.arp_tip;
        arp->arp_data.arp_tip = arp->arp_data.arp_sip;
        arp->arp_data.arp_sip = asked;
        arp->arp_data.arp_sha = mac_;
        return true;
    }
    bool answer_echo(rte_ipv4_hdr* ip) {
        auto* icmp = reinterpret_cast<rte_icmp_hdr*>(ip + 1);
        if (ip->next_proto_id != IPPROTO_ICMP || !is_ours(ip->dst_addr) ||
            icmp->icmp_type != RTE_IP_ICMP_ECHO_REQUEST)
            return false;
        const std::uint32_t ours = ip->dst_addr;
        ip->dst_addr = ip->src_addr;
        ip->src_addr = ours;
        icmp->icmp_type = RTE_IP_ICMP_ECHO_REPLY;
        // RFC 1624: the sum grows by what the type lost (8 in the upper byte).
        std::uint32_t sum = rte_be_to_cpu_16(icmp->icmp_cksum) + 0x0800u;
        icmp->icmp_cksum = rte_cpu_to_be_16(static_cast<std::uint16_t>(sum + (sum >> 16)));
        return true;
    }

    rte_ether_addr mac_;
    std::vector<IpAddress> addresses_;
    std::vector<rte_mbuf*> out_;
};

}  // namespace

struct Node::Parts {
    explicit Parts(const NodeResources& r)
        : client(r.client_port.mac, {r.config.client.address.address, r.config.services[0].address.address}),
          server(r.server_port.mac, {r.config.server.address.address}),
          mirror(r.mirror_port.mac, {r.config.mirror.address.address}),
          term(r.stored_term + 1) {}
    EchoCore client, server, mirror;
    std::uint64_t term;
    std::atomic<std::uint64_t> persisted{0};
};

Node::Node(NodeResources r) : parts_(std::make_unique<Parts>(r)) {}
Node::~Node() = default;
Core& Node::client_core() { return parts_->client; }
Core& Node::server_core() { return parts_->server; }
Core& Node::node_core() { return parts_->mirror; }
Core* Node::application_core() { return nullptr; }
std::optional<std::uint64_t> Node::term_to_persist() const {
    return parts_->persisted == parts_->term ? std::nullopt : std::optional(parts_->term);
}
void Node::term_persisted(std::uint64_t term) { parts_->persisted = term; }
void Node::resign() {}
bool Node::resigning() const { return false; }
void Node::set_link(Side, bool) {}
void Node::set_mirror_link(bool) {}
std::uint16_t Node::application_called() const noexcept { return 0; }
NodeStatus Node::status() const {
    NodeStatus s;
    s.role = "active";
    s.state = "solo";
    s.term = parts_->persisted;
    s.mirror_state = "down";
    s.mirror_reason = "this is the echo stand-in";
    return s;
}
std::uint32_t Node::session_slots() const { return 100; }
std::uint32_t Node::backend_count() const { return 0; }
BackendRow Node::backend(std::uint32_t) const { return {}; }
bool Node::drain(std::string_view, const Endpoint&, bool) { return false; }
std::optional<SessionRow> Node::session(std::uint32_t slot) const {
    if (slot % 2 != 0) return std::nullopt;
    SessionRow row;
    row.id = {slot, 1};
    row.mode = "terminated";
    row.protection = "protected";
    row.service = "web";
    return row;
}
void Node::for_each_counter(const std::function<void(const CounterView&)>& visit) const {
    visit({"echo", "nothing", "always 0", 0});
}
bool Node::next_event(Event&) { return false; }

}  // namespace holdfast::protocol
