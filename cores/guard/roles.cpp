#include "cores/guard/roles.hpp"

#include <array>

namespace holdfast::guard {
namespace {

struct Row {
    std::string_view name, help;
};
#define HF_GUARD_ROW(name, help) Row{#name, help},
constexpr Row reasons[] = {Row{"none", "nothing happened"}, HF_GUARD_REASON_ROWS(HF_GUARD_ROW)};
constexpr Row holds[] = {Row{"none", "nothing holds it"}, HF_GUARD_HOLD_ROWS(HF_GUARD_ROW)};
#undef HF_GUARD_ROW
constexpr std::array<std::string_view, 4> roles{"standby", "standby", "active", "standby"};
constexpr std::array<std::string_view, 7> states{"boot",      "syncing",   "ready",   "solo",
                                                 "protected", "suspended", "resigned"};

template <class E>
constexpr std::size_t index(E e) {
    return static_cast<std::size_t>(e);
}

}  // namespace

std::string_view name_of(Reason reason) { return reasons[index(reason)].name; }
std::string_view help_of(Reason reason) { return reasons[index(reason)].help; }
std::string_view name_of(Hold hold) { return holds[index(hold)].name; }
std::string_view help_of(Hold hold) { return holds[index(hold)].help; }
std::string_view name_of(Role role) { return roles[index(role)]; }
std::string_view name_of(State state) { return states[index(state)]; }

}  // namespace holdfast::guard
