// The application of gate host: it hands a service's bytes to another process of this machine, and commits,
// replies and ends what that process says. Frames and what they mean: lib/host.
//
//     committed     sent            received
//     --------------|-- with the process --|-- to send --|
//
// The process may die, stall or lie at any time. What it has not confirmed stays here and is sent again to
// the next one; what it says is taken for its own service's sessions alone, and for no byte that it was not
// sent.
#pragma once

#include <vector>

#include "cores/app/application.hpp"
#include "cores/app/host_counters.hpp"
#include "cores/proxy/host_cell.hpp"
#include "lib/config/config.hpp"
#include "lib/host/frame.hpp"
#include "lib/host/link.hpp"

namespace holdfast::app {

/// References outlive the application.
struct HostSettings {
    Channel& channel;
    host::Link& link;
    HostCounters& counters;
    proxy::HostCell& cell;
    std::uint32_t slots = 0;  ///< of sessions
    Duration timeout;         ///< a process silent for so long is dead
};

class Host final : public Application {
  public:
    explicit Host(const HostSettings& settings);

    void opened(const Opened& session) override;
    void resumed(const Resumed& session) override;
    std::size_t receive(SessionId session, Offset offset, std::span<const std::uint8_t> bytes) override;
    void end_of_stream(SessionId session, Offset end) override;
    bool confirms_end() const override { return true; }
    void writable(SessionId session) override;
    void closed(SessionId session) override;
    void advance(Instant now) override;
    Instant next_deadline() const override;

  private:
    struct Served {
        bool open = false;
        bool told = false;      ///< the process knows it
        bool resumed = false;   ///< or an earlier one may have
        bool listed = false;    ///< in waiting_
        bool ended = false;     ///< the client's end is at `end`
        bool end_told = false;  ///< and the process knows
        bool end_taken = false;
        bool finished = false;
        bool news = false;   ///< how far replies are taken is to be said
        bool again = false;  ///< and that some were not
        std::uint32_t generation = 0;
        std::uint32_t cycle = 0, frames = 0;  ///< so many were sent in that duty cycle
        Endpoint client, local;
        Offset committed = 0, sent = 0, end = 0;
        Offset sent_before = 0;  ///< to earlier processes
    };

    // host.cpp: sessions, and what is sent
    Served* find(SessionId id);
    Served& begin(const app::Opened& session);
    void list(std::uint32_t slot);
    bool send(const host::Frame& frame);
    host::Frame frame(host::Kind kind, std::uint32_t slot) const;
    void serve_waiting();
    bool serve(std::uint32_t slot);
    bool tell_opened(std::uint32_t slot);
    bool tell_end(std::uint32_t slot);
    bool tell_state(std::uint32_t slot);
    std::size_t send_bytes(std::uint32_t slot, Offset offset, std::span<const std::uint8_t> bytes);

    // host_process.cpp: the process, and what it says
    void take_frames();
    void take(const host::Frame& frame);
    void take_hello(const host::Frame& frame);
    void take_answer(const host::Frame& frame);
    void take_confirmed(SessionId id, Served& s, const host::Frame& frame);
    void watch();
    void attach();
    void detach(proxy::HostLoss why);
    void offer_again(Served& s);
    void say_pending();

    HostSettings s_;
    std::vector<Served> sessions_;
    std::vector<std::uint32_t> waiting_, serving_;  ///< slots with something to send, first come first served
    bool attached_ = false, welcome_due_ = false, detached_due_ = false, refused_due_ = false;
    std::uint32_t attachment_ = 0;
    std::uint32_t cycle_ = 0;
    Instant now_{}, heard_at_{};
};

}  // namespace holdfast::app
