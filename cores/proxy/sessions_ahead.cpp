// What waits above a hole, where SACK says what the far end has: it goes ahead, and news of it comes back.
#include "cores/proxy/sessions.hpp"

namespace holdfast::proxy {

/// The far end's window does not reach so far, which only a lead makes possible: then SACK says what waits
/// here. Whoever configures a lead accepts that a takeover looks like reneging to a sender that recovers just
/// then.
void Sessions::report_here(tcp::ReceiveSide& rcv, tcp::PositionRange waiting) {
    rcv.queue.mark_sacked(waiting);
    rcv.out_of_order = true;
    rcv.newest_out_of_order = waiting.begin;
    s_.tcp_counters.add(tcp::Counter::sack_beyond_far);
}

/// What waits above a hole goes on to the far end as copies: only what that has may be reported by SACK, or a
/// takeover would lose bytes that the endpoint was told to be safe.
void Sessions::offer_ahead(std::uint32_t slot) {
    auto& ring = s_.lane.to[index(other(s_.side))];
    auto& rcv = legs_[slot].tcb.soft.rcv;
    auto room = other_cell(slot).room_ahead.load(std::memory_order_relaxed);
    const auto far_edge = other_cell(slot).edge.load(std::memory_order_relaxed);
    const bool lead = s_.config.tcp.window_lead > 0;
    // What finds no room hides what lies beyond the far edge: that many are passed over to find it, others
    // the next time.
    constexpr int passed_max = 64;
    int passed = 0;
    const rte_mbuf* first_passed = nullptr;
    for (auto* m = rcv.queue.next_offer(); m != nullptr && m != first_passed; m = rcv.queue.next_offer()) {
        const auto& d = meta(m);
        if (lead && d.end() > far_edge) {
            report_here(rcv, {d.begin, d.end()});
            continue;
        }
        if (d.payload_len > room || ring.free_count() < 2) {
            if (!lead || ++passed > passed_max) return;
            if (first_passed == nullptr) first_passed = m;
            rcv.queue.offer_later();
            room = 0;
            continue;
        }
        auto copy = tcp::copy_of(m, s_.net.pool());
        if (!copy) return s_.tcp_counters.add(tcp::Counter::no_buffer);
        rcv.queue.note_offered();
        room -= d.payload_len;
        ring.push({MessageKind::ahead, 0, 0, id_of(slot), 0, copy.release(), 0, 0});
    }
}

/// The far end has these bytes above a hole: so may we say.
void Sessions::take_sacked(std::uint32_t slot, tcp::PositionRange range) {
    auto& rcv = legs_[slot].tcb.soft.rcv;
    if (!rcv.queue.mark_sacked(range)) return;
    rcv.out_of_order = true;
    rcv.newest_out_of_order = range.begin;
}

}  // namespace holdfast::proxy
