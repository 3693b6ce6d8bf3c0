// One session as the application core holds it.
#pragma once

#include "lib/session/record.hpp"
#include "lib/table/block_buffer.hpp"

struct rte_mbuf;

namespace holdfast::app {

enum class AppPhase : std::uint8_t {
    free,
    stored,   ///< standby: known from the mirror
    opening,  ///< its client has not completed the handshake
    open,     ///< the application has it
    over,     ///< what it held is gone; messages are still to be sent
};

/// How far a session has come: what one look at it finds, or one group of records says.
struct Extent {
    Position committed = 1;   ///< of the client's stream; its FIN counts
    Position una = 1;         ///< of the replies: acknowledged by the client
    Position end = 1;         ///< of the replies
    bool client_fin = false;  ///< `committed` counts the client's FIN
    bool finished = false;    ///< a FIN follows the replies
    friend bool operator==(const Extent&, const Extent&) = default;
};

/// All bytes zero is a free one. Positions as in LegCell.
///
///     client's stream      committed     taken          received
///     ---------------------|-- held -----|-- to deliver --|
///     replies     una             passed        allowed.end      end
///     ------------|-- with the leg --|-- may leave --|-- waits for the standby --|
struct AppSession {
    AppPhase phase = AppPhase::free;
    bool touched = false, retry = false;
    bool fin_received = false;   ///< the client's, behind `received`
    bool end_told = false;       ///< and the application knows
    bool end_done = false;       ///< and is done with it
    bool finished = false;       ///< the application says no more
    bool fin_passed = false;     ///< and the client core knows
    bool short_of_room = false;  ///< reply() had less than was wanted
    bool listed_short = false;   ///< and it waits for room in limits.replies
    bool waiting = false;        ///< something can not take effect, as no standby is in sync
    bool outstanding = false;    ///< a group of records was not confirmed yet; only in the present epoch
    bool partial = false;        ///< a group of records is written in part
    bool whole = false;          ///< stored: with a whole group of records
    bool lost = false;           ///< stored: something did not fit
    std::uint16_t service = 0;
    std::uint16_t segment_size = 0;  ///< payload of a full segment to the client
    std::uint16_t pending = 0;       ///< bit per MessageKind that is still to be sent
    std::uint32_t generation = 0;
    std::uint32_t mark = 0;   ///< stored: the snapshot that named it last
    std::uint32_t epoch = 0;  ///< of the mirror: the first record of the session in it is written

    rte_mbuf *head = nullptr, *tail = nullptr;  ///< what is not committed
    rte_mbuf* next = nullptr;                   ///< of these, the first that is not taken in whole
    std::uint32_t mbufs = 0;
    Position received = 1, taken = 1, committed = 1;

    BlockBuffer replies;
    Position una = 1, passed = 1;

    Extent allowed;    ///< has taken effect: what may be acknowledged and sent. Stored: complete
    Extent journaled;  ///< what the last whole group said; its `end`, what any record said
    Extent group;      ///< takes effect when `group_sequence` is confirmed
    std::uint64_t group_sequence = 0;
};

}  // namespace holdfast::app
