#include "tests/script/lane_stage.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace holdfast::script {
namespace {

constexpr std::size_t transcript_lines = 60;

std::string unique_prefix() {
    static unsigned number = 0;
    return "st" + std::to_string(number++);
}

const MacAddress node_mac[2] = {{{2, 0, 0, 0, 1, 1}}, {{2, 0, 0, 0, 1, 2}}};
const MacAddress peer_mac[2] = {{{2, 0, 0, 0, 9, 1}}, {{2, 0, 0, 0, 9, 2}}};

net::InterfaceSettings port_settings(const Config& c, Side side) {
    const auto& port = side == Side::client ? c.client : c.server;
    net::InterfaceSettings s;
    s.own_mac = node_mac[index(side)];
    s.own_address = port.address;
    s.own_address6 = port.address6;
    s.virtual_mac = port.virtual_mac;
    s.virtual_addresses = side == Side::client ? std::vector{LaneStage::service().address} : c.snat;
    s.mtu = port.mtu;
    s.vlan = port.vlan;
    return s;
}

/// Our clock makes our ISNs: it starts where the client leg's wraps after a few hundred bytes.
Instant start_of_time(const tcp::Secrets& secrets, const Endpoint& client) {
    const auto at_zero = secrets.initial_sequence(LaneStage::service(), client, Instant{});
    return Instant{} + microseconds(4) * static_cast<std::int64_t>(0xfffffd00u - at_zero.value);
}

/// A host of a side's network, in the family that it speaks.
IpAddress host(Side side, unsigned number) {
    if (LaneStage::speaks_ipv6(side))
        return *IpAddress::parse((side == Side::client ? "2001:db8:1::" : "2001:db8:2::") +
                                 std::to_string(number));
    return *IpAddress::parse((side == Side::client ? "192.0.2." : "198.51.100.") + std::to_string(number));
}

Endpoint client_endpoint(std::size_t number) {
    return {host(Side::client, 7), static_cast<std::uint16_t>(40'000 + number)};
}

/// A port with both families, and room for the larger header where its network speaks IPv6.
PortConfig make_port(Side side, std::uint16_t mtu) {
    PortConfig p;
    p.address = *Prefix::parse(side == Side::client ? "192.0.2.2/24" : "198.51.100.2/24");
    p.address6 = *Prefix::parse(side == Side::client ? "2001:db8:1::2/64" : "2001:db8:2::2/64");
    p.virtual_mac = LaneStage::virtual_mac(side);
    p.mtu = static_cast<std::uint16_t>(mtu + (LaneStage::speaks_ipv6(side) ? 20 : 0));
    return p;
}

/// Bytes of an mbuf for any frame of the port.
std::uint16_t room_for(const PortConfig& port) {
    constexpr int link = 18;
    return std::max(packet_data_room, static_cast<std::uint16_t>(RTE_PKTMBUF_HEADROOM + port.mtu + link));
}

template <class Id, std::size_t N>
std::optional<std::uint64_t> find_counter(const Counters<Id>& counters, const CounterRow (&rows)[N],
                                          std::string_view name) {
    for (std::size_t i = 0; i < N; ++i)
        if (rows[i].name == name) return counters.get(i);
    return std::nullopt;
}

}  // namespace

void Conversation::begin_anew(SeqNum isn) {
    const auto to = client.knows().other;
    client.knowledge() = {};
    client.knowledge().other = to;
    client.set_isn(isn);
    server.knowledge() = {};
    server_bound = false;
}

const proxy::JournalEntry* Standby::newest(Side side, proxy::JournalKind kind) const {
    const auto& list = records[index(side)];
    const auto it = std::find_if(list.rbegin(), list.rend(), [&](const auto& e) { return e.kind == kind; });
    return it == list.rend() ? nullptr : &*it;
}

bool LaneStage::speaks_ipv6(Side side) {
    const char* families = std::getenv("HOLDFAST_STORY_FAMILIES");
    return families != nullptr && families[0] != 0 && families[index(side)] == '6';
}

Endpoint LaneStage::service() { return {host(Side::client, 100), 80}; }
Endpoint LaneStage::backend(unsigned i) { return {host(Side::server, 10 + i), 8080}; }

Config LaneStage::make_config(const LaneOptions& o) const {
    Config c;
    c.client = make_port(Side::client, o.client_mtu);
    c.server = make_port(Side::server, o.server_mtu);
    c.client.vlan = o.client_vlan;
    c.server.vlan = o.server_vlan;
    c.snat = {host(Side::server, 200)};
    auto s = o.service;
    s.name = "story";
    s.address = service();
    s.gate = o.gate;
    if (has(o.gate, Gate::app) && s.application == ApplicationKind::none)
        s.application = ApplicationKind::echo;
    for (unsigned i = 0; i < o.backends && !has(o.gate, served_here); ++i) s.backends.push_back(backend(i));
    c.services = {s};
    c.tcp = o.tcp;
    c.limits = o.limits;
    c.limits.mbufs = o.mbufs;
    c.mirror_link.store_wait = o.store_wait;
    c.key.assign(32, 0x5a);
    return c;
}

LaneStage::LaneStage(const LaneOptions& options, const app::ApplicationFactory& application,
                     const app::HostLinks& host_link)
    : config_(make_config(options)),
      begin_(start_of_time(tcp::Secrets(config_.key), client_endpoint(0))),
      now_(begin_),
      pools_{test::MbufPool(options.mbufs, room_for(config_.client)),
             test::MbufPool(options.mbufs, room_for(config_.server))},
      lane_(unique_prefix(), config_, SOCKET_ID_ANY),
      secrets_(config_.key),
      client_control_(unique_prefix(), SOCKET_ID_ANY),
      server_control_(unique_prefix(), SOCKET_ID_ANY),
      client_core_(Side::client, config_, port_settings(config_, Side::client), pools_[0].get(), lane_,
                   client_control_, secrets_, unique_prefix(), SOCKET_ID_ANY, 1, begin_),
      server_core_(Side::server, config_, port_settings(config_, Side::server), pools_[1].get(), lane_,
                   server_control_, secrets_, unique_prefix(), SOCKET_ID_ANY, 2, begin_) {
    if (lane_.application) {
        echoes_ = has(options.gate, Gate::app) && !application;
        application_core_.emplace(config_, pools_[0].get(), lane_,
                                  echoes_ ? app::make_application : application, host_link, begin_);
    }
    if (options.exact_frames)
        for (auto& pool : pools_) pool.end_exactly();
    lane_.node.speak_until_ns = Instant::never().ns;
    another();
    if (options.starts_as_standby) {
        lane_.node.role = proxy::Role::standby;
        ++lane_.node.role_epoch;
        settle();
    } else {
        become_active(1);
    }
    if (options.standby_connected) connect_standby();
}

LaneStage::~LaneStage() {
    if (ignores_rest_) return;
    for (const auto& c : conversations_)
        for (const auto* peer : {&c.client, &c.server})
            if (peer->has_unexpected()) depart_at_end(peer->describe_unexpected() + "\n" + transcript());
}

Conversation& LaneStage::another() {
    const auto n = conversations_.size();
    const auto suffix = n == 0 ? std::string() : " " + std::to_string(n + 1);
    const auto step = static_cast<std::uint32_t>(n) * 64;
    auto& c = conversations_.emplace_back(
        Conversation{Peer(*this, "client" + suffix, client_endpoint(n), peer_mac[0], client_isn + step, 0),
                     Peer(*this, "server" + suffix, backend(), peer_mac[1], server_isn + step, 0x5c)});
    c.client.knowledge().other = service();
    return c;
}

void LaneStage::log(const std::string& line) {
    char at[32];
    std::snprintf(at, sizeof at, "%12.3f ms  ", static_cast<double>(time().ns) / 1e6);
    transcript_.push_back(at + line);
    if (transcript_.size() > transcript_lines) transcript_.pop_front();
}

std::string LaneStage::transcript() const {
    std::string text;
    for (const auto& line : transcript_) text += line + "\n";
    return text;
}

// ---- time ----

Instant LaneStage::next_deadline() const {
    const auto at = earlier(client_core_.next_deadline(), server_core_.next_deadline());
    return has_application() ? earlier(at, application_core_->next_deadline()) : at;
}

void LaneStage::at(Duration t) {
    const auto target = begin_ + t;
    if (target < now_) throw Departure("the story goes back in time");
    unsigned restless = 0;
    while (now_ < target) {
        const auto next = next_deadline();
        // A core whose deadline has passed already is asked again soon; one that is never satisfied is a
        // fault.
        if (next <= now_ && ++restless > 10'000)
            throw Departure("a core's deadline never passes\n" + transcript());
        now_ = earlier(target, next <= now_ ? now_ + 20_us : next);
        settle();
    }
}

// ---- frames ----

void LaneStage::settle() {
    // A core that waits for an mbuf or for room in a ring is never idle: rest is when nothing comes of it.
    constexpr int patience = 20;
    for (int round = 0, fruitless = 0; round < 5000 && fruitless < patience; ++round) {
        const auto before = frames_;
        const bool client = run_core(Side::client), server = run_core(Side::server);
        const bool application = has_application() && application_core_->advance(now_) > 0;
        const bool news = serve_standby();
        if (!news && !client && !server && !application) return;
        fruitless = news || frames_ != before ? 0 : fruitless + 1;
        if (round == 4999) throw Departure("the cores do not come to rest\n" + transcript());
    }
}

bool LaneStage::run_core(Side side) {
    bool busy = core(side).advance(now_) > 0;
    std::array<rte_mbuf*, 32> out;
    for (std::uint32_t n; (n = core(side).transmit(out, now_)) > 0; busy = true)
        for (std::uint32_t i = 0; i < n; ++i) {
            const auto bytes = off_wire(side, out[i]);
            rte_pktmbuf_free(out[i]);
            take_frame(side, bytes);
        }
    return busy;
}

rte_mbuf* LaneStage::on_wire(Side side, const sim::Bytes& frame) {
    return pools_[index(side)].receive(vlan(side) == 0 ? frame : sim::tagged(frame, vlan(side)));
}

sim::Bytes LaneStage::off_wire(Side side, rte_mbuf* m) const {
    const auto* p = rte_pktmbuf_mtod(m, const std::uint8_t*);
    const sim::Bytes bytes(p, p + m->pkt_len);
    if (sim::vlan(bytes).value_or(0) != vlan(side))
        throw Departure("a frame left with another tag than its port's\n" + transcript());
    return vlan(side) == 0 ? bytes : sim::untagged(bytes);
}

void LaneStage::deliver_raw(Side side, const sim::Bytes& frame) {
    auto* m = pools_[index(side)].receive(frame);
    if (m != nullptr) core(side).receive({&m, 1}, now_);
    settle();
}

void LaneStage::deliver(const Peer& from, const std::vector<sim::Bytes>& burst) {
    const auto side = from.mac() == peer_mac[0] ? Side::client : Side::server;
    std::vector<rte_mbuf*> mbufs;
    for (auto frame : burst) {
        std::copy_n(virtual_mac(side).bytes.begin(), 6, frame.begin());
        if (auto* m = on_wire(side, frame); m != nullptr) mbufs.push_back(m);
    }
    core(side).receive(mbufs, now_);
    settle();
}

void LaneStage::answer_resolution(Side side, const sim::Resolution& arp) {
    if (arp.operation != 1 || arp.target == arp.sender) return;
    const auto& mac = peer_mac[index(side)];
    auto* m = on_wire(
        side, sim::write_resolution({2, mac, mac, arp.sender_mac, arp.target, arp.sender}, arp.sender_mac));
    if (m != nullptr) core(side).receive({&m, 1}, now_);
}

Peer* LaneStage::find_peer(Side side, const sim::Segment& s) {
    for (auto& c : conversations_) {
        if (side == Side::client && c.client.local() == s.to) return &c.client;
        if (side == Side::server && c.server_bound && c.server.knows().other == s.from) return &c.server;
    }
    if (side == Side::client) return nullptr;
    // A new connection to a backend belongs to the oldest client that has none yet.
    for (auto& c : conversations_)
        if (!c.server_bound && c.client.knows().sent > 0) {
            c.server_bound = true;
            c.server.set_local(s.to);
            return &c.server;
        }
    return nullptr;
}

void LaneStage::take_frame(Side side, const sim::Bytes& bytes) {
    ++frames_;
    if (const auto arp = sim::read_resolution(bytes)) return answer_resolution(side, *arp);
    constexpr MacAddress mld_routers{{0x33, 0x33, 0, 0, 0, 0x16}};
    if (sim::destination_mac(bytes) == mld_routers) return;
    std::string fault;
    const auto segment = sim::read_segment(bytes, fault);
    if (!segment) throw Departure("a frame left that is none: " + fault + "\n" + transcript());
    auto* to = find_peer(side, *segment);
    if (to == nullptr && ignores_strangers_) return;
    if (to == nullptr)
        throw Departure("a segment left for nobody: " + sim::describe(*segment, {}, {}) + "\n" +
                        transcript());
    auto& c = *std::find_if(conversations_.begin(), conversations_.end(),
                            [&](const auto& x) { return to == &x.client || to == &x.server; });
    const auto& far = to == &c.client ? c.server : c.client;
    order_.push_back(to->name());
    to->receive(std::make_shared<sim::Bytes>(bytes), [&](const Seen& s) { check(*to, far, s); });
}

void LaneStage::check(const Peer& to, const Peer& far, const Seen& s) const {
    if (form_only_) return;
    const auto wrong = [&](const std::string& what) {
        throw Departure(what + ": " + to.name() + " < " + to_string(s) + "\n" + transcript());
    };
    const auto& k = to.knows();
    const auto side = to.mac() == peer_mac[0] ? Side::client : Side::server;
    if (s.raw.from_mac != virtual_mac(side) || s.raw.to_mac != to.mac()) wrong("wrong Ethernet addresses");
    if (s.raw.options.unknown_kind != 0) wrong("an option that nobody knows");
    const auto& speaker = echoes_ ? to : far;
    for (auto p = s.begin; p < s.end; ++p)
        if (s.raw.payload[p - s.begin] != speaker.byte_at(p))
            wrong("R3: the byte at " + std::to_string(p) + " is another one");
    if (s.raw.has(flag::syn) || s.raw.has(flag::rst)) return;
    if (s.raw.options.timestamps.has_value() != k.timestamps) wrong("timestamps are not as agreed");
    if (k.timestamps && k.heard_any_ts &&
        static_cast<std::int32_t>(s.raw.options.timestamps->value - k.heard_ts) < 0)
        wrong("TSval goes back");
    const std::size_t mss = to.offer.mss - (k.timestamps ? 12u : 0u);
    if (s.raw.payload.size() > mss) wrong("larger than the MSS");
    if (!checks_ || !has(config_.services[0].gate, Gate::peer)) return;
    if (s.ack > std::max<Position>(far.knows().acked, 1)) wrong("R1: an ACK that the far end has not given");
    const auto edge = s.ack + s.window;
    if (edge > far.knows().edge)
        wrong("a window past the far end's edge " + std::to_string(far.knows().edge));
    // A takeover's probe can say no window, as nobody has heard the far end's yet: the next ACK does.
    const bool probe = s.window == 0 && s.end == s.begin + 1 && s.end <= k.heard_end;
    // Shifted windows cannot say every edge: what is less than one unit is no shrinking (RFC 7323
    // section 2.4).
    if (!probe && s.ack >= k.heard_ack && edge + (Position{1} << k.other_shift) <= k.heard_edge)
        wrong("a window that shrinks");
}

// ---- beginnings ----

void LaneStage::pass_syn(Conversation& c, Where where) {
    c.client.sends(syn());
    c.server.expects(syn(), where);
}

void LaneStage::pass_syn_ack(Conversation& c, Where where) {
    c.server.sends(syn_ack());
    c.client.expects(syn_ack(), where);
}

void LaneStage::establish(Conversation& c) {
    pass_syn(c);
    pass_syn_ack(c);
    c.client.sends(ack(1));
    c.server.expects(ack(1));
}

void LaneStage::establish_application(Conversation& c) {
    c.client.sends(syn());
    c.client.expects(syn_ack());
    c.client.sends(ack(1));
}

// ---- neighbours ----

void LaneStage::become_active(std::uint64_t term) {
    lane_.node.term = term;
    lane_.node.role = proxy::Role::active;
    ++lane_.node.role_epoch;
    settle();
}

void LaneStage::drop_table() {
    ++lane_.node.table_epoch;
    lane_.node.role = proxy::Role::standby;
    ++lane_.node.role_epoch;
    settle();
}

void LaneStage::retake() {
    ++lane_.node.retake_epoch;
    ++lane_.node.role_epoch;
    settle();
}

void LaneStage::connect_standby() {
    for (auto& list : standby.records) list.clear();
    standby.application.clear();
    for (auto& list : standby.payload) list.clear();
    for (auto& confirmed : lane_.node.confirmed) confirmed = 0;
    lane_.node.mirror_epoch = ++mirror_epochs_;
    if (has_application() && standby.describes) describe_standby();
    settle();
    confirm_all();
    lane_.node.in_sync = true;
}

void LaneStage::disconnect_standby() {
    lane_.node.in_sync = false;
    lane_.node.mirror_epoch = 0;
    settle();
}

void LaneStage::confirm_all() {
    for (int i = 0; i < 2; ++i)
        if (!standby.records[i].empty()) lane_.node.confirmed[i] = standby.records[i].back().sequence;
    if (!standby.application.empty()) lane_.node.confirmed[2] = standby.application.back().sequence;
    for (const auto side : {Side::client, Side::server})
        if (const auto& list = standby.payload[index(side)]; !list.empty())
            lane_.node.confirmed[index(payload_journal_of(side))] = list.back().sequence;
    settle();
}

/// Confirms what came of a journal; true when that is news.
template <class Entry>
bool LaneStage::confirm_newest(Journal journal, const std::vector<Entry>& records) {
    if (!standby.confirms || records.empty()) return false;
    const auto newest = records.back().sequence;
    return lane_.node.confirmed[index(journal)].exchange(newest) != newest;
}

/// Takes what a journal holds; true when a confirmation is news.
template <class Entry>
bool LaneStage::serve_journal(Journal journal, Ring<Entry>& ring, std::vector<Entry>& records) {
    Entry e;
    while (ring.pop(e))
        if (e.epoch == mirror_epochs_ && lane_.node.mirror_epoch != 0) records.push_back(e);
    return confirm_newest(journal, records);
}

bool LaneStage::serve_standby() {
    bool news = false;
    for (const auto side : {Side::client, Side::server}) {
        const auto i = index(side);
        news = serve_journal(journal_of(side), lane_.journal[i], standby.records[i]) || news;
        if (lane_.payload)
            news = serve_journal(payload_journal_of(side), lane_.payload->journal[i], standby.payload[i]) ||
                   news;
    }
    if (!has_application()) return news;
    proxy::ApplicationEntry a;
    while (lane_.application->journal.pop(a))
        if (a.kind == proxy::AppEntryKind::described) standby.told.push_back(a);
        else if (a.epoch == mirror_epochs_ && lane_.node.mirror_epoch != 0) standby.application.push_back(a);
    return confirm_newest(Journal::application, standby.application) || news;
}

void LaneStage::describe_standby() {
    proxy::ApplicationEntry e{};
    e.kind = proxy::AppEntryKind::described;
    e.epoch = mirror_epochs_;
    e.record.size = static_cast<std::uint16_t>(standby.description.size());
    std::copy(standby.description.begin(), standby.description.end(), e.record.bytes.begin());
    install_application({e});
}

void LaneStage::install_payload(Side side, const std::vector<proxy::PayloadEntry>& entries) {
    for (const auto& e : entries) lane_.payload->install[index(side)].push(e);
    settle();
}

void LaneStage::inherit(LaneStage& old, bool progress) {
    client().knowledge() = old.client().knows();
    std::vector<ProgressRecord> hints;
    for (const auto side : {Side::client, Side::server})
        if (const auto* p = old.standby.newest(side, proxy::JournalKind::progress); progress && p != nullptr)
            hints.push_back(p->progress);
    install(old.standby.newest(Side::client, proxy::JournalKind::opened)->opened, hints);
}

void LaneStage::install_application(const std::vector<proxy::ApplicationEntry>& entries) {
    for (const auto& e : entries) lane_.application->install.push(e);
    settle();
}

void LaneStage::install(const SessionRecord& record, const std::vector<ProgressRecord>& progress) {
    lane_.records[record.id.slot] = record;
    lane_.install[0].push({proxy::InstallKind::install, {}, record.id, 0, {}});
    if (!has(static_cast<Gate>(record.gates), served_here))
        lane_.install[1].push({proxy::InstallKind::install, {}, record.id, 0, {}});
    for (const auto& p : progress)
        lane_.install[index(p.side)].push({proxy::InstallKind::progress, {}, p.id, 0, p});
    settle();
}

// ---- facts ----

std::uint64_t LaneStage::count(Side side, std::string_view counter) const {
    const auto& c = core(side);
    if (const auto n = find_counter(c.tcp_counters(), tcp::counter_rows, counter)) return *n;
    if (const auto n = find_counter(c.proxy_counters(), proxy::counter_rows, counter)) return *n;
    if (const auto n = find_counter(c.net_counters(), net::counter_rows, counter)) return *n;
    if (const auto n = find_counter(c.frame_counters(), wire::frame_rows, counter)) return *n;
    throw Departure("no counter is called " + std::string(counter));
}

void LaneStage::expect_count(Side side, std::string_view counter, std::uint64_t expected, Where where) {
    const auto actual = count(side, counter);
    if (actual != expected)
        depart(std::string(side == Side::client ? "client." : "server.") + std::string(counter) + " is " +
                   std::to_string(actual) + " and not " + std::to_string(expected) + "\n" + transcript(),
               where);
}

void LaneStage::expect_application_count(std::string_view counter, std::uint64_t expected, Where where) {
    auto actual = find_counter(application_core_->counters(), app::counter_rows, counter);
    if (!actual) actual = find_counter(application_core_->host_counters(), app::host_counter_rows, counter);
    if (!actual) throw Departure("no counter is called " + std::string(counter));
    if (*actual != expected)
        depart("app or host." + std::string(counter) + " is " + std::to_string(*actual) + " and not " +
                   std::to_string(expected) + "\n" + transcript(),
               where);
}

void LaneStage::expect_view(proxy::View view, Where where, std::uint32_t slot) {
    const auto actual = lane_.views[slot].load();
    if (actual != view)
        depart("the session's view is " + std::to_string(static_cast<int>(actual)) + " and not " +
                   std::to_string(static_cast<int>(view)) + "\n" + transcript(),
               where);
}

}  // namespace holdfast::script
