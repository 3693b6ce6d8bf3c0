#include "engine/control/telemetry.hpp"

#include <rte_ethdev.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <stdexcept>

#include "cores/protocol/event_text.hpp"
#include "engine/control/tel_dict.hpp"

namespace holdfast::engine {
namespace {

/// DPDK 22.11 gives its callbacks no argument, so what they read has to be found from here. The lock also
/// keeps the node alive until a running callback is done.
std::mutex sources_lock;
const TelemetrySources* sources_now = nullptr;

/// Rows in one answer: as many as surely fit into DPDK's 16 KiB.
constexpr std::uint64_t sessions_page = 24, counters_page = 48, events_page = 48, backends_page = 48;

struct Page {
    std::uint64_t from = 0, count = 0;
};

/// Reads "from,count"; both may be missing. `most` bounds the count.
Page parse_page(const char* params, std::uint64_t most) {
    unsigned long long from = 0, count = most;
    if (params != nullptr) std::sscanf(params, "%llu,%llu", &from, &count);
    return {from, std::clamp<std::uint64_t>(count, 1, most)};
}

std::uint64_t to_us(Duration d) { return d.ns < 0 ? 0 : static_cast<std::uint64_t>(d.to_us()); }

void fill_status(const TelemetrySources& s, const char*, TelDict& out) {
    const protocol::NodeStatus status = s.node.status();
    out.text("node", s.node_name);
    out.text("role", status.role);
    out.text("state", status.state);
    out.number("term", status.term);
    out.number("sessions", status.sessions);
    out.number("sessions_terminated", status.sessions_terminated);
    out.number("sessions_translated", status.sessions_translated);
    out.number("sessions_protected", status.sessions_protected);
    out.dict("mirror", [&](TelDict& d) {
        d.text("state", status.mirror_state);
        d.text("reason", status.mirror_reason);
    });
    out.number("detection_us", to_us(status.detection_time));
    out.dict("last_takeover", [&](TelDict& d) {
        d.number("detect_us", to_us(status.last_detect));
        d.number("takeover_us", to_us(status.last_takeover));
    });
}

void fill_mirror(const TelemetrySources& s, const char*, TelDict& out) {
    const protocol::NodeStatus status = s.node.status();
    out.text("state", status.mirror_state);
    out.text("reason", status.mirror_reason);
    out.number("records_sent", status.mirror_records_sent);
    out.number("bytes_sent", status.mirror_bytes_sent);
    out.number("records_received", status.mirror_records_received);
    out.number("sessions", status.sessions);
    out.number("sessions_protected", status.sessions_protected);
}

void fill_guard(const TelemetrySources& s, const char*, TelDict& out) {
    const protocol::NodeStatus status = s.node.status();
    out.text("role", status.role);
    out.text("state", status.state);
    out.number("term", status.term);
    out.integer("lease_left_us", status.lease_left.to_us());
    out.number("detection_us", to_us(status.detection_time));
    out.dict("paths_heard", [&](TelDict& d) {
        d.number("client", status.paths_heard & 1);
        d.number("server", status.paths_heard >> 1 & 1);
        d.number("mirror", status.paths_heard >> 2 & 1);
    });
    out.dict("links", [&](TelDict& d) {
        for (const Runner* r : s.runners)
            if (const Port* port = r->port()) d.number(port->role().c_str(), port->link_up.load());
    });
}

void fill_session(TelDict& d, const protocol::SessionRow& row) {
    d.number("generation", row.id.generation);
    d.text("service", row.service);
    d.text("client", row.client.to_string());
    d.text("virtual", row.virtual_address.to_string());
    d.text("snat", row.snat.to_string());
    d.text("backend", row.backend.to_string());
    d.text("mode", row.mode);
    d.text("protection", row.protection);
    d.number("bytes_up", row.bytes_up);
    d.number("bytes_down", row.bytes_down);
    d.number("withheld_up", row.withheld_up);
    d.number("withheld_down", row.withheld_down);
}

/// "rows" by slot; "next" is the slot to ask for next, 0 after the last page.
void fill_sessions(const TelemetrySources& s, const char* params, TelDict& out) {
    const Page page = parse_page(params, sessions_page);
    const std::uint64_t slots = s.node.session_slots();
    std::uint64_t slot = page.from, found = 0;
    out.dict("rows", [&](TelDict& rows) {
        for (; slot < slots && found < page.count; ++slot)
            if (const auto row = s.node.session(static_cast<std::uint32_t>(slot))) {
                ++found;
                rows.dict(std::to_string(slot).c_str(), [&](TelDict& d) { fill_session(d, *row); });
            }
    });
    out.number("next", slot < slots ? slot : 0);
}

/// "rows" by place; "next" is the place to ask for next, 0 after the last page.
void fill_backends(const TelemetrySources& s, const char* params, TelDict& out) {
    const Page page = parse_page(params, backends_page);
    const std::uint64_t end = std::min<std::uint64_t>(page.from + page.count, s.node.backend_count());
    out.dict("rows", [&](TelDict& rows) {
        for (auto place = page.from; place < end; ++place)
            rows.dict(std::to_string(place).c_str(), [&](TelDict& d) {
                const auto row = s.node.backend(static_cast<std::uint32_t>(place));
                d.text("id", std::to_string(row.service_number) + "/" + std::to_string(row.backend_number));
                d.text("service", row.service);
                d.text("backend", row.address.to_string());
                d.text("state", row.state);
                d.text("reason", row.reason);
                d.number("sessions", row.sessions);
            });
    });
    out.number("next", end < s.node.backend_count() ? end : 0);
}

/// Parameters: service, backend, "on" or "off". "problem" is empty when it is done.
void fill_drain(const TelemetrySources& s, const char* params, TelDict& out) {
    // A service's name may hold commas, the rest can not.
    const std::string_view all(params == nullptr ? "" : params);
    const auto word_at = all.rfind(',');
    const auto backend_at = word_at == all.npos || word_at == 0 ? all.npos : all.rfind(',', word_at - 1);
    if (backend_at == all.npos) return out.text("problem", "give a service, a backend, and on or off");
    const auto service = all.substr(0, backend_at), word = all.substr(word_at + 1);
    const auto backend = Endpoint::parse(std::string(all.substr(backend_at + 1, word_at - backend_at - 1)));
    if (!backend) return out.text("problem", "the backend is no address with port");
    if (word != "on" && word != "off") return out.text("problem", "the last word is neither on nor off");
    const bool known = s.node.drain(service, *backend, word == "on");
    out.text("problem", known ? "" : "no service of this name has this backend; see holdfastctl backends");
}

/// Calls `visit` with every counter of the process, always in the same order.
template <class Visit>
void for_each_counter(const TelemetrySources& s, Visit visit) {
    s.node.for_each_counter(visit);
    for (const Runner* r : s.runners) {
        const std::string module = "runner_" + std::string(r->name());
        for (std::size_t i = 0; i < RunnerCounters::size; ++i)
            visit(protocol::CounterView{module, runner_counter_rows[i].name, runner_counter_rows[i].help,
                                        r->counters().get(i)});
    }
    for (const Runner* r : s.runners) {
        rte_eth_stats stats{};
        const Port* port = r->port();
        if (port == nullptr || rte_eth_stats_get(port->id(), &stats) != 0) continue;
        const std::string module = "port_" + port->role();
        visit(protocol::CounterView{module, "missed",
                                    "frames that the port dropped because its ring was full", stats.imissed});
        visit(protocol::CounterView{module, "rx_errors", "frames that the port received damaged",
                                    stats.ierrors});
        visit(protocol::CounterView{module, "rx_no_mbuf", "frames that found no mbuf", stats.rx_nombuf});
        visit(
            protocol::CounterView{module, "tx_errors", "frames that the port failed to send", stats.oerrors});
    }
}

/// "rows" by number; "next" is the number to ask for next, 0 after the last page.
void fill_counters(const TelemetrySources& s, const char* params, TelDict& out) {
    const Page page = parse_page(params, counters_page);
    std::uint64_t number = 0;
    out.dict("rows", [&](TelDict& rows) {
        for_each_counter(s, [&](const protocol::CounterView& c) {
            if (number >= page.from && number < page.from + page.count)
                rows.dict(std::to_string(number).c_str(), [&](TelDict& d) {
                    d.text("module", c.module);
                    d.text("name", c.name);
                    d.text("help", c.help);
                    d.number("value", c.value);
                });
            ++number;
        });
    });
    out.number("next", page.from + page.count < number ? page.from + page.count : 0);
}

/// "rows" by number since start, oldest first; "next" is the number to ask for next, 0 after the last page.
void fill_events(const TelemetrySources& s, const char* params, TelDict& out) {
    const Page page = parse_page(params, events_page);
    const auto entries = s.events.page(page.from, page.count);
    out.dict("rows", [&](TelDict& rows) {
        for (const auto& [number, event] : entries)
            rows.dict(std::to_string(number).c_str(), [&](TelDict& d) {
                const EventRow& row = event_rows[static_cast<std::size_t>(event.kind)];
                d.number("at_us", to_us(event.at - s.started_at));
                d.text("event", row.name);
                d.text("text", protocol::describe(event));
                d.text("help", row.help);
                d.number("a", event.a);
                d.number("b", event.b);
            });
    });
    out.number("next", entries.size() == page.count ? entries.back().number + 1 : 0);
}

void fill_cores(const TelemetrySources& s, const char*, TelDict& out) {
    for (const Runner* r : s.runners)
        out.dict(std::string(r->name()).c_str(), [&](TelDict& d) {
            const Port* port = r->port();
            d.text("port", port == nullptr ? "none" : port->device());
            d.text("driver", port == nullptr ? "none" : port->driver());
            for (std::size_t i = 0; i < RunnerCounters::size; ++i)
                d.number(std::string(runner_counter_rows[i].name).c_str(), r->counters().get(i));
        });
}

struct Command {
    const char* name;
    const char* help;
    void (*fill)(const TelemetrySources&, const char* params, TelDict&);
};
constexpr Command commands[] = {
    {"/holdfast/status", "Role, state, term, sessions, mirror and last takeover. Takes no parameters",
     fill_status},
    {"/holdfast/sessions", "Sessions by slot. Parameters: from slot, count (at most 24)", fill_sessions},
    {"/holdfast/backends", "Backends of all services. Parameters: from place, count (at most 48)",
     fill_backends},
    {"/holdfast/drain", "A backend gets no new sessions. Parameters: service, backend, on or off",
     fill_drain},
    {"/holdfast/counters", "Counters with their meaning. Parameters: from number, count (at most 48)",
     fill_counters},
    {"/holdfast/mirror", "State of the mirror connection. Takes no parameters", fill_mirror},
    {"/holdfast/guard", "Lease, paths and links. Takes no parameters", fill_guard},
    {"/holdfast/events", "Last events. Parameters: from number, count (at most 48)", fill_events},
    {"/holdfast/cores", "Each core's thread: cycles, worst cycle, drops. Takes no parameters", fill_cores},
};

int answer(const char* name, const char* params, rte_tel_data* data) {
    const std::lock_guard lock(sources_lock);
    if (sources_now == nullptr) return -1;
    const auto command =
        std::ranges::find_if(commands, [&](const Command& c) { return std::strcmp(c.name, name) == 0; });
    if (command == std::end(commands)) return -1;
    TelDict out(data);
    command->fill(*sources_now, params, out);
    return 0;
}

}  // namespace

Telemetry::Telemetry(TelemetrySources sources) : sources_(std::move(sources)) {
    for (const auto& c : commands)
        if (const int error = rte_telemetry_register_cmd(c.name, answer, c.help); error != 0)
            throw std::runtime_error(std::string("telemetry refuses ") + c.name + ": " +
                                     std::strerror(-error));
    const std::lock_guard lock(sources_lock);
    sources_now = &sources_;
}

Telemetry::~Telemetry() {
    const std::lock_guard lock(sources_lock);
    sources_now = nullptr;
}

}  // namespace holdfast::engine
