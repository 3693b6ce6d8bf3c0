// An empty mbuf pool delays what must be sent, counts it, and loses nothing.
#include "tests/script/lane_stage.hpp"

using namespace holdfast;
using namespace holdfast::script;

namespace {

/// Nothing is left in a pool while it lives.
class EmptyPool {
  public:
    explicit EmptyPool(test::MbufPool& pool) {
        while (auto* m = rte_pktmbuf_alloc(pool.get())) taken_.push_back(m);
    }
    ~EmptyPool() { rte_pktmbuf_free_bulk(taken_.data(), static_cast<unsigned>(taken_.size())); }
    EmptyPool(const EmptyPool&) = delete;
    EmptyPool& operator=(const EmptyPool&) = delete;

  private:
    std::vector<rte_mbuf*> taken_;
};

}  // namespace

STORY("pool: a FIN that could not be sent leaves soon after", "[limits]") {
    LaneStage lane({.mbufs = 127});
    lane.establish();
    {
        const EmptyPool none(lane.pool(Side::server));
        lane.client().sends(fin(1));
        lane.server().expects_nothing();
        expect(lane.count(Side::server, "no_buffer") > 0, "counted");
    }
    lane.after(2_s);
    lane.server().expects(fin(1));
    lane.ignore_rest();
}

STORY("pool: an ACK that could not be sent leaves soon after", "[limits]") {
    LaneStage lane({.mbufs = 127});
    lane.establish();
    lane.client().sends(fin(1));
    lane.server().expects(fin(1));
    {
        const EmptyPool none(lane.pool(Side::client));
        lane.server().sends(ack(2));
        lane.client().expects_nothing();
        expect(lane.count(Side::client, "no_buffer") > 0, "counted");
    }
    lane.after(2_s);
    lane.client().expects(ack(2));
}

STORY("pool: a window that opened while nothing could be sent is announced soon after", "[limits]") {
    LaneStage lane({.mbufs = 127});
    lane.server().offer.window = 2000;
    lane.server().default_window = 1920;
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.server().sends(ack(1001).window(896));
    lane.client().expects(ack(1001).window(896));
    {
        const EmptyPool none(lane.pool(Side::client));
        lane.server().sends(ack(1001).window(64000));
        lane.client().expects_nothing();
    }
    lane.after(10_ms);
    lane.client().expects(ack(1001).window(64000));
}

STORY("pool: a SYN, and a SYN-ACK, that could not be sent leave when they are due again", "[limits]") {
    LaneStage lane({.mbufs = 127});
    {
        const EmptyPool none(lane.pool(Side::server));
        lane.client().sends(syn());
        lane.server().expects_nothing();
    }
    lane.after(1100_ms);
    lane.server().expects(syn());
    {
        const EmptyPool none(lane.pool(Side::client));
        lane.server().sends(syn_ack());
        lane.client().expects_nothing();
    }
    lane.after(1100_ms);
    lane.client().expects(syn_ack());
}

STORY("pool: payload goes in place and needs no mbuf of ours", "[limits]") {
    LaneStage lane({.mbufs = 127});
    lane.establish();
    const EmptyPool none(lane.pool(Side::server));
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
}

STORY("pool: buffers that a driver brought are given back to it", "[limits]") {
    // The stage's pools count them when the story ends.
    LaneStage lane({.exact_frames = true});
    lane.establish();
    lane.client().sends(data(1, 1001));
    lane.server().expects(data(1, 1001));
    lane.server().sends(data(1, 501).ack(1001));
    lane.client().expects(data(1, 501).ack(1001));
    lane.client().sends(ack(501));
    lane.server().expects(ack(501));
}
