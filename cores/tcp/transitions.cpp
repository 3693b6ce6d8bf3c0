#include "cores/tcp/transitions.hpp"

namespace holdfast::tcp {

std::string_view to_string(State state) {
    static constexpr std::string_view names[] = {"closed",     "syn-sent",   "syn-received", "established",
                                                 "fin-wait-1", "fin-wait-2", "close-wait",   "closing",
                                                 "last-ack",   "time-wait"};
    return names[static_cast<std::size_t>(state)];
}

}  // namespace holdfast::tcp
