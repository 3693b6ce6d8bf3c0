// What the cores of a lane share with each other and with the node core: rings and cells with one writer
// each, and nothing else. All of it is allocated at start.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "cores/proxy/backend_cell.hpp"
#include "cores/proxy/backend_options.hpp"
#include "cores/proxy/host_cell.hpp"
#include "lib/config/config.hpp"
#include "lib/ring/dirty_set.hpp"
#include "lib/ring/ring.hpp"
#include "lib/session/record.hpp"
#include "lib/table/zeroed_array.hpp"

struct rte_mbuf;

namespace holdfast::proxy {

/// How a session is served at the moment, for the other core and for people.
enum class View : std::uint8_t { none, handshake, terminated, translated, closing, installed };

/// What one leg's core tells the other core: cumulative values, so a missed look loses nothing. Written by
/// the core that serves the leg. Positions count in the direction that the name says.
struct alignas(64) LegCell {
    std::atomic<Position> acknowledged{0};  ///< towards the endpoint: acknowledged by it
    std::atomic<Position> edge{0};          ///< towards the endpoint: right edge of its window
    std::atomic<Position> received{0};      ///< from the endpoint: taken in order (translated: highest heard)
    std::atomic<Position> announced{0};     ///< from the endpoint: acknowledged to it
    std::atomic<std::uint32_t> srtt_us{0};
    std::atomic<std::uint32_t> held_mbufs{0};
    std::atomic<std::uint32_t> room_ahead{0};  ///< bytes that may go ahead of a hole
    std::atomic<std::uint32_t> probe_requests{
        0};                              ///< grows when the endpoint probed and the other leg should be asked
    std::atomic<std::uint8_t> heard{0};  ///< translated: the endpoint was heard since the takeover; see below
    std::atomic<std::uint8_t> fin{0};    ///< the endpoint's FIN has been received
    std::atomic<std::uint32_t> opened_sequence{
        0};  ///< client leg: low bits of the Opened record's place in the journal
    /// And of the journal's epoch; 0 = not written, or the session's gates let no standby go on with it.
    std::atomic<std::uint32_t> opened_epoch{0};
};
static_assert(sizeof(LegCell) == 64);

/// Values of LegCell::heard: not at all; it holds all that it has in order; it holds bytes above a gap, too.
/// The upper bits are the retake epoch's lowest.
inline constexpr std::uint8_t not_heard = 0, heard_whole = 1, heard_with_gaps = 2;

enum class MessageKind : std::uint8_t {
    open,         ///< client -> server: record[slot] holds the client's half; open the server leg
    resume,       ///< client -> application: this node took the session over; what is stored of it?
    accepted,     ///< server -> client: the server's SYN-ACK is in, record[slot] is complete
    resumed,      ///< application -> client: the answer; see Resumed
    refused,      ///< server -> client: no connection to the backend
    established,  ///< client -> server: the client completed its handshake
    data,         ///< payload in order: `packet`
    fin,          ///< the endpoint's FIN, behind all data
    reset,        ///< the endpoint reset, or our side gave up
    translate,    ///< a whole frame to forward with mapped numbers
    anchor,       ///< client -> server: go back to terminated at these positions
    over,         ///< the leg has ended; the other may end, too
    released,     ///< server -> client: the server leg's slot is free again
    ahead,        ///< payload beyond a hole: a copy, to be sent and not kept
    sacked,       ///< the endpoint has [up, down) of what went ahead
};

/// Message::flags of `resumed`: what the application core knows of the session.
namespace resumed {
inline constexpr std::uint8_t stored = 1;      ///< the application had begun with it
inline constexpr std::uint8_t client_fin = 2;  ///< the client's FIN is committed
inline constexpr std::uint8_t sure = 4;        ///< nothing that the old active did can be missing
inline constexpr std::uint8_t lost = 8;        ///< its replies had no room: it can not go on
inline constexpr std::uint8_t our_fin = 16;    ///< the client has acknowledged our FIN
}  // namespace resumed

/// One message between the cores of a lane.
struct Message {
    MessageKind kind{};
    std::uint8_t flags = 0;  ///< anchor: bit 0 = the client sent FIN, bit 1 = the server did; resumed: above
    std::uint16_t retake_epoch = 0;  ///< accepted, established, anchor, resumed: void after a later retake
    SessionId id;
    std::uint32_t length = 0;  ///< resumed: bytes of stored replies from `down` on
    rte_mbuf* packet = nullptr;
    /// anchor: positions client->server and server->client; sacked: begin, end; resumed: what is committed,
    /// what the client has acknowledged
    Position up = 0, down = 0;
};
static_assert(sizeof(Message) == 40);

/// From a protocol core to the mirror core.
enum class JournalKind : std::uint8_t { epoch_start, opened, progress, closed, snapshot_end };
struct JournalEntry {
    JournalKind kind{};
    Side side{};
    std::uint8_t reserved[2] = {};
    std::uint32_t epoch = 0;
    std::uint64_t sequence = 0;  ///< counts entries of this ring since the epoch began
    SessionRecord opened;        ///< opened, and snapshot copies of it
    ProgressRecord progress;     ///< progress
    ClosedRecord closed;         ///< closed
    std::uint32_t reserved3 = 0;
};
static_assert(sizeof(JournalEntry) % 4 == 0);

/// Between the application core and the mirror core. Active to standby: an epoch's start, progress of a
/// session, its end, state of an application, a snapshot's end. Within a standby: `describe`, the mirror core
/// asks what its applications hold; and the answers, `described`, which go to the active's application core.
enum class AppEntryKind : std::uint8_t {
    epoch_start,
    progress,
    closed,
    state,
    snapshot_end,
    describe,
    described
};
struct ApplicationEntry {
    AppEntryKind kind{};
    std::uint8_t reserved = 0;
    std::uint16_t service = 0;  ///< state, described: whose
    std::uint32_t epoch = 0;
    std::uint64_t sequence = 0;  ///< counts entries of the ring since the epoch began
    ApplicationRecord record;    ///< state, described: only its `size` and `bytes`
};
static_assert(sizeof(ApplicationEntry) % 4 == 0);

/// How far a standby's application core has come with the records of a connection to the active: one word, so
/// that what is said of one connection is never taken for another.
struct StoredWord {
    static constexpr unsigned sequence_bits = 48;
    static constexpr std::uint64_t pack(std::uint32_t connection, std::uint64_t sequence) {
        return std::uint64_t{connection} << sequence_bits | sequence;
    }
    /// The sequence, or 0 when the word speaks of another connection.
    static constexpr std::uint64_t of(std::uint64_t word, std::uint32_t connection) {
        const auto same = word >> sequence_bits == (connection & 0xffff);
        return same ? word & ((std::uint64_t{1} << sequence_bits) - 1) : 0;
    }
};

/// Bytes on their way to an endpoint: from the core that sends them to the mirror core, and on the other node
/// from the mirror core to the core that would send them there.
struct PayloadEntry {
    JournalKind kind{};
    std::uint8_t reserved[3] = {};
    std::uint32_t epoch = 0;
    std::uint64_t sequence = 0;  ///< counts entries of the ring since the epoch began
    PayloadRecord record;
};
static_assert(sizeof(PayloadEntry) % 4 == 0);

/// From the mirror core of a standby to its protocol cores.
enum class InstallKind : std::uint8_t { install, progress, remove };
struct InstallEntry {
    InstallKind kind{};
    std::uint8_t reserved[3] = {};
    SessionId id;
    std::uint32_t reserved2 = 0;
    ProgressRecord progress;
};
static_assert(sizeof(InstallEntry) % 4 == 0);

enum class Role : std::uint8_t { booting, standby, active };

/// Node-wide facts that the guard and the mirror publish for the protocol cores. Written by the node core.
struct NodeCells {
    std::atomic<Role> role{Role::booting};
    std::atomic<std::uint64_t> term{0};
    std::atomic<std::uint32_t> role_epoch{0};    ///< grows with every change of role; cores follow it
    std::atomic<std::uint32_t> table_epoch{0};   ///< grows when all sessions must be forgotten
    std::atomic<std::uint32_t> retake_epoch{0};  ///< grows when all sessions must be taken over again
    std::atomic<std::int64_t> speak_until_ns{
        0};  ///< the lease: no frame of the virtual self at or after this
    std::atomic<std::int64_t> clock_offset_ns{0};  ///< own clock + offset = the pair's shared clock
    std::atomic<std::uint32_t> mirror_epoch{0};    ///< 0 = no standby connected; else records are wanted
    std::atomic<bool> in_sync{false};              ///< the standby holds everything up to what is in flight
    /// By Journal: highest sequence that the standby stored.
    std::atomic<std::uint64_t> confirmed[journal_count] = {};
};

/// What a protocol core publishes for the node core and the control thread. Written by that core.
struct alignas(64) CoreCells {
    std::atomic<std::uint64_t> cycles{0};           ///< grows with every duty cycle: the core is not stalled
    std::atomic<std::uint32_t> role_epoch_done{0};  ///< the role change that the core has carried out
    std::atomic<std::uint32_t> sessions{0};
    std::atomic<std::uint32_t> held_mbufs{0};  ///< mbufs held by legs of this core
    std::atomic<bool> cookies{false};          ///< client core: SYNs are answered by cookies
    std::atomic<std::uint32_t> waiting{0};     ///< sessions, or legs, that no standby lets go on
};

/// Between the client core and the application core, which stands in the server core's place for sessions
/// with gate app or host: it writes their cells of the server's side. And between it and the mirror core.
struct ApplicationLane {
    ApplicationLane(const std::string& prefix, const Config& config, int socket);

    Ring<Message> to_application, to_client;
    DirtySet dirty;                  ///< cells of the client's side that changed
    Ring<ApplicationEntry> journal;  ///< to the mirror core
    Ring<ApplicationEntry> install;  ///< from the mirror core
    /// As standby, written by the application core: StoredWord of what it holds and may be confirmed; and the
    /// connection whose records it can not hold (0 = none).
    std::atomic<std::uint64_t> stored{0};
    std::atomic<std::uint32_t> refused{0};
    /// 1 + the service whose application runs at the moment, or 0. Written by the application core.
    std::atomic<std::uint16_t> calling{0};
    CoreCells core;
    std::vector<HostCell> hosts;  ///< by service; of those with gate host
};

/// Where payload is mirrored: rings between the protocol cores and the mirror core.
struct PayloadLane {
    PayloadLane(const std::string& prefix, std::uint32_t slots, int socket);

    Ring<PayloadEntry> journal[2];  ///< by writing Side, to the mirror core
    Ring<PayloadEntry> install[2];  ///< by receiving Side, from the mirror core
    /// Gate standby, by Side of the endpoint that they go to, then slot: bytes below are stored at the
    /// standby, or need not be. Written by that side's core.
    ZeroedArray<std::atomic<Position>> stored[2];
};

/// Sessions with these gates lose nothing at a takeover: what was acknowledged, somebody else has.
constexpr bool survives(Gate gates) { return has(gates, Gate::peer) || has(gates, Gate::standby); }

/// The shared memory of one lane.
struct Lane {
    /// `prefix` makes ring names unique in the process. Throws std::runtime_error when memory is missing.
    Lane(const std::string& prefix, const Config& config, int socket);

    /// True when an in-sync standby holds all that the client leg's session would need of it; any thread.
    bool protects(const LegCell& client) const {
        const auto epoch = node.mirror_epoch.load(std::memory_order_relaxed);
        return node.in_sync.load(std::memory_order_relaxed) &&
               client.opened_epoch.load(std::memory_order_relaxed) == epoch &&
               static_cast<std::int32_t>(
                   static_cast<std::uint32_t>(node.confirmed[0].load(std::memory_order_relaxed)) -
                   client.opened_sequence.load(std::memory_order_relaxed)) >= 0;
    }

    /// mbufs that the legs of all cores and the application hold.
    std::uint32_t held_mbufs() const {
        const auto held = [](const CoreCells& c) { return c.held_mbufs.load(std::memory_order_relaxed); };
        return held(core[0]) + held(core[1]) + (application ? held(application->core) : 0);
    }

    /// Place in `backends` of a backend of a service; both are of the configuration.
    std::size_t place_of(std::uint16_t service, std::uint16_t backend) const {
        return first_backend[service] + backend;
    }

    std::uint32_t slots;
    // Resident only where sessions have been: a standby's cells are not.
    ZeroedArray<SessionRecord> records;    ///< by slot; owner passes with the messages
    ZeroedArray<LegCell> cells[2];         ///< by Side, then slot; all zero while the leg is free
    ZeroedArray<std::atomic<View>> views;  ///< by slot; written by the client core
    DirtySet dirty[2];                     ///< by Side: cells of that side that changed
    Ring<Message> to[2];                   ///< by receiving Side
    Ring<JournalEntry> journal[2];         ///< by writing Side, to the mirror core
    Ring<InstallEntry> install[2];         ///< by receiving Side, from the mirror core
    BackendOptions backend_options;        ///< written by the server core
    NodeCells node;
    CoreCells core[2];
    std::unique_ptr<ApplicationLane> application;  ///< nullptr where no service has gate app or host
    std::unique_ptr<PayloadLane> payload;          ///< nullptr where no service has its payload mirrored
    std::vector<std::size_t>
        first_backend;                  ///< by service: its first place in `backends`; one more: their end
    std::vector<BackendCell> backends;  ///< service by service, as in the configuration
};

}  // namespace holdfast::proxy
