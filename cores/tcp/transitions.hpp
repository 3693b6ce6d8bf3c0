// The states of a connection and what moves it from one to the next (RFC 9293 section 3.3.2), as a table.
#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast::tcp {

enum class State : std::uint8_t {
    closed,
    syn_sent,
    syn_received,
    established,
    fin_wait_1,
    fin_wait_2,
    close_wait,
    closing,
    last_ack,
    time_wait,
};

enum class StateEvent : std::uint8_t {
    syn_acknowledged,  ///< our SYN was acknowledged and the endpoint's SYN is known
    fin_sent,          ///< the parent closed our direction
    fin_acknowledged,  ///< the endpoint acknowledged our FIN
    fin_received,      ///< all bytes before the endpoint's FIN have been taken, and the FIN
    reset,             ///< a valid RST, or the parent gave up
    time_wait_over,    ///< 2 MSL have passed
};

struct Transition {
    State from;
    StateEvent event;
    State to;
};

//= rfc9293#3.3.2
//  The rows of the state diagram; what is not listed leaves the state as it is.
inline constexpr Transition transitions[] = {
    {State::syn_sent, StateEvent::syn_acknowledged, State::established},
    {State::syn_received, StateEvent::syn_acknowledged, State::established},
    {State::syn_received, StateEvent::fin_sent, State::fin_wait_1},
    {State::established, StateEvent::fin_sent, State::fin_wait_1},
    {State::established, StateEvent::fin_received, State::close_wait},
    {State::fin_wait_1, StateEvent::fin_acknowledged, State::fin_wait_2},
    {State::fin_wait_1, StateEvent::fin_received, State::closing},
    {State::fin_wait_2, StateEvent::fin_received, State::time_wait},
    {State::close_wait, StateEvent::fin_sent, State::last_ack},
    {State::closing, StateEvent::fin_acknowledged, State::time_wait},
    {State::last_ack, StateEvent::fin_acknowledged, State::closed},
    {State::time_wait, StateEvent::time_wait_over, State::closed},
    {State::syn_sent, StateEvent::reset, State::closed},
    {State::syn_received, StateEvent::reset, State::closed},
    {State::established, StateEvent::reset, State::closed},
    {State::fin_wait_1, StateEvent::reset, State::closed},
    {State::fin_wait_2, StateEvent::reset, State::closed},
    {State::close_wait, StateEvent::reset, State::closed},
    {State::closing, StateEvent::reset, State::closed},
    {State::last_ack, StateEvent::reset, State::closed},
    {State::time_wait, StateEvent::reset, State::closed},
};

/// State after `event` in `from`.
constexpr State next_state(State from, StateEvent event) {
    for (const auto& row : transitions)
        if (row.from == from && row.event == event) return row.to;
    return from;
}

/// The RFC's name in lower case, for people.
std::string_view to_string(State state);

}  // namespace holdfast::tcp
