// The transmission control block of one leg: what must survive (TcbHard) beside what can be rebuilt
// (TcbSoft). Plain documented data; behaviour is in arrival, sender, recovery, handshake and emit.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "cores/net/interface.hpp"
#include "cores/tcp/ack_ledger.hpp"
#include "cores/tcp/counters.hpp"
#include "cores/tcp/reassembly.hpp"
#include "cores/tcp/transitions.hpp"
#include "lib/config/config.hpp"
#include "lib/packet/mbuf_list.hpp"
#include "lib/session/record.hpp"

namespace holdfast::tcp {

/// What a standby cannot rebuild. Constant once the handshake is over, but for leg.mss_send (path MTU).
struct TcbHard {
    LegRecord leg;
    bool sack : 1 = false, timestamps : 1 = false, ecn : 1 = false;
    std::uint8_t send_scale = 0;     ///< shift of the windows that the endpoint sends to us
    std::uint8_t receive_scale = 0;  ///< shift of the windows that we send
};
static_assert(std::is_trivially_copyable_v<TcbHard> && sizeof(TcbHard) <= 64);

/// Which of the mutually exclusive retransmission timers runs.
enum class SendTimer : std::uint8_t { none, handshake, rto, tail_loss_probe, persist, reordering };

/// Round-trip time and timeout (RFC 6298).
struct Rtt {
    Duration srtt{}, rttvar{}, rto{};
    Duration min{};                 ///< least of the last five to ten minutes
    Duration min_now{};             ///< least since `min_since_s`
    std::uint32_t min_since_s = 0;  ///< seconds of the core's clock
    bool measured = false;
};

/// What CUBIC remembers of the last congestion event (RFC 9438 section 4.1.2), in bytes.
struct Cubic {
    Instant epoch = Instant::never();  ///< start of the present congestion avoidance; never = none yet
    std::uint32_t k_ms = 0;            ///< from `epoch` until the window is back at its origin
    std::uint32_t origin = 0;          ///< plateau of the curve of this epoch
    std::uint32_t w_max = 0;           ///< window before the last reduction; 0 = there was none
    std::uint32_t w_est = 0;           ///< what Reno would have
    std::uint64_t w_est_rest = 0;      ///< of the last division, in thousandths of bytes times the window
};

/// Rounds of slow start and their round-trip times (RFC 9406). Microseconds; 0 = no sample.
struct SlowStart {
    Position round_end = 0;
    std::uint32_t rtt_last = 0, rtt_now = 0, rtt_baseline = 0;
    std::uint8_t samples = 0;
    std::uint8_t css_rounds = 0;  ///< rounds in conservative slow start; 0 = not in it
};

/// What is known by the newest segment that was delivered (RFC 8985 section 5.2).
struct Rack {
    Instant sent_at{};
    Position end = 0;
    Duration rtt{};
    Position highest = 0;       ///< end of the highest segment ever delivered
    Position dsack_round = 0;   ///< D-SACKs below this belong to a round that was counted
    std::uint8_t widening = 1;  ///< reordering window, in quarters of the least round trip
    std::uint8_t persist = 0;   ///< recoveries for which it stays widened
    bool valid = false, reordering_seen = false;
};

/// Proportional rate reduction of one recovery (RFC 6937), in bytes.
struct RateReduction {
    std::uint32_t flight = 0;  ///< RecoverFS
    std::uint32_t delivered = 0, out = 0;
    Instant begun{};  ///< when the window was lowered last
};

/// How it was before a reduction that may turn out to have been for nothing.
struct Undo {
    std::uint32_t cwnd = 0, ssthresh = 0, w_max = 0;
    std::uint32_t segments = 0;        ///< repeated and not reported as duplicates
    Position begin = 0;                ///< una at that time
    Instant first = Instant::never();  ///< when the first one was repeated; never = nothing to undo
};

/// The sending direction. Bytes [una, queue_end) are held in mbufs; [una, nxt) have left at least once.
///
///     una            nxt         queue_end        edge
///     |-- in flight --|-- unsent --|                |
struct SendSide {
    Position una = 0, nxt = 0, queue_end = 0;
    Position edge = 0;          ///< first position that the endpoint's window does not cover
    Position wl1 = 0, wl2 = 0;  ///< SEQ and ACK positions of the segment that set `edge`
    /// Highest ACK that is no error though we have not sent all below it: heard at a takeover, or end of what
    /// went ahead of a hole.
    Position valid_ack_max = 0;
    std::uint32_t window_max = 0;  ///< largest window ever offered to us, bytes
    rte_mbuf* head = nullptr;      ///< first held segment
    rte_mbuf* tail = nullptr;
    rte_mbuf* unsent = nullptr;     ///< first segment with bytes at or above nxt
    rte_mbuf* last_left = nullptr;  ///< the last one with bytes below nxt, if it is held
    std::uint32_t mbufs = 0;
    MbufList in_flight, lost;  ///< see scoreboard
    rte_mbuf *first_station = nullptr, *last_station = nullptr;
    std::uint8_t since_station = 0;  ///< segments behind the last station

    bool fin_queued = false, fin_sent = false, fin_acknowledged = false;
    bool fin_lost = false;
    Position fin = 0;  ///< position of our FIN, if fin_queued

    std::uint8_t last_byte = 0;  ///< byte at position una - 1, if has_last_byte
    bool has_last_byte = false;

    // Congestion control and loss recovery; all in bytes.
    std::uint32_t cwnd = 0, ssthresh = 0x7fffffff;
    std::uint32_t sacked_bytes = 0, lost_bytes = 0;
    /// Recovery ends when una reaches it; the window was lowered for what lies below.
    Position recovery_end = 0;
    Position repeated_end = 0;                    ///< nothing at or above it was ever sent again
    Position cwnd_full_at = 0;                    ///< nxt when cwnd last kept something back
    Position tail_probe_end = 0;                  ///< nxt at the tail loss probe that is out; 0 = none is
    Instant last_sent{};                          ///< when payload last left
    Instant reordering_until = Instant::never();  ///< what seems out of order is lost then
    Cubic cubic;
    SlowStart slow_start;
    Rack rack;
    RateReduction prr;
    Undo undo;
    bool in_recovery = false, in_loss = false;
    bool tail_probe_repeats = false;  ///< the probe repeated a segment, so its loss would be hidden
    bool repeat_now = false;          ///< the first loss of a recovery goes out whatever the pipe holds
    bool cwr_owed = false;            ///< the next new data says that the window was lowered (RFC 3168)
    std::uint8_t duplicate_acks = 0;

    SendTimer timer = SendTimer::none;
    Instant timer_at = Instant::never();
    std::uint8_t backoff = 0;  ///< consecutive timeouts
};

/// The receiving direction. RCV.NXT of the RFC is `next`: up to there everything has been seen. The ledger's
/// received() follows when the parent has taken it.
struct ReceiveSide {
    Reassembly queue;
    Position next = 0;
    Position edge_limit = 0;  ///< right edge that the parent allows
    Position edge_sent = 0;   ///< highest right edge ever announced
    bool fin_known = false, fin_taken = false;
    Position fin = 0;             ///< position of the endpoint's FIN, if fin_known
    std::uint32_t ts_recent = 0;  ///< RFC 7323 section 4.3
    bool ts_recent_valid = false;
    Instant ts_recent_at{};
    Position newest_out_of_order = 0;
    Position repaired_at = 0;     ///< an ACK of it ends the endpoint's recovery, as far as we can see
    std::uint8_t unanswered = 0;  ///< segments with text since the last ACK; stops at the highest number

    bool ack_now = false;        ///< the next service sends an ACK in any case
    bool out_of_order = false;   ///< a duplicate ACK with SACK is owed
    bool sack_from_far = false;  ///< SACK reports what the far end has, not what waits here
    bool hold_counted = false;
    bool congestion_seen = false;  ///< every ACK says ECE until the endpoint says CWR (RFC 3168)
    std::uint8_t duplicate_count = 0;
    Instant hold_until = Instant::never();      ///< it leaves at this time even if bytes are withheld
    std::array<PositionRange, 2> duplicates{};  ///< seen again, duplicate_count of them; owed as D-SACK
    AckLedger ledger;                           ///< last: most of it is for SACK
};

/// Everything that a standby rebuilds by itself.
struct TcbSoft {
    State state = State::closed;
    net::NextHop next_hop = net::no_next_hop;  ///< of the endpoint; found at the first segment
    Instant last_heard{};
    SendSide snd;
    Rtt rtt;
    ReceiveSide rcv;
    Instant time_wait_until = Instant::never();
    Instant challenge_window{};  ///< start of the present second of challenge ACKs
    std::uint8_t challenges = 0;
    std::uint16_t mss_full = 0;  ///< hard.leg.mss_send before the path MTU lowered it; 0 = it did not
    Instant mss_until = Instant::never();      ///< when a larger size may be tried again
    Instant last_oow_ack{-1'000'000'000'000};  ///< last ACK sent in answer to an unacceptable segment
};

struct Tcb {
    TcbHard hard;
    TcbSoft soft;
};

/// Begins receiving at position `next`: everything below is received and acknowledged.
inline void start_receiving(Tcb& t, Position next) {
    t.soft.rcv.congestion_seen = false;
    t.soft.rcv.ledger.start(next);
    t.soft.rcv.next = next;
}

/// What every operation on a Tcb may use; made once per duty cycle and core.
struct Context {
    Instant now;
    std::uint32_t ts_now;  ///< millisecond clock for TSval, shared by both nodes; the leg's offset is added
    const TcpConfig& config;
    net::Interface& net;
    TcpCounters& counters;
    net::Self self = net::Self::virtual_self;
};

inline SeqNum send_seq(const Tcb& t, Position p) { return to_seq(t.hard.leg.iss, p); }
inline SeqNum receive_seq(const Tcb& t, Position p) { return to_seq(t.hard.leg.irs, p); }

/// Payload bytes that fit one segment with the options that every segment carries.
//= rfc9293#3.7.1
//  The smaller of what the endpoint takes and the path carries, less the options.
inline std::uint32_t effective_mss(const Tcb& t) {
    const std::uint32_t options = t.hard.timestamps ? 12 : 0;
    return t.hard.leg.mss_send > options + 64 ? t.hard.leg.mss_send - options : 64;
}

}  // namespace holdfast::tcp
