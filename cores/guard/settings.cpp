#include "cores/guard/settings.hpp"

namespace holdfast::guard {

std::string_view settings_error(const Settings& s) {
    if (s.node_id > 1) return "the node id must be 0 or 1";
    if (s.key.size() < 32) return "the key must have at least 32 bytes";
    if (s.boot_nonce == 0) return "the boot nonce must not be 0";
    if (s.heartbeat < microseconds(100)) return "heartbeat must be at least 0.1 ms";
    if (s.lease < s.heartbeat * 5)
        return "lease must be at least five heartbeats, or one lost round looks like death";
    if (s.lease_margin < s.lease / 20)
        return "lease_margin must be at least a twentieth of lease: it covers drift, TX drain and the trip "
               "of a query";
    if (s.boot_wait < (s.lease + s.lease_margin) * 2)
        return "boot_wait must be at least twice lease + lease_margin: a lease granted before the start may "
               "still run";
    if (s.syncing_wait < (s.lease + s.lease_margin) * 2)
        return "syncing_wait must be at least twice lease + lease_margin, so that an active that was paused "
               "goes first";
    if (s.echo_window < s.lease) return "echo_window must not be shorter than lease";
    if (s.announce_every <= Duration{}) return "announce_every must be positive";
    if (s.references > references_max) return "there may be at most 16 reference targets";
    return {};
}

}  // namespace holdfast::guard
