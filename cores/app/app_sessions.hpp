// All sessions of the application core: between the client core, which serves their connections, the
// applications, and the mirror. One class, its work split by noun:
//
//     app_sessions.cpp           tables, messages, roles
//     app_sessions_channel.cpp   what applications do
//     app_sessions_service.cpp   bytes in, replies out
//     app_sessions_journal.cpp   records, confirmations
//     app_sessions_standby.cpp   what is stored, resumption
//     app_sessions_state.cpp     state records of applications
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "cores/app/app_session.hpp"
#include "cores/app/applications.hpp"
#include "cores/app/calling.hpp"
#include "cores/app/counters.hpp"
#include "cores/app/host_counters.hpp"
#include "cores/proxy/lane.hpp"
#include "lib/packet/packet.hpp"

namespace holdfast::app {

/// References outlive the sessions. `lane.application` is there.
struct AppSettings {
    const Config& config;
    proxy::Lane& lane;
    rte_mempool* pool = nullptr;  ///< of the client's port: replies become its segments
    AppCounters& counters;
    std::uint32_t lane_mbufs = 0;  ///< mbufs that all cores of the lane may hold together
    ApplicationFactory make;
    HostLinks host_link;  ///< where a service has gate host
    HostCounters& host_counters;
    Instant now{};
};

class AppSessions final {
  public:
    explicit AppSessions(const AppSettings& settings);
    ~AppSessions();
    AppSessions(const AppSessions&) = delete;
    AppSessions& operator=(const AppSessions&) = delete;

    /// Rings, cells, applications, records. Returns how much there was to do.
    std::uint32_t advance(Instant now);
    Instant next_deadline() const;
    std::uint64_t held_mbufs() const { return held_; }

  private:
    class ServiceChannel;
    std::unique_ptr<Channel> make_channel(std::uint16_t service);

    // app_sessions.cpp
    std::unique_ptr<Application> make_application_of(std::uint16_t service);
    AppSession* open_session(SessionId id);
    const AppSession* open_session(SessionId id) const;
    SessionId id_of(std::uint32_t slot) const { return {slot, sessions_[slot].generation}; }
    SessionRecord& record(std::uint32_t slot) { return lane_.records[slot]; }
    proxy::LegCell& cell(std::uint32_t slot) { return lane_.cells[index(Side::server)][slot]; }
    Calling call(std::size_t service) { return {*applications_[service], app_.calling, service}; }
    Calling application(const AppSession& s) { return call(s.service); }
    Opened opened_of(std::uint32_t slot);
    bool has_standby_gate(const AppSession& s) const {
        return has(s_.config.services[s.service].gate, Gate::standby);
    }
    void follow_role();
    void activate();
    void drop_table();
    void take_messages();
    void take_message(const proxy::Message& m);
    void take_open(SessionId id);
    void take_established(std::uint32_t slot);
    void take_end(const proxy::Message& m);
    void take_cells();
    AppSession& renew(std::uint32_t slot);
    void start(std::uint32_t slot, std::uint32_t generation);
    void clear(std::uint32_t slot);
    void end_session(std::uint32_t slot);
    void post(std::uint32_t slot, proxy::MessageKind kind);
    bool send_pending(std::uint32_t slot);
    proxy::Message message(std::uint32_t slot, proxy::MessageKind kind);
    void touch(std::uint32_t slot);
    void try_again(std::uint32_t slot);

    // app_sessions_service.cpp
    void service_touched();
    void service(std::uint32_t slot);
    void deliver_all(std::uint32_t slot);
    void deliver_next(std::uint32_t slot);
    void wait_for_room(std::uint32_t slot);
    void free_committed(std::uint32_t slot);
    std::size_t room_of(const AppSession& s) const;
    void drop_acknowledged(std::uint32_t slot);
    Extent extent(const AppSession& s) const;
    void allow(std::uint32_t slot);
    void note_waiting(std::uint32_t slot, bool waiting);
    void pass_replies(std::uint32_t slot);
    bool pass_segment(std::uint32_t slot);
    void publish(std::uint32_t slot);
    void finish_over(std::uint32_t slot);

    // app_sessions_journal.cpp
    void follow_mirror();
    void continue_snapshot();
    bool write(proxy::AppEntryKind kind);
    void journal(std::uint32_t slot);
    bool write_group(std::uint32_t slot);
    bool write_closed(std::uint32_t slot);
    void take_confirmations();
    bool is_mirrored(const AppSession& s) const { return epoch_ != 0 && s.epoch == epoch_; }

    // app_sessions_state.cpp
    bool write_state(std::uint16_t service, std::span<const std::uint8_t> record);
    void take_described(const proxy::ApplicationEntry& e);
    bool joined_and_caught_up() const;
    void standby_leaves();
    void begin_connection(std::uint32_t connection);
    void describe();
    bool take_state(const proxy::ApplicationEntry& e);
    void publish_stored();
    bool stores_state(std::size_t service) const {
        return applications_[service] != nullptr && has(s_.config.services[service].gate, Gate::standby);
    }

    // app_sessions_standby.cpp
    std::uint32_t take_installs();
    void take_install();
    bool store(const ApplicationRecord& r);
    void store_progress(AppSession& s, const ApplicationRecord& r);
    void sweep();
    void take_resume(SessionId id);

    AppSettings s_;
    proxy::Lane& lane_;
    proxy::ApplicationLane& app_;
    PacketPool pool_;
    BlockPool replies_;
    ZeroedArray<AppSession> sessions_;
    std::vector<std::unique_ptr<Channel>> channels_;          ///< by service; nullptr for those without
    std::vector<std::unique_ptr<Application>> applications_;  ///< the same
    std::vector<std::uint32_t> touched_;
    std::vector<std::uint32_t> retry_, retrying_;
    std::vector<std::uint32_t> short_of_pool_;  ///< sessions that wait for room in limits.replies
    std::array<proxy::Message, 64> messages_;   ///< the batch at hand
    proxy::ApplicationEntry entry_{};           ///< being written or read; large
    Instant now_{};
    std::uint32_t held_ = 0, waiting_ = 0;
    std::uint32_t role_epoch_ = 0, table_epoch_ = 0, retake_epoch_ = 0;
    bool active_ = false;

    // As active.
    struct Outstanding {
        SessionId id;
        std::uint64_t sequence = 0;
    };
    std::vector<Outstanding> outstanding_;  ///< groups in order of sequence, from outstanding_head_ on
    std::size_t outstanding_head_ = 0;
    std::uint32_t epoch_ = 0;
    std::uint64_t sequence_ = 0;
    std::uint32_t snapshot_next_ = no_slot;
    bool epoch_start_pending_ = false, snapshot_end_pending_ = false, in_sync_ = false;
    std::vector<bool> joined_;  ///< by service: the standby's instance said in this epoch what it holds

    // As standby.
    std::uint32_t mark_ = 1;
    bool whole_ = false;  ///< the snapshot at hand has ended
    /// Records up to `sequence` are settled when the service's first `count` state records of the connection
    /// are.
    struct Checkpoint {
        std::uint64_t sequence = 0;
        std::vector<std::uint64_t> counts;  ///< by service
    };
    std::uint32_t connection_ = 0, refused_ = 0;
    std::size_t describe_next_ = 0;              ///< the service that is to be described next
    std::uint64_t processed_ = 0, settled_ = 0;  ///< sequences of this connection
    std::vector<std::uint64_t> states_;          ///< by service: state records of this connection
    std::array<Checkpoint, 32> checkpoints_;
    std::size_t checkpoint_first_ = 0, checkpoint_count_ = 0;

    static constexpr std::uint32_t no_slot = 0xffffffff;
};

}  // namespace holdfast::app
