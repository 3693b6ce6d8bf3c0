// One end of a TCP connection, as Linux behaves, and strict: whatever the other side may never do is a
// violation. Nothing in here is shared with cores/tcp.
//
// Positions count as in lib/base/seq_num.hpp: 0 is the SYN, byte n of the stream stands at n + 1, the FIN
// follows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/time.hpp"
#include "tests/sim/congestion_marks.hpp"
#include "tests/sim/frame.hpp"
#include "tests/sim/journal.hpp"
#include "tests/sim/receive_queue.hpp"
#include "tests/sim/round_trip.hpp"
#include "tests/sim/send_queue.hpp"
#include "tests/sim/stream.hpp"

namespace holdfast::sim {

enum class State : std::uint8_t {
    closed,
    syn_sent,
    syn_received,
    established,
    fin_wait_1,
    fin_wait_2,
    close_wait,
    closing,
    last_ack,
    time_wait
};
inline constexpr std::string_view state_names[] = {"closed",     "syn_sent",   "syn_received", "established",
                                                   "fin_wait_1", "fin_wait_2", "close_wait",   "closing",
                                                   "last_ack",   "time_wait"};
constexpr std::string_view name(State s) { return state_names[static_cast<std::size_t>(s)]; }

/// How a connection ended.
enum class Ending : std::uint8_t { none, finished, refused, reset, timed_out, aborted };
inline constexpr std::string_view ending_names[] = {"none",  "finished",  "refused",
                                                    "reset", "timed out", "aborted"};
constexpr std::string_view name(Ending e) { return ending_names[static_cast<std::size_t>(e)]; }

/// What differs from one Linux host to the next.
struct SocketOptions {
    SeqNum isn;
    std::uint16_t mss = 1460;             ///< announced
    bool sack = true, timestamps = true;  ///< offered, or accepted
    bool ecn = false;
    std::optional<std::uint8_t> window_scale = 7;
    std::uint8_t extra_option = 0;  ///< a further option kind on our SYN that nobody may pass on
    std::uint32_t receive_buffer = 65536;
    std::uint32_t timestamp_offset = 0;
    bool nodelay = true;
    bool tail_probe = true;
    bool data_with_final_ack = false;  ///< the handshake's last ACK waits for the first data
    unsigned initial_window = 10;      ///< segments
    unsigned quick_acks = 16;          ///< acknowledged at once before ACKs are delayed
    Duration delayed_ack = milliseconds(40);
    Duration rto_min = milliseconds(200), rto_initial = seconds(1), rto_max = seconds(120);
    Duration time_wait = seconds(60);
    Duration oow_interval = milliseconds(500);  ///< Linux's tcp_invalid_ratelimit
    Duration keepalive_idle{}, keepalive_interval = seconds(1);
    unsigned keepalive_probes = 5;
    unsigned syn_retries = 6, data_retries = 15;
    /// The window that a SYN cookie gave the peer before this end was asked: after a takeover the peer's
    /// segments come as they are, though this end can not take all of them yet.
    std::uint32_t granted_by_cookie = 0;
    /// A node that dies takes with it what it had SACKed, so only between two ends without a node it is a
    /// violation here; a node's own promises are judged where they are sent (wire_checker.hpp).
    bool reneging_is_wrong = false;
    bool judges_content = true;  ///< false: nobody can tell beforehand what the peer says
};

class Socket;

/// Who carries a socket's segments and wants to know what becomes of it.
class SocketOwner {
  public:
    virtual ~SocketOwner() = default;
    virtual void transmit(Socket& socket, Segment& segment) = 0;
    virtual void state_changed(Socket& socket, State before) = 0;
};

class Socket {
  public:
    Socket(SocketOwner& owner, Journal& journal, std::string name, const SocketOptions& options,
           const Endpoint& local, const Endpoint& remote, Stream out, Stream in);

    // The application's side.
    void open(Instant now);
    void write(std::uint64_t bytes, Instant now);
    void shutdown(Instant now);
    void abort(Instant now);
    /// Takes `bytes` of what readable() offers.
    void read(std::uint64_t bytes, Instant now);
    std::uint64_t readable() const { return received() - consumed_; }
    std::uint64_t received() const { return receive_.next() - 1; }
    std::uint64_t written() const { return written_; }
    /// The peer's FIN stands directly behind what was received.
    bool end_of_stream() const { return fin_taken_; }

    // The network's side.
    void accept(const Segment& syn, Instant now);
    void arrive(const Segment& segment, Instant now);
    void advance(Instant now);
    /// An ACK is owed for something that the socket does not see.
    void acknowledge(Instant now);
    Instant deadline() const;
    /// A SYN that may replace this connection in TIME-WAIT.
    bool reusable_for(const Segment& syn) const;

    // What a checker may know.
    const std::string& label() const { return name_; }
    const Endpoint& local() const { return local_; }
    const Endpoint& remote() const { return remote_; }
    State state() const { return state_; }
    Ending ending() const { return ending_; }
    SeqNum iss() const { return options_.isn; }
    SeqNum irs() const { return irs_; }
    Position una() const { return una_; }
    Position sent_end() const { return sent_end_; }
    /// One above the highest position received in order, FIN included: what we acknowledge.
    Position next() const { return receive_.next() + (fin_taken_ ? 1 : 0); }
    bool holds(Range r) const { return receive_.holds(r); }
    std::optional<Position> fin_position() const {
        return fin_sent_ ? std::optional(written_ + 1) : std::nullopt;
    }
    Position granted() const { return granted_; }
    /// Shift of the windows that it sends, and of those that it is sent.
    std::uint8_t scale_in() const { return scale_in_; }
    std::uint8_t scale_out() const { return scale_out_; }
    std::uint64_t segments_resent() const { return resent_; }

  private:
    enum class AckNeed : std::uint8_t { none, later, now };

    // socket.cpp
    void become(State next);
    void finish(Ending ending);
    void agree(const TcpOptions& theirs);
    std::uint32_t timestamp_clock() const;
    void violate(const std::string& rule, const std::string& text) const;

    // socket_arrival.cpp: in the order of RFC 9293 section 3.10.7
    void inspect(const Segment& s);
    void inspect_options(const Segment& s);
    void arrive_syn_sent(const Segment& s);
    void arrive_syn_received(const Segment& s);
    void arrive_time_wait(const Segment& s);
    void arrive_synchronized(const Segment& s);
    bool acceptable(const Segment& s);
    void take_reset(const Segment& s);
    bool take_ack(const Segment& s);
    void take_window(const Segment& s, Position ack);
    void take_sack(const Segment& s, Position ack);
    void take_progress(const Segment& s, Position ack);
    void find_losses(bool progress, bool duplicate);
    void take_data(const Segment& s);
    void take_fin(const Segment& s);
    void take_fin_if_due();
    void after_ack_of_fin();
    void check_content(const Segment& s, Position begin);
    bool rate_limited(const Segment& s);
    void answer_out_of_window(const Segment& s);
    void want_ack(AckNeed need) { ack_need_ = std::max(ack_need_, need); }
    void acknowledge_if_due();

    // socket_output.cpp
    void push();
    void resend_lost();
    bool send_new();
    void resend(Sent& s);
    void send_range(Position begin, Position end, bool fin, bool push, bool fresh);
    void send_ack(Position seq);
    void send_syn();
    void send_reset();
    void emit(Segment& s, Position begin, bool fresh = false);
    void take_congestion_echo(const Segment& s, Position ack);
    void fill_options(Segment& s);
    std::uint16_t select_window(bool scaled);
    std::uint64_t free_space() const;
    std::uint32_t payload_limit() const;
    bool may_send_data() const;
    bool everything_sent() const;

    // socket_timers.cpp
    void arm();
    void arm_persist();
    void retransmit_syn();
    void retransmit_timeout();
    void probe_tail();
    void probe_window();
    void probe_idle();

    SocketOwner& owner_;
    Journal& journal_;
    std::string name_;
    SocketOptions options_;
    Endpoint local_, remote_;
    Stream out_, in_;
    Instant now_{};
    State state_ = State::closed;
    Ending ending_ = Ending::none;

    // Agreed in the handshake.
    SeqNum irs_;
    std::uint16_t mss_ = 536;
    bool sack_ = false, timestamps_ = false, scaled_ = false;
    std::uint8_t scale_in_ = 0, scale_out_ = 0;  ///< shifts of windows that we send, and that we receive
    CongestionMarks marks_;

    // Sending.
    SendQueue queue_;
    RoundTrip trip_;
    std::uint64_t written_ = 0, resent_ = 0;
    Position una_ = 0, sent_end_ = 0, recovery_end_ = 0, window_edge_ = 0, window_seq_ = 0;
    std::uint64_t window_ = 0, window_max_ = 0;
    std::vector<Range> sacked_;               ///< everything above una_ that was ever SACKed
    std::vector<std::uint32_t> clocks_sent_;  ///< distinct TSvals, in order
    std::uint32_t cwnd_ = 10, ssthresh_ = 1u << 30, cwnd_credit_ = 0;
    unsigned duplicates_ = 0, timeouts_ = 0, probes_ = 0, probe_backoff_ = 0;
    bool fin_queued_ = false, fin_sent_ = false, in_recovery_ = false, tail_probed_ = false,
         restart_timer_ = false, reneged_ = false;

    // Receiving.
    ReceiveQueue receive_;
    std::optional<Position> fin_at_;
    std::optional<Range> duplicate_;
    Position granted_ = 1, acknowledged_ = 0;  ///< right edge, and what our last segment acknowledged
    std::uint64_t consumed_ = 0;
    std::uint32_t ts_recent_ = 0;
    unsigned quick_acks_ = 0;
    std::uint32_t largest_payload_ = 0;
    AckNeed ack_need_ = AckNeed::none;
    bool fin_taken_ = false;
    Instant heard_at_{}, last_out_of_window_{-seconds(3600).ns};

    Instant rto_at_ = Instant::never(), tail_probe_at_ = Instant::never(), reorder_at_ = Instant::never(),
            persist_at_ = Instant::never(), ack_at_ = Instant::never(), keepalive_at_ = Instant::never(),
            time_wait_at_ = Instant::never();
};

}  // namespace holdfast::sim
