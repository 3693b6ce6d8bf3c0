// ICMP errors about our segments: paths that carry less than we thought, and backends that refuse.
#include "cores/proxy/sessions.hpp"
#include "cores/tcp/path_mtu.hpp"

namespace holdfast::proxy {

namespace {

/// Positions that may be in flight on a translated leg: what was forwarded to the endpoint and it has not
/// acknowledged to us yet.
bool may_be_in_flight(const Leg& leg, const wire::IcmpError& e) {
    return leg.heard->any && tcp::is_in_flight(leg.tcb, e, leg.heard->ack, leg.heard->tail_end);
}

}  // namespace

void Sessions::icmp_error(const wire::IcmpError& e, Instant now) {
    set_now(now);
    //= rfc9293#3.9.2.2
    //  The quoted header names the connection.
    const auto slot = flows_.find({e.local.address, e.remote.address, e.local.port, e.remote.port, 0});
    if (!active_ || slot == FlowTable::none) return s_.counters.add(Counter::icmp_error_unknown);
    if (slot >= legs_.size()) return check_refused(check_of(slot), e);
    auto& leg = legs_[slot];
    const auto& snd = leg.tcb.soft.snd;
    switch (leg.phase) {
        case Phase::connecting:
            //= rfc1122#4.2.3.9
            //  A host that nobody listens on ends the attempt; one that is out of reach may come back, and is
            //  not waited for while there is another.
            if (e.seq != leg.tcb.hard.leg.iss) break;
            if (e.kind == wire::IcmpError::Kind::refused) try_next_backend(slot, BackendReason::refuses);
            else if (e.kind == wire::IcmpError::Kind::lost && has_other_backend(slot))
                try_next_backend(slot, BackendReason::unreachable);
            else return s_.counters.add(Counter::icmp_error_noted);
            return touch(slot);
        case Phase::terminated:
            if (!tcp::is_in_flight(leg.tcb, e, snd.una, snd.nxt)) break;
            return take_icmp_error(slot, e);
        case Phase::translated:
            if (!may_be_in_flight(leg, e)) break;
            return take_icmp_error(slot, e);
        default: break;
    }
    //= rfc5927#4.1
    //  An error about a segment that is not in flight is somebody's guess.
    s_.counters.add(Counter::icmp_error_blind);
}

void Sessions::take_icmp_error(std::uint32_t slot, const wire::IcmpError& e) {
    //= rfc5927#5.2
    //  An established connection is not ended by what anybody may say of it.
    const bool lowered =
        e.kind == wire::IcmpError::Kind::too_big && tcp::lower_path_mtu(legs_[slot].tcb, e, context_);
    if (!lowered) return s_.counters.add(Counter::icmp_error_noted);
    touch(slot);
    service_touched();
}

}  // namespace holdfast::proxy
