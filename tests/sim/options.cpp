#include "tests/sim/options.hpp"

#include <algorithm>

namespace holdfast::sim {
namespace {

IpAddress address(unsigned network, unsigned host, bool v6 = false) {
    return *IpAddress::parse(v6 ? "fd77:" + std::to_string(network) + "::" + std::to_string(host)
                                : "10.77." + std::to_string(network) + "." + std::to_string(host));
}

MacAddress port_mac(unsigned machine, unsigned port) {
    return {{0x02, 0, 0, 0, static_cast<std::uint8_t>(0x10 + machine), static_cast<std::uint8_t>(port)}};
}

PortConfig port_config(unsigned machine, unsigned port, MacAddress virtual_mac) {
    PortConfig p;
    p.device = "sim" + std::to_string(port);
    p.address = {address(port + 1, 2 + machine), 24};
    if (port < 2) p.address6 = {address(port + 1, 2 + machine, true), 64};
    p.virtual_mac = virtual_mac;
    return p;
}

Config plain_config(unsigned machine, const Site& site) {
    Config c;
    c.node_id = machine;
    c.node_name = machine == 0 ? "a" : "b";
    c.client = port_config(machine, 0, Site::client_virtual_mac());
    c.server = port_config(machine, 1, Site::server_virtual_mac());
    c.mirror = port_config(machine, 2, {});
    c.snat = {site.snat()};
    ServiceConfig web;
    web.name = "web";
    web.address = site.virtual_address();
    web.backends = {{site.server_host(), 80}};
    c.services.push_back(web);
    c.mirror_link.peer = address(3, 3 - machine);
    c.guard.reference = {site.server_host()};
    c.guard.heartbeat = milliseconds(10);
    c.guard.lease = milliseconds(50);
    c.guard.lease_margin = milliseconds(10);
    c.guard.boot_wait = milliseconds(200);
    c.guard.announce_for = seconds(2);
    c.tcp.time_wait = milliseconds(500);
    c.limits.sessions = 64;
    c.limits.session_bytes = 256 * 1024;
    c.limits.mbufs = 1024;
    c.limits.ring = 256;
    for (unsigned i = 0; i < 32; ++i) c.key.push_back(static_cast<std::uint8_t>(7 * i + 1));
    return c;
}

/// Brings the ports of a machine in line with its configuration.
void equip(MachineOptions& m) {
    const PortConfig* configs[] = {&m.config.client, &m.config.server, &m.config.mirror};
    for (unsigned i = 0; i < port_count; ++i) {
        auto& nic = m.ports[i];
        nic.profile.mac = port_mac(m.config.node_id, i);
        nic.profile.mtu = configs[i]->mtu;
        nic.mbufs = m.config.limits.mbufs;
        nic.virtual_mac = configs[i]->virtual_mac;
        nic.vlan = configs[i]->vlan;
    }
}

void draw_config(Random& random, Options& o) {
    auto c = o.machines[0].config;
    c.guard.heartbeat = milliseconds(random.between(4, 20));
    c.guard.lease = c.guard.heartbeat * random.between(5, 8);
    c.guard.lease_margin = c.guard.lease / 20 + milliseconds(random.between(2, 20));
    c.guard.boot_wait = (c.guard.lease + c.guard.lease_margin) * 2 + milliseconds(random.between(1, 200));
    c.mirror_link.store_wait = milliseconds(random.between(20, 100));
    c.mirror_link.progress_every = milliseconds(random.between(5, 100));
    c.tcp.rto_min = milliseconds(random.between(5, 50));
    c.tcp.rto_initial = milliseconds(random.between(200, 1000));
    c.tcp.time_wait = milliseconds(random.between(100, 1500));
    c.tcp.idle_probe = milliseconds(random.between(500, 20'000));
    c.limits.session_bytes = 1u << random.between(14, 20);
    c.limits.mbufs = static_cast<std::uint32_t>(random.between(700, 2000));
    // Half of the runs have lane rings so small that they refuse all the time, down to one usable entry.
    if (random.below(2) == 0) c.limits.ring = 2u << random.below(5);
    if (random.below(6) == 0) c.limits.mbufs = static_cast<std::uint32_t>(random.between(256, 400));
    if (random.below(10) == 0) c.limits.sessions = static_cast<std::uint32_t>(random.between(2, 8));
    o.scarce = c.limits.ring < 16 || c.limits.mbufs < 512 || c.limits.sessions < 16;
    for (unsigned i = 0; i < 2; ++i) {
        auto& mine = o.machines[i].config;
        mine.guard = c.guard;
        mine.mirror_link = c.mirror_link;
        mine.mirror_link.peer = address(3, 3 - i);
        mine.tcp = c.tcp;
        mine.limits = c.limits;
    }
}

/// Transmit queues that hold next to nothing, and ports that take nothing for a while.
void draw_transmit(Random& random, MachineOptions& m) {
    const std::uint32_t queues[] = {4, 8, 32, 1024, 1024, 1024}, refusals[] = {0, 0, 10'000, 200'000};
    for (auto& nic : m.ports) {
        nic.profile.queue = queues[random.below(6)];
        nic.refusals = refusals[random.below(4)];
        nic.refuses_for = microseconds(random.between(10, 1000));
    }
}

void draw_machine(Random& random, MachineOptions& m) {
    m.clock_offset = seconds(random.between(0, 1'000'000)) + nanoseconds(random.between(0, 1'000'000'000));
    m.clock_drift = random.between(-50, 50);
    m.cycle_delay = microseconds(random.below(3) != 0 ? random.between(0, 20) : random.between(20, 300));
    m.store_delay = microseconds(random.between(0, 3000));
    m.notices_links = random.below(2) == 0;
    equip(m);
    for (auto& nic : m.ports) {
        auto& p = nic.profile;
        p.tx_ip_checksum = random.below(2) == 0;
        p.tx_tcp_checksum = random.below(2) == 0;
        p.rx_checksum = random.below(2) == 0;
        p.multi_segs = random.below(2) == 0;
        nic.parked = random.below(2) == 0 ? 0 : static_cast<std::uint32_t>(random.below(64));
        nic.receive_queue = static_cast<std::uint32_t>(random.between(64, 512));
    }
    draw_transmit(random, m);
}

WireOptions draw_access(Random& random, bool far) {
    WireOptions w;
    w.delay =
        microseconds(far && random.below(2) == 0 ? random.between(100, 20'000) : random.between(5, 100));
    if (random.below(2) == 0) w.jitter = microseconds(random.between(1, 200));
    const std::uint32_t rates[] = {0, 0, 0, 1'000, 10'000, 50'000};
    w.loss = rates[random.below(far ? 6 : 4)];
    w.duplication = rates[random.below(far ? 5 : 4)];
    w.reordering = rates[random.below(far ? 6 : 4)];
    w.reorder_by = microseconds(random.between(10, far ? 10'000 : 500));
    if (far && random.below(2) == 0)
        w.bits_per_second = static_cast<std::uint64_t>(random.between(5, 200)) * 1'000'000;
    return w;
}

void draw_network(Random& random, Options& o) {
    for (int direction = 0; direction < 2; ++direction) {
        o.client_access[direction] = draw_access(random, true);
        o.server_access[direction] = draw_access(random, true);
        o.node_access[direction] = draw_access(random, false);
        o.mirror_access[direction] = draw_access(random, false);
    }
}

/// The first kind that one of the faults asks for.
std::optional<Talk> wanted_talk(const std::vector<Fault>& faults) {
    for (const auto& fault : faults)
        if (fault.trigger.states)
            if (const auto talk = talk_into(*fault.trigger.states)) return talk;
    return std::nullopt;
}

void draw_conversations(Random& random, Options& o) {
    ConversationLimits limits;
    limits.sack = random.below(12) != 0;
    limits.timestamps = random.below(12) != 0;
    limits.scaling = random.below(12) != 0;
    limits.bytes = 1u << random.between(12, 18);
    const auto count = static_cast<unsigned>(random.between(2, 6));
    const auto wanted = wanted_talk(o.faults);
    for (unsigned i = 0; i < count; ++i) {
        const auto any = static_cast<Talk>(random.below(static_cast<std::uint64_t>(Talk::count_)));
        // The first one always carries bytes both ways.
        const auto talk = i == 0 ? Talk::bulk : i == 1 && wanted ? *wanted : any;
        o.conversations.push_back(draw_conversation(random.next(), i, talk, limits));
        auto& c = o.conversations.back();
        c.begins =
            microseconds(random.below(3) != 0 ? random.between(0, 200'000) : random.between(0, 3'000'000));
    }
}

void draw_faults(Random& random, Options& o) {
    const auto count = random.below(4) == 0 ? random.between(2, 4) : random.between(1, 2);
    for (std::int64_t i = 0; i < count; ++i) {
        const auto kind =
            random.below(3) == 0
                ? FaultKind::kill
                : static_cast<FaultKind>(random.below(static_cast<std::uint64_t>(FaultKind::count_)));
        o.faults.push_back(draw_fault(random, kind));
    }
}

std::string print(const WireOptions& w) {
    std::string text = std::to_string(w.delay.to_us()) + " us";
    if (w.jitter.ns > 0) text += " +" + std::to_string(w.jitter.to_us());
    if (w.loss > 0) text += ", loss " + std::to_string(w.loss) + " ppm";
    if (w.duplication > 0) text += ", duplication " + std::to_string(w.duplication) + " ppm";
    if (w.reordering > 0)
        text += ", reordering " + std::to_string(w.reordering) + " ppm by " +
                std::to_string(w.reorder_by.to_us()) + " us";
    if (w.marks > 0) text += ", marks " + std::to_string(w.marks) + " ppm";
    if (w.bits_per_second > 0) text += ", " + std::to_string(w.bits_per_second / 1'000'000) + " Mbit/s";
    return text;
}

std::string payload_text(const Config& c) {
    const auto what = c.services[0].mirror_payload;
    if (what == MirrorPayload::none) return {};
    return std::string(", mirrors ") + (what == MirrorPayload::tails ? "tails" : "all") + " up to " +
           std::to_string(c.limits.payload_bytes) + " of " + std::to_string(c.limits.payloads) +
           (is_entrusted(c.services[0].gate)         ? ", gate standby alone"
            : has(c.services[0].gate, Gate::standby) ? ", gate standby"
                                                     : "");
}

std::string print(const MachineOptions& m) {
    const auto& c = m.config;
    std::string text =
        "node " + m.name + ": heartbeat " + std::to_string(c.guard.heartbeat.to_ms()) + " ms, lease " +
        std::to_string(c.guard.lease.to_ms()) + " ms + " + std::to_string(c.guard.lease_margin.to_ms()) +
        " ms, boot wait " + std::to_string(c.guard.boot_wait.to_ms()) + " ms, store wait " +
        std::to_string(c.mirror_link.store_wait.to_ms()) + " ms, progress every " +
        std::to_string(c.mirror_link.progress_every.to_ms()) + " ms, rto min " +
        std::to_string(c.tcp.rto_min.to_ms()) + " ms, time wait " + std::to_string(c.tcp.time_wait.to_ms()) +
        " ms, idle probe " + std::to_string(c.tcp.idle_probe.to_ms()) + " ms\n    sessions " +
        std::to_string(c.limits.sessions) + ", session bytes " + std::to_string(c.limits.session_bytes) +
        payload_text(c) + ", mbufs " + std::to_string(c.limits.mbufs) + ", ring " +
        std::to_string(c.limits.ring) + ", clock offset " + std::to_string(m.clock_offset.to_ms()) +
        " ms, drift " + std::to_string(m.clock_drift) + " ppm, cycle delay " +
        std::to_string(m.cycle_delay.to_us()) + " us, store delay " + std::to_string(m.store_delay.to_us()) +
        " us" + (m.notices_links ? ", notices links" : "");
    for (std::size_t i = 0; i < port_count; ++i) {
        const auto& n = m.ports[i];
        text +=
            std::string("\n    port ") + port_names[i] + ": parks " + std::to_string(n.parked) +
            ", receive queue " + std::to_string(n.receive_queue) + ", transmit queue " +
            std::to_string(n.profile.queue) +
            (n.refusals > 0 ? ", refuses " + std::to_string(n.refusals) + " ppm for up to " +
                                  std::to_string(n.refuses_for.to_us()) + " us"
                            : "") +
            (n.profile.tx_ip_checksum ? ", tx ip sum" : "") +
            (n.profile.tx_tcp_checksum ? ", tx tcp sum" : "") + (n.profile.rx_checksum ? ", rx sum" : "") +
            (n.profile.multi_segs ? ", multi segs" : "") +
            (n.profile.mtu != 1500 ? ", MTU " + std::to_string(n.profile.mtu) : "") +
            (n.vlan != 0 ? ", VLAN " + std::to_string(n.vlan) + (n.vlan_stripped ? ", stripped" : "") : "");
    }
    return text;
}

}  // namespace

IpAddress Site::client_host() const { return address(1, 10, client_v6); }
IpAddress Site::server_host() const { return address(2, 20, server_v6); }
Endpoint Site::virtual_address() const { return {address(1, 100, client_v6), 80}; }
IpAddress Site::snat() const { return address(2, 100, server_v6); }
MacAddress Site::client_virtual_mac() { return {{0x02, 0x48, 0x46, 0x00, 0x01, 0x00}}; }
MacAddress Site::server_virtual_mac() { return {{0x02, 0x48, 0x46, 0x00, 0x02, 0x00}}; }

Options plain_options(std::uint64_t seed, const Site& site) {
    Options o;
    o.seed = seed;
    o.site = site;
    for (unsigned i = 0; i < 2; ++i) {
        auto& m = o.machines[i];
        m.name = i == 0 ? "a" : "b";
        m.config = plain_config(i, site);
        m.clock_offset = seconds(1000 + 500 * i);
        equip(m);
    }
    return o;
}

/// The families of a seed. Drawn from a number of its own, so that all else stays as it was; by the choice of
/// the constant the seeds that meson runs by name stay IPv4, as they were when they found something.
Site draw_site(std::uint64_t seed) {
    const auto n = mix64(seed ^ 0x27);
    return {(n & 1) != 0, (n & 2) != 0};
}

/// VLANs of a third of the ports, from a number of its own for the same reason.
void draw_vlans(std::uint64_t seed, Options& o) {
    Random random(mix64(seed ^ 0x8100));
    const auto draw = [&] {
        return static_cast<std::uint16_t>(random.below(3) == 0 ? random.between(1, 4094) : 0);
    };
    const std::uint16_t vlans[port_count] = {draw(), draw(), draw()};
    for (auto& m : o.machines) {
        m.config.client.vlan = vlans[0];
        m.config.server.vlan = vlans[1];
        m.config.mirror.vlan = vlans[2];
        for (auto& nic : m.ports) nic.vlan_stripped = random.below(2) == 0;
        equip(m);
    }
}

/// Larger frames on the service networks of a third of the runs, and ends that use them, drawn apart in the
/// same way. What a client offers must still reach the server as it is.
void draw_mtus(std::uint64_t seed, Options& o) {
    Random random(mix64(seed ^ 0x2328));
    if (random.below(3) != 0) return;
    constexpr std::uint16_t sizes[] = {1500, 2000, 4000, 9000};
    const std::uint16_t client = sizes[random.below(4)], server = sizes[random.below(4)];
    for (auto& m : o.machines) {
        m.config.client.mtu = client;
        m.config.server.mtu = server;
        equip(m);
    }
    const auto headers = o.site.client_v6 || o.site.server_v6 ? 60u : 40u;
    for (auto& c : o.conversations) {
        const std::uint32_t room[] = {std::min(client, server) - headers - c.number, server - headers};
        TalkerPlan* plans[] = {&c.client, &c.server};
        for (int i = 0; i < 2; ++i) {
            auto& socket = plans[i]->socket;
            if (room[i] <= 1460 || random.below(3) == 0) continue;
            socket.mss = static_cast<std::uint16_t>(room[i]);
            socket.receive_buffer = std::max(socket.receive_buffer, 4 * room[i]);
        }
    }
}

/// Some seeds have a backend more that is none: it refuses, or nobody has its address. As with families the
/// number is the seed's own.
void draw_backends(std::uint64_t seed, Options& o) {
    const auto n = mix64(seed ^ 0xbac);
    if (n % 4 != 0) return;
    const bool refuses = (n >> 8 & 1) != 0;
    for (auto& m : o.machines) {
        auto& service = m.config.services[0];
        service.backends.insert(
            service.backends.begin(),
            refuses ? Endpoint{o.site.server_host(), 81} : Endpoint{address(2, 21, o.site.server_v6), 80});
        service.balance = (n >> 9 & 1) != 0 ? Balance::least_sessions : Balance::round_robin;
        service.connect_timeout = milliseconds(300);
    }
}

/// And some have a server that wants PROXY headers.
void draw_headers(std::uint64_t seed, Options& o) {
    if (mix64(seed ^ 0x9ead) % 3 == 0) use_headers(o);
}

/// In one seed of four ends speak ECN, most of them, and the wires at the hosts mark. Drawn from a number of
/// its own.
void draw_ecn(Options& o) {
    Random random(mix64(o.seed ^ 0x3168));
    if (random.below(4) != 0) return;
    o.ecn = true;
    for (auto& c : o.conversations)
        for (auto* plan : {&c.client, &c.server}) plan->socket.ecn = random.below(4) != 0;
    constexpr std::uint32_t rates[] = {0, 2'000, 20'000, 200'000};
    for (auto* access : {o.client_access, o.server_access})
        for (int direction = 0; direction < 2; ++direction) access[direction].marks = rates[random.below(4)];
    const bool offered = random.below(8) != 0;
    for (auto& m : o.machines) m.config.tcp.ecn = offered;
}

/// In one seed of five clients get SYN cookies: all of them, or those that meet another one half-open, which
/// comes about when they begin at the same time, and after one that has shown what the server accepts. Drawn
/// from a number of its own, like the families.
void draw_cookies(Options& o) {
    const auto n = mix64(o.seed ^ 0xc00c1e);
    if (n % 5 != 0) return;
    const auto bound = static_cast<std::uint32_t>(n >> 32 & 1);
    use_cookies(o, bound);
    if (bound == 0) return;
    const auto apart = microseconds(static_cast<std::int64_t>(n >> 40 & 127));
    for (auto& c : o.conversations)
        c.begins =
            c.number == 0 ? Duration{} : milliseconds(300) + apart * static_cast<std::int64_t>(c.number);
}

/// A cookie knows eight sizes only, and by its MSS the server leg is told from others': each client has one
/// of them.
void use_cookies(Options& o, std::uint32_t half_open) {
    o.cookies = true;
    for (auto& machine : o.machines) machine.config.limits.half_open = half_open;
    constexpr std::uint16_t sizes[] = {1440, 1400, 1360, 1220, 536, 88};
    for (auto& c : o.conversations) {
        c.client.socket.mss = sizes[c.number];
        c.server.socket.granted_by_cookie = 14'600;
    }
}

void use_headers(Options& o) {
    o.headers = true;
    for (auto& m : o.machines) m.config.services[0].proxy_protocol = 2;
}

/// In one seed of three payload is mirrored: tails or all of it, with room for much or next to nothing; in
/// half of these acknowledgments wait for the standby, too, and in half of those that mirror all for the
/// standby alone. Drawn from a number of its own.
void draw_payload(Options& o) {
    Random random(mix64(o.seed ^ 0x9a11));
    if (random.below(3) != 0) return;
    const auto what = random.below(2) == 0 ? MirrorPayload::tails : MirrorPayload::all;
    const auto drawn = 1u << random.between(12, 18);
    const auto times = 4u << random.below(4);
    const bool gate = random.below(2) == 0;
    const bool alone = gate && what == MirrorPayload::all && random.below(2) == 0;
    // A segment has to fit.
    const auto bytes = alone ? std::max(drawn, 1u << 14) : drawn;
    const auto all = bytes * times;
    for (auto& m : o.machines) {
        m.config.services[0].mirror_payload = what;
        if (gate) m.config.services[0].gate = alone ? Gate::standby : Gate::peer | Gate::standby;
        // A run may end with one node alone: its sessions go on without a standby.
        m.config.services[0].degrade = gate;
        m.config.limits.payload_bytes = bytes;
        m.config.limits.payloads = all;
    }
}

Options draw_options(std::uint64_t seed) {
    Options o = plain_options(seed, draw_site(seed));
    Random random(mix64(seed ^ 0x401dfa57));
    draw_config(random, o);
    for (auto& machine : o.machines) draw_machine(random, machine);
    o.second_boots_after = microseconds(random.between(0, 100'000));
    draw_network(random, o);
    draw_faults(random, o);
    draw_conversations(random, o);
    // The larger header leaves less room; a client's MSS must reach the server as it is, see
    // WireChecker::pair().
    if (o.site.client_v6 || o.site.server_v6)
        for (auto& c : o.conversations)
            for (auto* plan : {&c.client, &c.server})
                plan->socket.mss = static_cast<std::uint16_t>(plan->socket.mss - 20);
    o.runs_twice = random.below(20) == 0;
    draw_vlans(seed, o);
    draw_mtus(seed, o);
    draw_backends(seed, o);
    draw_headers(seed, o);
    draw_cookies(o);
    draw_ecn(o);
    draw_payload(o);
    return o;
}

std::optional<Talk> talk_into(const StatePair& states) {
    using enum State;
    const auto [client, server] = states;
    if (client == closing || server == closing || client == server) {
        if (client != established) return Talk::simultaneous_close;
    } else if (client == close_wait || server == close_wait) {
        return Talk::half_close;
    }
    return std::nullopt;
}

Options pattern_options(const LossPattern& pattern) {
    Options o = plain_options(pattern.bits);
    o.loss_pattern = pattern;
    for (auto* access : {o.client_access, o.server_access})
        for (int direction = 0; direction < 2; ++direction) access[direction].delay = milliseconds(1);
    ConversationLimits limits;
    limits.bytes = 65536;
    o.conversations.push_back(draw_conversation(1, 0, Talk::bulk, limits));
    auto& c = o.conversations.back();
    const std::uint64_t bytes = pattern.moment == Moment::takeover ? 60'000 : 3'000;
    for (auto* plan : {&c.client, &c.server}) {
        plan->socket = SocketOptions{};
        plan->socket.isn = {0xfffff000};
        plan->socket.time_wait = seconds(1);
        plan->expected = bytes;
        plan->script = {};
        plan->script.steps = {{Step::Kind::write, bytes, {}},
                              {Step::Kind::await, bytes, {}},
                              {Step::Kind::shutdown, 0, {}},
                              {Step::Kind::await_end, 0, {}}};
    }
    if (pattern.moment != Moment::takeover) return o;
    Fault fault;
    fault.trigger.after = milliseconds(8);
    fault.lasts = milliseconds(500);
    o.faults.push_back(fault);
    return o;
}

std::string Options::to_string() const {
    std::string text =
        "seed " + std::to_string(seed) + (scarce ? ", scarce" : "") + (runs_twice ? ", runs twice" : "");
    if (cookies)
        text += ", cookies from " + std::to_string(machines[0].config.limits.half_open) +
                " half-open sessions on";
    text += std::string(", IPv") + (site.client_v6 ? "6" : "4") + " clients, IPv" +
            (site.server_v6 ? "6" : "4") + " servers";
    if (ecn) text += std::string(", ECN") + (machines[0].config.tcp.ecn ? "" : ", not by the nodes");
    text += headers ? ", PROXY headers, backends" : ", backends";
    for (const auto& b : machines[0].config.services[0].backends) text += " " + b.to_string();
    for (const auto& m : machines) text += "\n" + print(m);
    text += "\nsecond node boots after " + std::to_string(second_boots_after.to_us()) + " us";
    const char* names[] = {"client", "server", "node", "mirror"};
    const WireOptions* accesses[] = {client_access, server_access, node_access, mirror_access};
    for (int i = 0; i < 4; ++i)
        text += std::string("\n") + names[i] + " access: out " + print(accesses[i][0]) + "; in " +
                print(accesses[i][1]);
    if (loss_pattern)
        text += "\nloss pattern " + std::to_string(loss_pattern->bits) + " on the " +
                (loss_pattern->leg == Side::client ? "client" : "server") + " leg since the " +
                std::string(moment_names[static_cast<std::size_t>(loss_pattern->moment)]);
    for (const auto& c : conversations) text += "\n" + c.to_string();
    for (const auto& f : faults) text += "\nfault: " + f.to_string();
    return text;
}

}  // namespace holdfast::sim
