// A computer at one end: an address, ARP, ICMP echo, sockets and the applications on them.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tests/sim/header_server.hpp"
#include "tests/sim/network.hpp"
#include "tests/sim/talker.hpp"

namespace holdfast::sim {

class Host;

/// Sees what a host sends and receives and what becomes of its sockets.
class HostObserver {
  public:
    virtual ~HostObserver() = default;
    virtual void host_sends(Host&, const Segment&) {}
    virtual void host_receives(Host&, const Segment&) {}
    virtual void state_changed(Host&, Talker&, State /*before*/) {}
};

class Host : public FrameSink, public Actor, public SocketOwner {
  public:
    Host(Scheduler& scheduler, Journal& journal, HostObserver& observer, std::string name, MacAddress mac,
         IpAddress address);

    void attach(Wire& out) { out_ = &out; }
    const std::string& name() const { return name_; }
    const IpAddress& address() const { return address_; }
    const MacAddress& mac() const { return mac_; }

    Talker& connect(std::uint16_t from_port, const Endpoint& to, const TalkerPlan& plan);
    /// `accept` is asked for a plan when a SYN from `remote` arrives; without one the SYN is refused.
    void listen(std::uint16_t port, std::function<std::optional<TalkerPlan>(const Endpoint& remote)> accept);
    /// Whoever connects to this host has to send a PROXY header first: `header` says which.
    void want_headers(std::function<std::string(const Endpoint& remote)> header) {
        headers_.emplace(journal_, std::move(header));
    }
    const std::vector<std::unique_ptr<Talker>>& talkers() const { return talkers_; }
    /// The host stops to exist for the network (true) or comes back.
    void set_deaf(bool deaf) { deaf_ = deaf; }

    void frame_arrives(const Frame& frame) override;
    void wake(std::uint64_t token, const Frame& frame) override;
    void transmit(Socket& socket, Segment& segment) override;
    void state_changed(Socket& socket, State before) override;

  private:
    using Key = std::pair<Endpoint, Endpoint>;  // local, remote
    struct Neighbour {
        std::optional<MacAddress> mac;
        std::deque<Segment> waiting;
        std::deque<Bytes> payloads;
        Instant asked_at{};
    };

    void take_resolution(const Resolution& arp);
    void ask(const IpAddress& address);
    void take_segment(const Segment& wire);
    Talker* accept(const Segment& syn);
    void refuse(const Segment& s);
    void send(Segment s);
    void settle();
    Talker& owner_of(const Socket& socket);

    Scheduler& scheduler_;
    Journal& journal_;
    HostObserver& observer_;
    std::string name_;
    MacAddress mac_;
    IpAddress address_;
    Wire* out_ = nullptr;
    std::optional<HeaderServer> headers_;
    bool deaf_ = false;
    std::map<std::uint16_t, std::function<std::optional<TalkerPlan>(const Endpoint&)>> listeners_;
    std::vector<std::unique_ptr<Talker>> talkers_;
    std::map<Key, Talker*> open_;
    std::map<IpAddress, Neighbour> neighbours_;
    Instant wake_at_ = Instant::never();
};

}  // namespace holdfast::sim
