#include "cores/protocol/event_text.hpp"

#include <array>
#include <cerrno>

#include "cores/app/journal_bar.hpp"
#include "cores/guard/roles.hpp"
#include "cores/mirror/codec.hpp"
#include "cores/proxy/backend_cell.hpp"
#include "cores/proxy/host_cell.hpp"
#include "lib/base/time.hpp"

namespace holdfast::protocol {
namespace {

std::string path_name(std::uint64_t path) {
    constexpr std::array<const char*, 3> names{"the client network", "the server network", "the mirror link"};
    return path < names.size() ? names[path] : "path " + std::to_string(path);
}

std::string role_name(std::uint64_t role) {
    constexpr std::array<const char*, 4> names{"booting", "standby", "active", "resigned"};
    return role < names.size() ? names[role] : "role " + std::to_string(role);
}

std::string core_name(std::uint64_t core) {
    constexpr std::array<const char*, 3> names{"the client core", "the server core", "the application core"};
    return core < names.size() ? names[core] : "core " + std::to_string(core);
}

std::string count_of(std::uint64_t n, const char* noun) {
    return std::to_string(n) + " " + noun + (n == 1 ? "" : "s");
}

/// Milliseconds with one decimal, from microseconds.
std::string ms(std::uint64_t us) {
    const auto tenths = (us + 50) / 100;
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " ms";
}

std::string reason_of(const Event& e) {
    return std::string(guard::help_of(static_cast<guard::Reason>(e.reason)));
}

/// As `holdfastctl backends` numbers them.
std::string backend_name(const Event& e) {
    return "backend " + std::to_string(e.a) + "/" + std::to_string(e.b);
}

std::string host_loss(const Event& e) {
    switch (static_cast<proxy::HostLoss>(e.reason)) {
        case proxy::HostLoss::link: return "is gone";
        case proxy::HostLoss::silent: return "is silent";
        default: return "began anew";
    }
}

/// ": why", or nothing when no reason is known.
std::string backend_reason(const Event& e) {
    const auto words = proxy::words_of(static_cast<proxy::BackendReason>(e.reason));
    return words.empty() ? "" : ": " + std::string(words);
}

std::string why_not_written(std::uint64_t error) {
    switch (error) {
        case 0: return "journal_max_bytes is reached";
        case ENOSPC: return "its disk is full";
        case EIO: return "its disk fails";
        default: return "error " + std::to_string(error);
    }
}

}  // namespace

std::string describe(const Event& e) {
    const auto a = std::to_string(e.a);
    switch (e.kind) {
        case EventKind::role_changed: return role_name(e.a) + ", term " + std::to_string(e.b);
        case EventKind::peer_heard: return "the peer is heard over " + path_name(e.a);
        case EventKind::peer_silent: return "the peer is silent on " + path_name(e.a) + " for " + ms(e.b);
        case EventKind::takeover:
            return "active in term " + a + ": " + reason_of(e) + " (" + ms(e.b) +
                   " since its last heartbeat)";
        case EventKind::takeover_opened: return count_of(e.a, "session") + " taken over, in " + ms(e.b);
        case EventKind::lease_expired: return "the lease of term " + a + " ran out, the node is silent";
        case EventKind::resumed:
            return "speaks again, in term " + a +
                   (e.b != 0 ? ": the peer may have served meanwhile" : ": nobody served meanwhile");
        case EventKind::solo_granted:
            return "no peer is heard and a reference target answers: alone in term " + a;
        case EventKind::standby_lost:
            return "the standby's mirror connection ended, " + count_of(e.a, "session") + " unprotected";
        case EventKind::standby_ready: return "the standby holds every session (" + a + "), after " + ms(e.b);
        case EventKind::mirror_refused:
            return "the pair does not fit: " +
                   std::string(mirror::to_string(static_cast<mirror::Refusal>(e.reason)));
        case EventKind::term_rejected:
            return "term " + std::to_string(e.b) + " was heard, above term " + a + " of this node";
        case EventKind::table_dropped:
            return count_of(e.a, "session") + " forgotten: another node serves them";
        case EventKind::store_late:
            return count_of(e.a, "session") + " went on unprotected: the standby was slower than store_wait";
        case EventKind::cookies_on:
            return a + " sessions or more are half-open: SYNs are answered by cookies";
        case EventKind::cookies_off: return "SYNs open sessions again, after " + count_of(e.a, "cookie");
        case EventKind::heartbeat_forged:
            return "a heartbeat on " + path_name(e.a) + " failed its HMAC or was replayed";
        case EventKind::handed_over: return "resigned term " + a + " before the stop";
        case EventKind::kept_until_stop:
            return "no standby is ready: " + count_of(e.a, "session") + " end with this node";
        case EventKind::core_stalled:
            return core_name(e.a) + " makes no progress" +
                   (e.b != 0 ? ", in the application of service " + std::to_string(e.b - 1) : "");
        case EventKind::gate_holds:
            return count_of(e.a, "session") + " of gate standby wait: no standby is in sync";
        case EventKind::gate_opens: return "no session waits for a standby any more";
        case EventKind::host_attached: return "a process serves service " + a;
        case EventKind::host_lost:
            return "the process of service " + a + " " + host_loss(e) + ": its sessions wait for another";
        case EventKind::backend_up: return backend_name(e) + " is up" + backend_reason(e);
        case EventKind::backend_down: return backend_name(e) + " is down" + backend_reason(e);
        case EventKind::backend_drained: return backend_name(e) + " is drained: it gets no new sessions";
        case EventKind::backend_undrained: return backend_name(e) + " is no longer drained";
        case EventKind::journal_holds:
            return "the journal of service " + a + " holds: " + why_not_written(e.b);
        case EventKind::journal_goes_on: return "the journal of service " + a + " goes on";
        case EventKind::journal_set_aside:
            return "the journal of service " + a + " had " + count_of(e.b, "byte") +
                   " that the active does not have, and that may have been acknowledged: they are kept in a "
                   "directory cut-* of its journal_dir";
        case EventKind::journal_bars_sync:
            return "the journal of service " + a + " keeps the standby out of sync: " +
                   std::string(app::words_of(static_cast<app::JournalBar>(e.reason)));
        case EventKind::count_: break;
    }
    return "unknown event";
}

}  // namespace holdfast::protocol
