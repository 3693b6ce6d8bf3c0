// All clients, or all servers, of a bench: one far port on which they answer ARP, shake hands, send segments
// when told to and acknowledge what arrives. A small TCP that never loses anything and never waits.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <vector>

#include "lib/base/address.hpp"
#include "lib/base/seq_num.hpp"
#include "lib/session/record.hpp"
#include "lib/wire/tcp.hpp"

namespace holdfast::bench {

/// Where everything of a bench lives. Networks are /16: .0.x are the node's addresses, .1.x the endpoints'.
struct Site {
    static constexpr std::uint32_t snat_count = 8;
    static constexpr std::uint32_t flows_per_client = 30'000;
    static constexpr std::uint16_t first_client_port = 10'000;

    static IpAddress address(Side side, unsigned third, unsigned fourth);
    static IpAddress node(Side side, unsigned id) { return address(side, 0, 2 + id); }
    static IpAddress mirror(unsigned id);
    static IpAddress snat(unsigned i) { return address(Side::server, 0, 100 + i); }
    static Endpoint service() { return {address(Side::client, 0, 100), 80}; }
    static Endpoint backend() { return {address(Side::server, 1, 10), 80}; }
    static Endpoint client(std::uint32_t flow);
    static MacAddress virtual_mac(Side side);
    static MacAddress node_mac(Side side, unsigned id);
    static MacAddress mirror_mac(unsigned id);
    static MacAddress host_mac(Side side);
};

class Host {
  public:
    /// `offload`: frames come without TCP and IP checksums, as from a port that has verified them.
    Host(Side side, std::uint16_t port, rte_mempool* pool, std::uint32_t flows, bool offload);

    /// Queues the ARP request of every client for the service's address, from which the node learns them.
    void ask_for_service();
    /// Queues the SYN of a client's flow.
    void connect(std::uint32_t flow);
    /// Queues one segment of `size` bytes on an established flow.
    void send(std::uint32_t flow, std::uint16_t size);
    /// Takes what waits at the port. An ACK is owed for every `ack_every` segments of a flow.
    void receive(std::uint32_t ack_every);
    /// Queues the ACKs still owed.
    void acknowledge_rest();
    /// Hands everything queued to the port; throws std::runtime_error when it does not take it.
    void flush();

    std::uint32_t established() const { return established_; }
    /// Bytes that the far end has not acknowledged yet, over all flows.
    std::uint64_t in_flight() const { return bytes_sent_ - bytes_acknowledged_; }
    std::uint64_t bytes_received() const { return bytes_received_; }
    std::uint64_t frames_received() const { return frames_received_; }
    std::uint64_t frames_sent() const { return frames_sent_; }

  private:
    struct Flow {
        Endpoint local, remote;
        std::uint32_t sent = 0;          ///< next sequence number to send
        std::uint32_t acknowledged = 0;  ///< highest acknowledgment heard
        std::uint32_t received = 0;      ///< next sequence number expected
        std::uint32_t ts_recent = 0;
        std::uint32_t owed = 0;  ///< segments received and not acknowledged
        bool established = false;
    };
    struct Segment {
        wire::TcpHeader header;
        Endpoint from, to;
        std::uint32_t size = 0;  ///< payload bytes
    };

    static bool read(const rte_mbuf* m, Segment& out);
    void take(const rte_mbuf* m, std::uint32_t ack_every);
    void take_segment(const Segment& s, std::uint32_t ack_every);
    void take_syn(Flow& f, const Segment& s);
    void queue_arp(std::uint16_t operation, const IpAddress& from, const MacAddress& to_mac,
                   const IpAddress& to);
    void answer_arp(const rte_mbuf* m);
    Flow* find(const Segment& s);
    void emit(Flow& f, std::uint8_t flags, std::uint16_t size);
    void fill_checksums(rte_mbuf* m) const;
    rte_mbuf* allocate(std::uint16_t size) const;

    Side side_;
    std::uint16_t port_;
    rte_mempool* pool_;
    bool offload_;
    std::vector<Flow> flows_;
    std::vector<std::uint32_t> by_snat_;  ///< server: flow by SNAT address and port, plus 1
    std::uint32_t next_flow_ = 0;         ///< server: given to the next SYN
    std::vector<std::uint32_t> owing_;
    std::vector<rte_mbuf*> queue_;
    std::uint32_t clock_ = 1000;  ///< TSval; grows with every burst
    std::uint32_t established_ = 0;
    std::uint64_t bytes_sent_ = 0, bytes_acknowledged_ = 0, bytes_received_ = 0;
    std::uint64_t frames_received_ = 0, frames_sent_ = 0;
};

}  // namespace holdfast::bench
