// The state diagram, printed whole.
#include "cores/tcp/transitions.hpp"

#include <catch2/catch.hpp>

#include <sstream>

#include "tests/support/golden.hpp"

using namespace holdfast;
using namespace holdfast::tcp;

namespace {

constexpr State states[] = {State::closed,     State::syn_sent,   State::syn_received, State::established,
                            State::fin_wait_1, State::fin_wait_2, State::close_wait,   State::closing,
                            State::last_ack,   State::time_wait};

struct Event {
    StateEvent event;
    const char* name;
};
constexpr Event events[] = {
    {StateEvent::syn_acknowledged, "SYN acknowledged"},
    {StateEvent::fin_sent, "FIN sent"},
    {StateEvent::fin_acknowledged, "FIN acknowledged"},
    {StateEvent::fin_received, "FIN received"},
    {StateEvent::reset, "reset"},
    {StateEvent::time_wait_over, "2 MSL over"},
};

/// Every state with every event: also what does not move is written down.
std::string diagram() {
    std::ostringstream text;
    for (const auto from : states)
        for (const auto& e : events) {
            text << to_string(from) << " + " << e.name << " -> ";
            const auto to = next_state(from, e.event);
            if (to == from) text << "(stays)\n";
            else text << to_string(to) << '\n';
        }
    return text.str();
}

}  // namespace

TEST_CASE("transitions: the diagram is the golden one", "[tcp]") {
    CHECK(diagram() == test::golden("transitions.txt", diagram()));
}

TEST_CASE("transitions: a row stands once, and every state but closed can be reset", "[tcp]") {
    for (const auto& a : transitions) {
        int same = 0;
        for (const auto& b : transitions) same += a.from == b.from && a.event == b.event ? 1 : 0;
        CHECK(same == 1);
    }
    for (const auto s : states) CHECK(next_state(s, StateEvent::reset) == State::closed);
}
