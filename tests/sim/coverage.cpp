#include "tests/sim/coverage.hpp"

#include <cstdio>
#include <utility>

namespace holdfast::sim {
namespace {

using enum State;

/// Pairs of states (client, server) in which a relayed connection lives for a while.
constexpr std::pair<State, State> reachable[] = {
    {syn_sent, closed},         {syn_sent, syn_received},  {established, syn_received},
    {established, established}, {fin_wait_1, established}, {fin_wait_2, close_wait},
    {fin_wait_1, close_wait},   {established, fin_wait_1}, {close_wait, fin_wait_2},
    {close_wait, fin_wait_1},   {fin_wait_1, fin_wait_1},  {closing, fin_wait_1},
    {fin_wait_1, closing},      {closing, closing},        {last_ack, fin_wait_2},
    {fin_wait_2, last_ack},     {last_ack, time_wait},     {time_wait, last_ack},
    {time_wait, closed},        {closed, time_wait},       {time_wait, time_wait},
};

}  // namespace

std::uint64_t Coverage::at(State client, State server, FaultKind fault) const {
    const auto it = cells_.find({static_cast<std::uint8_t>(client), static_cast<std::uint8_t>(server),
                                 static_cast<std::uint8_t>(fault)});
    return it == cells_.end() ? 0 : it->second;
}

std::string Coverage::save() const {
    std::string text;
    for (const auto& [cell, n] : cells_)
        text += "cell " + std::to_string(std::get<0>(cell)) + " " + std::to_string(std::get<1>(cell)) + " " +
                std::to_string(std::get<2>(cell)) + " " + std::to_string(n) + "\n";
    return text;
}

void Coverage::load_line(const std::string& line) {
    unsigned client = 0, server = 0, fault = 0;
    unsigned long long n = 0;
    if (std::sscanf(line.c_str(), "cell %u %u %u %llu", &client, &server, &fault, &n) == 4)
        cells_[{static_cast<std::uint8_t>(client), static_cast<std::uint8_t>(server),
                static_cast<std::uint8_t>(fault)}] += n;
}

std::string Coverage::print() const {
    char buffer[160];
    std::snprintf(buffer, sizeof buffer, "%-13s%-13s", "client", "server");
    std::string text = buffer;
    for (const auto n : fault_names) {
        std::snprintf(buffer, sizeof buffer, "%14s", std::string(n).c_str());
        text += buffer;
    }
    for (const auto& [client, server] : reachable) {
        std::snprintf(buffer, sizeof buffer, "\n%-13s%-13s", std::string(name(client)).c_str(),
                      std::string(name(server)).c_str());
        text += buffer;
        for (std::size_t f = 0; f < std::size(fault_names); ++f) {
            std::snprintf(buffer, sizeof buffer, "%14llu",
                          static_cast<unsigned long long>(at(client, server, static_cast<FaultKind>(f))));
            text += buffer;
        }
    }
    return text + "\n";
}

unsigned Coverage::empty_cells() const {
    unsigned empty = 0;
    for (const auto& [client, server] : reachable)
        for (std::size_t f = 0; f < std::size(fault_names); ++f)
            empty += at(client, server, static_cast<FaultKind>(f)) == 0 ? 1 : 0;
    return empty;
}

}  // namespace holdfast::sim
