// The mirror's work on the node core: journals to the standby, records from the active to the protocol cores.
#pragma once

#include "cores/mirror/image.hpp"
#include "cores/mirror/link.hpp"
#include "cores/proxy/lane.hpp"
#include "lib/report/event.hpp"
#include "lib/table/zeroed_array.hpp"

namespace holdfast::protocol {

enum class MirrorState : std::uint8_t { down, connecting, greeting, syncing, in_sync, refused };
std::string_view to_string(MirrorState s);

class MirrorCore {
  public:
    MirrorCore(const Config& config, std::uint64_t incarnation, proxy::Lane& lane, mirror::Link& link,
               mirror::MirrorCounters& counters, Ring<Event>& events);

    /// The node's role and term as the guard has them; `table_empty`: both cores have carried out the last
    /// change.
    void set_role(proxy::Role role, std::uint64_t term, bool table_empty, Instant now);
    /// The table was dropped: what the image holds is void.
    void drop_image(Instant now);
    /// Everything that can be done now: reads, writes, confirms. Returns how much there was.
    std::uint32_t advance(Instant now);
    Instant next_deadline() const;

    MirrorState state() const { return state_; }
    mirror::Refusal refusal() const { return refusal_; }
    bool standby_in_sync() const { return role_ == proxy::Role::active && state_ == MirrorState::in_sync; }
    bool image_ready() const { return role_ == proxy::Role::standby && state_ == MirrorState::in_sync; }
    std::uint64_t progress() const { return progress_; }

  private:
    void connection_changed(Instant now);
    void event(EventKind kind, std::uint64_t a, std::uint64_t b, Instant now);
    std::uint32_t sessions() const;
    void lose(Instant now);
    bool send(const mirror::Record& record, Instant now);
    void send_hello(Instant now);
    void refuse(mirror::Refusal reason, bool tell, Instant now);
    std::uint32_t read_records(Instant now);
    bool take(const mirror::Record& record, Instant now);
    void take_hello(const mirror::Hello& h, Instant now);
    bool take_opened(const mirror::Opened& o);
    bool take_progress(const mirror::Progress& p);
    bool take_closed(const mirror::Closed& c);
    bool take_payload(const mirror::Payload& p);
    void take_marks(Journal journal, bool ends, std::uint64_t sequence);
    bool all_ended() const;
    bool is_written(std::size_t journal) const;
    bool awaits_confirmation() const;
    bool standby_stalls(Instant now);
    void take_confirm(const mirror::Confirm& c, Instant now);
    bool may_read() const;
    bool installs_have_room() const;
    bool replaces_what_cores_read(const mirror::Decoded& d) const;
    void note_drained();
    void hand_over(SessionId id, proxy::InstallKind kind);
    std::uint32_t drain_journals(Instant now);
    template <class Entry>
    std::uint32_t drain_journal(Journal journal, Ring<Entry>& ring, Entry& held, Instant now);
    bool write_entry(const proxy::JournalEntry& e, Instant now);
    bool write_entry(const proxy::ApplicationEntry& e, Instant now);
    bool write_entry(const proxy::PayloadEntry& e, Instant now);
    bool write_record(const mirror::Record& record, Journal journal, bool snapshot_end,
                      std::uint64_t sequence, Instant now);

    // mirror_core_application.cpp
    void push_install(proxy::AppEntryKind kind, std::uint32_t epoch, std::uint64_t sequence);
    bool take_application(const mirror::Application& a);
    bool take_state(const mirror::State& s);
    bool take_described(const mirror::Described& d);
    void end_application(SessionId id);
    std::uint32_t pass_descriptions(Instant now);
    void note_application_stored(Instant now);
    std::uint32_t sweep();
    void confirm(Instant now);

    const Config& config_;
    const std::uint64_t incarnation_, configuration_;
    proxy::Lane& lane_;
    mirror::Link& link_;
    mirror::MirrorCounters& counters_;
    Ring<Event>& events_;
    mirror::Image image_;
    proxy::Role role_ = proxy::Role::booting;
    std::uint64_t term_ = 0;
    bool table_empty_ = false;
    MirrorState state_ = MirrorState::down;
    mirror::Refusal refusal_ = mirror::Refusal::none;
    mirror::Refusal told_ = mirror::Refusal::none;  ///< the last refusal that became an event
    Instant connect_at_{}, syncing_since_{};
    std::uint64_t progress_ = 0;

    // As active.
    std::uint32_t epoch_ = 0;
    bool epoch_seen_[journal_count] = {};  ///< these and the next by Journal
    proxy::JournalEntry held_[2];          ///< popped and not yet written
    proxy::ApplicationEntry held_application_;
    proxy::PayloadEntry held_payload_[2];
    bool has_held_[journal_count] = {};
    std::uint64_t snapshot_end_[journal_count] = {}, written_[journal_count] = {};  ///< sequences
    Instant confirmed_at_{};  ///< since then records wait for their confirmation

    // As standby.
    std::uint64_t stored_[journal_count] = {}, confirmed_[journal_count] = {};
    bool ended_[journal_count] = {}, confirmed_ready_ = false;
    std::uint32_t connection_ = 0;       ///< counts greetings: what the application core says is about one
    std::uint64_t application_end_ = 0;  ///< sequence of its snapshot's end; 0: not come yet
    Instant refused_until_{};
    proxy::ApplicationEntry install_application_{};  ///< being handed over; large
    proxy::PayloadEntry install_payload_{};          ///< the same
    std::uint32_t sweep_next_ = 0;
    /// The cores have taken all that was handed to them before drain `drains_`, and have done with it.
    std::uint32_t drains_ = 0;
    bool drain_seen_ = false;
    std::uint64_t drain_cycles_[2] = {};  ///< of the cores that read records
    ZeroedArray<std::uint32_t> handed_;   ///< by slot: the drain after which its record may change
};

}  // namespace holdfast::protocol
