// One leg alone: our TCP with the simplest parent there is, one that takes everything, releases it at once,
// and writes and closes when the story says so. For the states of RFC 9293, which a whole lane does not show.
#pragma once

#include <deque>

#include "cores/tcp/arrival.hpp"
#include "cores/tcp/handshake.hpp"
#include "tests/script/peer.hpp"
#include "tests/support/mbuf_pool.hpp"

namespace holdfast::script {

class LegStage : public PeerStage {
  public:
    LegStage();
    ~LegStage() override;

    Peer peer;

    // ---- what the parent does ----
    /// The story's peer connects, or is connected to; established when it returns.
    void accept();
    void connect();
    void write(std::uint32_t bytes);
    void close();

    // ---- time and facts ----
    void at(Duration t);
    void after(Duration span) { at(time() + span); }
    Duration time() const override { return now_ - Instant{}; }
    tcp::State state() const { return tcb_.soft.state; }
    void expect_state(tcp::State expected, Where where = Where::current());
    /// End of the bytes that the parent was given, in order.
    Position taken() const { return taken_; }

    void deliver(const Peer& from, const std::vector<sim::Bytes>& burst) override;
    std::string transcript() const override;
    void log(const std::string& line) override { transcript_.push_back(line); }

  private:
    enum class Opening { none, passive, active };

    tcp::Context context();
    void arrive(rte_mbuf* m);
    void in_opening(const wire::Frame& frame, Packet packet);
    void begin(const wire::Frame& frame);
    void service();
    void take_text();
    void transmit();
    void show(sim::Frame frame);

    test::MbufPool mbufs_;
    PacketPool pool_;
    net::NetCounters net_counters_;
    tcp::TcpCounters counters_;
    TcpConfig config_;
    net::Interface net_;
    Instant now_{};
    tcp::Tcb tcb_;
    tcp::HandshakeOffer offer_{1460, true, true, true, 7, 64000};
    Opening opening_ = Opening::none;
    Position taken_ = 1;
    std::deque<std::string> transcript_;
};

}  // namespace holdfast::script
