// Wires that lose, delay, duplicate and reorder, and switches that learn.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "lib/base/random.hpp"
#include "tests/sim/scheduler.hpp"

namespace holdfast::sim {

/// Where frames end up.
class FrameSink {
  public:
    virtual ~FrameSink() = default;
    virtual void frame_arrives(const Frame& frame) = 0;
};

struct WireOptions {
    Duration delay = microseconds(20);
    Duration jitter{};              ///< uniform, keeps the order
    std::uint32_t loss = 0;         ///< per million
    std::uint32_t duplication = 0;  ///< per million
    std::uint32_t reordering = 0;   ///< per million: such a frame is late by up to reorder_by
    Duration reorder_by = milliseconds(1);
    std::uint32_t marks = 0;            ///< per million of the frames that may bear a mark of congestion
    std::uint64_t bits_per_second = 0;  ///< 0 = unlimited
    std::uint32_t queue_bytes = 256 * 1024;
};

/// One direction of a link.
class Wire : public Actor {
  public:
    Wire(Scheduler& scheduler, std::uint64_t seed, const WireOptions& options, FrameSink& to)
        : scheduler_(scheduler), random_(seed), mark_random_(mix64(seed)), options_(options), to_(to) {}

    void send(const Frame& frame);
    /// A cut link loses what is sent and what is under way.
    void set_up(bool up);
    bool up() const { return up_; }
    /// From now on nothing is lost, duplicated or reordered.
    void heal() { options_.loss = options_.duplication = options_.reordering = 0; }
    const WireOptions& options() const { return options_; }
    /// Asked for every frame; true loses it.
    void set_filter(std::function<bool(const Bytes&)> filter) { filter_ = std::move(filter); }
    /// May change frames on their way.
    void set_tamper(std::function<Frame(const Frame&)> tamper) { tamper_ = std::move(tamper); }

  private:
    void wake(std::uint64_t token, const Frame& frame) override;
    void carry(const Frame& frame, Instant leaves);

    Scheduler& scheduler_;
    Random random_, mark_random_;  ///< apart: marks change nothing else that is drawn
    WireOptions options_;
    FrameSink& to_;
    std::function<bool(const Bytes&)> filter_;
    std::function<Frame(const Frame&)> tamper_;
    Instant free_at_{}, last_arrival_{};
    std::uint64_t cuts_ = 0;
    bool up_ = true;
};

/// A learning switch. Each port is a sink for frames from its station and has a wire back to it.
class Switch {
  public:
    explicit Switch(Scheduler& scheduler) : scheduler_(scheduler) {}

    struct Attachment {
        Wire *to_station, *from_station;
    };
    /// Connects a station with a pair of wires drawn from `seed`.
    Attachment attach(FrameSink& station, std::uint64_t seed, const WireOptions& to_station,
                      const WireOptions& from_station);
    void set_up(std::size_t port, bool up);
    void heal();

  private:
    struct Port : FrameSink {
        Port(Switch& to, std::size_t n) : owner(to), number(n) {}
        void frame_arrives(const Frame& frame) override { owner.forward(number, frame); }
        Switch& owner;
        std::size_t number;
        std::unique_ptr<Wire> out, in;
    };
    void forward(std::size_t from, const Frame& frame);

    Scheduler& scheduler_;
    std::vector<std::unique_ptr<Port>> ports_;
    std::map<MacAddress, std::size_t> table_;
};

}  // namespace holdfast::sim
