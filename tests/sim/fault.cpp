#include "tests/sim/fault.hpp"

namespace holdfast::sim {
namespace {

/// Every magnitude of time from `low` to `high` is equally likely.
Duration draw_magnitude(Random& random, Duration low, Duration high) {
    unsigned doublings = 0;
    while (low * (std::int64_t{1} << doublings) < high) ++doublings;
    const Duration base = low * (std::int64_t{1} << random.below(doublings));
    return base + nanoseconds(random.between(0, base.ns));
}

Trigger draw_trigger(Random& random) {
    Trigger t;
    t.after = draw_magnitude(random, microseconds(100), seconds(2));
    if (random.below(3) == 0) return t;
    t.states = state_pairs[random.below(std::size(state_pairs))];
    t.skips = random.below(3) != 0 ? 0 : static_cast<unsigned>(random.below(3));
    t.after = random.below(2) == 0 ? Duration{} : draw_magnitude(random, microseconds(1), milliseconds(50));
    return t;
}

}  // namespace

std::string StatePair::to_string() const {
    return "(" + std::string(name(client)) + ", " + std::string(name(server)) + ")";
}

Fault draw_fault(Random& random, FaultKind kind) {
    Fault f;
    f.kind = kind;
    f.trigger = draw_trigger(random);
    f.lasts = draw_magnitude(random, milliseconds(1), seconds(2));
    f.restarts = random.below(8) != 0;
    f.keeps_term = random.below(4) != 0;
    f.waits_for_standby = random.below(6) != 0;
    f.core = random.below(kind == FaultKind::stall ? 2 : 3);
    return f;
}

std::string Fault::to_string() const {
    std::string text(name(kind));
    text += ", " + std::to_string(trigger.after.to_us()) + " us after ";
    if (!trigger.states) text += "the one before";
    else
        text += "connection number " + std::to_string(trigger.skips + 1) + " gets into " +
                trigger.states->to_string();
    text += ", lasts " + std::to_string(lasts.to_us()) + " us";
    if (kind == FaultKind::stall || kind == FaultKind::kill_in_burst)
        text += ", core " + std::to_string(core);
    if (!restarts) text += ", no restart";
    if (!keeps_term) text += ", term lost";
    if (!waits_for_standby) text += ", does not wait for the standby";
    return text;
}

}  // namespace holdfast::sim
