// One end of a connection, played by the story: it says what the story says, and keeps what it is sent until
// the story expects it.
#pragma once

#include <deque>
#include <functional>

#include "tests/script/segment.hpp"
#include "tests/script/story.hpp"

namespace holdfast::script {

/// What a peer offers in its SYN or SYN-ACK: by default what Linux does.
struct Offer {
    std::uint16_t mss = 1460;
    int shift = 7;  ///< -1 = none
    bool sack = true, timestamps = true;
    std::uint16_t window = 64000;  ///< unscaled, and as much as afterwards
};

/// What a peer needs of the stage that it stands on.
class PeerStage {
  public:
    virtual ~PeerStage() = default;
    /// Story time.
    virtual Duration time() const = 0;
    /// One burst for the port that it is connected to.
    virtual void deliver(const class Peer& from, const std::vector<sim::Bytes>& burst) = 0;
    /// Every frame until now, for people.
    virtual std::string transcript() const = 0;
    virtual void log(const std::string& line) = 0;
};

class Peer {
  public:
    /// `salt` makes the bytes of the two directions differ.
    Peer(PeerStage& stage, std::string name, Endpoint local, MacAddress mac, SeqNum isn, std::uint8_t salt);

    // ---- what stories say ----
    /// The segments arrive together, as one burst.
    void sends(const Seg& s) { send_burst({s}); }
    void sends_together(const std::vector<Seg>& burst) { send_burst(burst); }
    /// The next segment that came is this one.
    Seen expects(const Seg& s, Where where = Where::current());
    /// An ACK of several segments while this end repairs a loss: the next two are this one.
    void expects_twice(const Seg& s, Where where = Where::current()) { expects(s, where), expects(s, where); }
    void expects_nothing(Where where = Where::current());
    /// What came and was not expected is of no interest.
    void ignores_rest() { inbox_.clear(); }
    /// The next segment, whatever it is.
    Seen takes(Where where = Where::current());

    Offer offer;
    std::uint32_t default_window = 64000;  ///< bytes
    /// Added to story time in milliseconds, it is this end's TSval.
    std::uint32_t ts_base = 0xffffff00;

    // ---- what it knows; a stage that begins in the middle of a connection sets it ----
    struct Knowledge {
        bool synchronized = false;  ///< the other end's ISN is known
        SeqNum other_isn;
        Endpoint other;
        bool timestamps = false;
        int shift = 0, other_shift = 0;
        Position sent = 0;           ///< end of all that it sent
        Position acked = 0;          ///< what it acknowledged, at most
        Position edge = 0;           ///< right edge that it granted, at most
        Position heard_ack = 0;      ///< highest ACK that it was sent
        Position heard_edge = 0;     ///< highest right edge that it was granted
        Position heard_end = 0;      ///< end of all that it was sent
        std::uint32_t heard_ts = 0;  ///< newest TSval that it was sent
        bool heard_any_ts = false;
    };
    const Knowledge& knows() const { return k_; }
    Knowledge& knowledge() { return k_; }

    const Endpoint& local() const { return local_; }
    const MacAddress& mac() const { return mac_; }
    SeqNum isn() const { return isn_; }
    const std::string& name() const { return name_; }
    void set_local(const Endpoint& local) { local_ = local; }
    void set_isn(SeqNum isn) { isn_ = isn; }
    std::uint8_t byte_at(Position p) const;
    std::uint32_t ts_now() const { return ts_base + static_cast<std::uint32_t>(stage_.time().to_ms()); }

    /// A frame for this peer. Departs when it is malformed; what must hold for every segment to any end is
    /// checked by `check` before the story sees it.
    void receive(const sim::Frame& frame, const std::function<void(const Seen&)>& check);
    bool has_unexpected() const { return !inbox_.empty(); }
    std::string describe_unexpected() const;

  private:
    sim::Bytes build(const Seg& s);
    void send_burst(const std::vector<Seg>& burst);
    sim::TcpOptions options_for(const Seg& s) const;
    std::uint16_t window_field(const Seg& s) const;
    void note_sent(const Seg& s, const sim::Segment& raw);
    void learn_from_syn(const Seen& s);

    PeerStage& stage_;
    std::string name_;
    Endpoint local_;
    MacAddress mac_;
    SeqNum isn_;
    std::uint8_t salt_;
    Knowledge k_;
    std::deque<Seen> inbox_;
};

}  // namespace holdfast::script
