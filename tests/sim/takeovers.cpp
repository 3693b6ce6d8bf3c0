#include "tests/sim/takeovers.hpp"

#include <optional>

namespace holdfast::sim {
namespace {

/// Conversations that are drawn before a case counts as out of reach. What few of them get into may need some
/// that the next cases draw, too.
constexpr unsigned attempts_max = 4000, seeds_per_case = 500;

/// What the standby need not know: a client whose cookie came back, before its server has answered.
bool may_be_lost(const TakeoverCase& c) { return c.cookies && c.states.server == State::syn_received; }

/// Lets the server say its FIN later: it is ready one way earlier than the client, and FINs that cross are
/// what the states of a simultaneous close need.
void close_together(Conversation& conversation, Duration later) {
    auto& steps = conversation.server.script.steps;
    for (auto it = steps.begin(); it != steps.end(); ++it)
        if (it->kind == Step::Kind::shutdown) {
            steps.insert(it, {Step::Kind::sleep, 0, later});
            return;
        }
}

/// A cookie leaves no session before the client's answer: these states have no cookie.
bool exists(const TakeoverCase& c) {
    const bool half_open = c.states == StatePair{State::syn_sent, State::syn_received};
    return !(c.cookies && half_open);
}

Options options_of(const TakeoverCase& c, std::uint64_t seed) {
    Options o = plain_options(seed, c.site);
    Random random(mix64(seed ^ 0x7a6e));
    // The same on both sides, so that what both ends say at once often crosses.
    const auto delay = microseconds(random.between(100, 20'000));
    for (auto* access : {o.client_access, o.server_access})
        for (int direction = 0; direction < 2; ++direction) access[direction].delay = delay;
    ConversationLimits limits;
    limits.bytes = 1u << random.between(8, 16);
    const auto any = static_cast<Talk>(random.below(static_cast<std::uint64_t>(Talk::count_)));
    o.conversations.push_back(draw_conversation(seed, 0, talk_into(c.states).value_or(any), limits));
    for (auto* plan : {&o.conversations[0].client, &o.conversations[0].server}) {
        auto& socket = plan->socket;
        socket.sack = c.sack;
        socket.timestamps = c.timestamps;
        if (!c.scaling) socket.window_scale.reset();
        else if (!socket.window_scale) socket.window_scale = 7;
        if (c.site.client_v6 || c.site.server_v6) socket.mss = static_cast<std::uint16_t>(socket.mss - 20);
    }
    if (o.conversations[0].talk == Talk::simultaneous_close)
        close_together(o.conversations[0], nanoseconds(random.between(0, 2 * delay.ns)));
    if (c.cookies) use_cookies(o, 0);
    if (c.headers) use_headers(o);
    Fault fault;
    fault.kind = FaultKind::kill;
    fault.trigger.states = c.states;
    fault.trigger.latest = seconds(1);
    fault.lasts = milliseconds(300);
    o.faults.push_back(fault);
    return o;
}

}  // namespace

std::string TakeoverCase::to_string() const {
    return states.to_string() + ", client IPv" + (site.client_v6 ? "6" : "4") + ", server IPv" +
           (site.server_v6 ? "6" : "4") + (sack ? ", SACK" : "") + (timestamps ? ", timestamps" : "") +
           (scaling ? ", window scaling" : "") + (cookies ? ", cookie" : "") +
           (headers ? ", PROXY header" : "");
}

std::uint64_t takeover_cases() { return std::size(state_pairs) << 7; }

TakeoverCase takeover_case(std::uint64_t number) {
    const auto bit = [number](unsigned i) { return (number >> i & 1) != 0; };
    return {state_pairs[number >> 7], {bit(0), bit(1)}, bit(2), bit(3), bit(4), bit(5), bit(6)};
}

Outcome run_takeover_case(std::uint64_t number, bool verbose) {
    const auto c = takeover_case(number);
    Outcome outcome;
    if (!exists(c)) return outcome;
    for (unsigned attempt = 0; attempt < attempts_max; ++attempt) {
        const auto seed = number * seeds_per_case + attempt;
        const auto options = options_of(c, seed);
        if (verbose) std::printf("%s\n%s\n", c.to_string().c_str(), options.to_string().c_str());
        outcome = World(options, verbose).run();
        if (!outcome.passed()) {
            outcome.text += " (" + c.to_string() + ", conversation " + std::to_string(attempt) + ")";
            return outcome;
        }
        if (outcome.coverage.at(c.states, FaultKind::kill) == 0) continue;
        if (outcome.lost > 0 && !may_be_lost(c)) {
            outcome.rule = "survival";
            outcome.text = "lost though the standby was ready (" + c.to_string() + ", conversation " +
                           std::to_string(attempt) + ")";
        }
        return outcome;
    }
    outcome.rule = "reach";
    outcome.text = "no conversation got into the states (" + c.to_string() + ")";
    return outcome;
}

}  // namespace holdfast::sim
