#include "tests/script/takeover_stage.hpp"

namespace holdfast::script {
namespace {

constexpr SeqNum iss_to_client{0xffffff80}, iss_to_server{0xfffffb00};
constexpr std::uint32_t timestamp_offset[2] = {0xfff00000, 0x00012345};

LaneOptions as_standby(LaneOptions o, const Past& past) {
    o.starts_as_standby = true;
    o.gate = past.gate;
    return o;
}

/// What an end knows that has talked to the old active: it sent [1, sent) and acknowledged `acked`.
void remember(Peer& peer, const LegRecord& leg, Position sent, Position acked, const Past& past,
              std::uint32_t heard_ts) {
    auto& k = peer.knowledge();
    k.synchronized = true;
    k.other_isn = leg.iss;
    k.other = leg.local;
    k.timestamps = past.timestamps;
    k.shift = k.other_shift = 7;
    k.sent = sent;
    k.acked = k.heard_end = acked;
    k.edge = acked + 64'000;
    k.heard_ack = sent;
    k.heard_edge = sent + 64'000;
    k.heard_any_ts = past.timestamps;
    k.heard_ts = heard_ts;
}

}  // namespace

TakeoverStage::TakeoverStage(const Past& past, LaneOptions options)
    : LaneStage(as_standby(std::move(options), past)), past_(past) {
    install_past(0, main(), past);
}

SessionRecord TakeoverStage::record_of(std::uint32_t slot, const Conversation& c, const Past& past) const {
    SessionRecord r;
    r.id = {slot, 1};
    r.term = 1;
    r.gates = static_cast<std::uint8_t>(past.gate);
    r.sack = r.window_scaling = true;
    r.timestamps = past.timestamps;
    r.ecn[0] = r.ecn[1] = past.ecn;
    r.scale_client = r.scale_server = r.scale_to_client = 7;
    r.syn_window = 64'000;
    r.leg[0] = {service(), c.client.local(), iss_to_client, c.client.isn(), timestamp_offset[0], 1460, 1460};
    const Endpoint source{config().snat[0], static_cast<std::uint16_t>(2049 + 2 * slot)};
    r.leg[1] = {source, backend(), iss_to_server, c.server.isn(), timestamp_offset[1], 1460, 1460};
    r.opened_at = now();
    return r;
}

std::vector<ProgressRecord> TakeoverStage::hints_of(const SessionRecord& r, const Conversation& c,
                                                    const Past& past) const {
    ProgressRecord to_client, to_server;
    to_client.id = to_server.id = r.id;
    to_client.established = to_server.established = past.established;
    to_client.version = to_server.version = 1;
    to_client.una = to_server.ack = past.down;
    to_client.ack = to_server.una = past.up;
    to_client.has_last_byte = past.down > 1;
    to_client.last_byte = c.server.byte_at(past.down - 1);
    to_client.ts_recent = c.client.ts_base;
    to_server.side = Side::server;
    to_server.has_last_byte = past.up > 1;
    to_server.last_byte = c.client.byte_at(past.up - 1);
    to_server.ts_recent = c.server.ts_base;
    return {to_client, to_server};
}

void TakeoverStage::hint(const std::vector<ProgressRecord>& hints) {
    for (const auto& p : hints)
        lane().install[index(p.side)].push({proxy::InstallKind::progress, {}, p.id, 0, p});
    settle();
}

void TakeoverStage::install_past(std::uint32_t slot, Conversation& c, const Past& past,
                                 std::uint32_t generation) {
    auto r = record_of(slot, c, past);
    r.id.generation = generation;
    r.leg[1].local.port = static_cast<std::uint16_t>(r.leg[1].local.port + 200 * (generation - 1));
    // The old active's clock was the same: the mirror's handshake sees to that.
    const auto clock = static_cast<std::uint32_t>(now().ns / 1'000'000);
    remember(c.client, r.leg[0], past.up, past.down, past, clock + timestamp_offset[0]);
    remember(c.server, r.leg[1], past.down, past.up, past, clock + timestamp_offset[1]);
    c.server_bound = true;
    install(r, past.progress ? hints_of(r, c, past) : std::vector<ProgressRecord>{});
}

Conversation& TakeoverStage::install_another(const Past& past) {
    auto& c = another();
    install_past(static_cast<std::uint32_t>(conversations().size() - 1), c, past);
    return c;
}

Conversation& TakeoverStage::use_slot_again(const Past& past) {
    auto& c = another();
    install_past(0, c, past, 2);
    return c;
}

void TakeoverStage::remove(std::uint32_t slot) {
    for (auto& ring : lane().install) ring.push({proxy::InstallKind::remove, {}, record(slot).id, 0, {}});
    settle();
}

void TakeoverStage::take_over_and_probe() {
    take_over();
    client().expects(probe(down() - 1).ack(up() - 1));
    server().expects(probe(up() - 1).ack(down() - 1));
}

void TakeoverStage::both_heard() {
    client().sends(ack(down()));
    server().expects(ack(down()).seq(up()));
    server().sends(ack(up()));
    client().expects(ack(up()).seq(down()));
}

}  // namespace holdfast::script
