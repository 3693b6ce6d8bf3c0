// SYN cookies: when too many handshakes are half done, a SYN is answered and forgotten. The session begins
// when the client answers the cookie; then the server is asked as ever, with what the cookie agreed on.
//
//     client            client core              standby        server core            server
//       | SYN ------------> |                                           |                  |
//       | <-- SYN-ACK, cookie |                                         |                  |
//       | ACK, data ------> | open ----------------------------------> | SYN ------------> |
//       |                   | <-------------------------------- accepted | <------- SYN-ACK |
//       |                   | Opened ---------------> |                  |                  |
//       |                   | <------------- confirmed |                 |                  |
//       |                   | established, data ---------------------> | ACK, data ------> |
//
// R2 leaves the client's leg of such a session out. Until the last line what the client sends waits,
// unacknowledged and no more than cookie_window bytes of it. If its bare ACK is lost and it has nothing to
// say, nobody can know of it: a SYN-ACK that is not kept is not repeated (RFC 4987 section 3.6).
#include <algorithm>

#include "cores/proxy/sessions.hpp"
#include "cores/tcp/emit.hpp"
#include "cores/tcp/syn_cookie.hpp"

namespace holdfast::proxy {

namespace flag = wire::flag;

/// Counts half-open sessions; from limits.half_open on cookies are given, until a quarter of them is gone.
void Sessions::count_half_open(std::int32_t change) {
    half_open_ += static_cast<std::uint32_t>(change);
    const auto bound = s_.config.limits.half_open;
    cookies_ = half_open_ >= (cookies_ ? bound - bound / 4 : bound);
    s_.lane.core[index(s_.side)].cookies.store(cookies_, std::memory_order_relaxed);
}

/// The leg's handshake is over, one way or the other.
void Sessions::leave_half_open(std::uint32_t slot) {
    auto& leg = legs_[slot];
    if (!leg.half_open) return;
    leg.half_open = false;
    count_half_open(-1);
}

void Sessions::answer_by_cookie(const wire::Frame& frame, std::uint16_t service) {
    const Endpoint local{frame.destination, frame.tcp.destination_port},
        remote{frame.source, frame.tcp.source_port};
    auto offer = tcp::read_offer(frame.tcp);
    offer.sack = offer.sack && may_agree_on_sack(s_.config.services[service]);
    const auto agreed = tcp::cookie_offer(s_.lane.backend_options.accepted_by_all(service, offer));
    wire::TcpHeader h;
    h.flags = flag::syn | flag::ack;
    h.seq = tcp::make_cookie(s_.secrets, {local, remote, frame.tcp.seq}, agreed, shared_now());
    h.ack = frame.tcp.seq + 1;
    h.window = tcp::cookie_window;
    h.options.mss = mss_for(0xffff, s_.net.settings().mtu, remote.address);
    h.options.sack_permitted = agreed.sack;
    h.options.has_window_scale = agreed.window_scaling;
    h.options.window_scale = tcp::cookie_scale;
    h.options.has_timestamps = agreed.timestamps;
    if (agreed.timestamps) {
        h.options.ts_value =
            tcp::cookie_timestamp(agreed, context_.ts_now) + s_.secrets.timestamp_offset(local, remote);
        h.options.ts_echo = frame.tcp.options.ts_value;
    }
    tcp::emit_reply(frame, h, context_);
    s_.counters.add(Counter::cookies_sent);
    cookies_until_ = now_ + tcp::cookie_lifetime;
}

/// A segment of no session may answer a cookie, of this node or of the one that was active before it. True
/// when it does: it is dealt with.
bool Sessions::open_by_cookie(const wire::Frame& frame, Packet&& packet) {
    const bool may_answer = is_client() && now_ < cookies_until_ && frame.tcp.has(flag::ack) &&
                            !frame.tcp.has(flag::syn) && !frame.tcp.has(flag::rst);
    std::uint16_t service = 0;
    const Endpoint local{frame.destination, frame.tcp.destination_port},
        remote{frame.source, frame.tcp.source_port};
    if (!may_answer || find_service(local, service) == nullptr) return false;
    const SeqNum irs{frame.tcp.seq.value - 1}, iss{frame.tcp.ack.value - 1};
    const auto offset = s_.secrets.timestamp_offset(local, remote);
    std::optional<std::uint32_t> echo;
    if (frame.tcp.options.has_timestamps) echo = frame.tcp.options.ts_echo - offset;
    auto agreed = tcp::read_cookie(s_.secrets, {local, remote, irs}, iss, echo, shared_now());
    if (!agreed) {
        s_.counters.add(Counter::cookies_refused);
        return false;
    }
    s_.counters.add(Counter::cookies_accepted);
    agreed->window = static_cast<std::uint16_t>(
        std::min<std::uint32_t>(std::uint32_t{frame.tcp.window} << agreed->scale, 0xffff));
    if (!may_open(service, frame)) return true;
    const auto slot = begin(frame, service, {irs, iss}, *agreed);
    if (slot == FlowTable::none) {
        // The client believes that it is connected: it is told that it is not.
        tcp::emit_reset_reply(frame, context_);
        return true;
    }
    // The cookie may come from a node whose clock was ahead of ours: TSval never goes back.
    auto& l = record(slot).leg[index(Side::client)];
    if (echo && static_cast<std::int32_t>(*echo - context_.ts_now) > 0)
        l.ts_offset += *echo - context_.ts_now;
    note_live(slot);
    establish_by_cookie(slot);
    in_terminated(slot, frame, std::move(packet));
    post(slot, MessageKind::open);
    set_view(slot, View::handshake);
    s_.counters.add(Counter::sessions_opened);
    touch(slot);
    return true;
}

/// The client's leg as its SYN-ACK left it, and the record of what that agreed on.
void Sessions::establish_by_cookie(std::uint32_t slot) {
    auto& r = record(slot);
    auto& l = r.leg[index(Side::client)];
    r.cookie = true;
    r.scale_to_client = r.window_scaling ? tcp::cookie_scale : 0;
    l.mss_receive = mss_for(0xffff, s_.net.settings().mtu, l.remote.address);
    auto& leg = legs_[slot];
    leg.cookie = true;
    auto& t = leg.tcb;
    t.hard = {l, r.sack, r.timestamps, false, r.scale_client, r.scale_to_client};
    t.soft.state = tcp::State::established;
    t.soft.rcv.edge_sent = t.soft.rcv.edge_limit = Position{1} + tcp::cookie_window;
    tcp::start_sending(t, 1);
}

}  // namespace holdfast::proxy
