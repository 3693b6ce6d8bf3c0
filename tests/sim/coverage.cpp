#include "tests/sim/coverage.hpp"

#include <cstdio>

#include <algorithm>

namespace holdfast::sim {

void Coverage::count_refusals(std::string_view name, std::uint64_t n) {
    const auto* const it = std::find(std::begin(refusal_names), std::end(refusal_names), name);
    if (it != std::end(refusal_names)) refusals_[static_cast<std::size_t>(it - refusal_names)] += n;
}

std::uint64_t Coverage::at(StatePair states, FaultKind fault) const {
    const auto it = cells_.find(cell(states, fault));
    return it == cells_.end() ? 0 : it->second;
}

std::string Coverage::save() const {
    std::string text;
    for (const auto& [cell, n] : cells_)
        text += "cell " + std::to_string(std::get<0>(cell)) + " " + std::to_string(std::get<1>(cell)) + " " +
                std::to_string(std::get<2>(cell)) + " " + std::to_string(n) + "\n";
    for (std::size_t i = 0; i < refusals_.size(); ++i)
        if (refusals_[i] > 0)
            text += "refusals " + std::to_string(i) + " " + std::to_string(refusals_[i]) + "\n";
    return text;
}

void Coverage::load_line(const std::string& line) {
    unsigned client = 0, server = 0, fault = 0;
    unsigned long long n = 0;
    if (std::sscanf(line.c_str(), "cell %u %u %u %llu", &client, &server, &fault, &n) == 4)
        cells_[{static_cast<std::uint8_t>(client), static_cast<std::uint8_t>(server),
                static_cast<std::uint8_t>(fault)}] += n;
    unsigned refusal = 0;
    if (std::sscanf(line.c_str(), "refusals %u %llu", &refusal, &n) == 2 && refusal < refusals_.size())
        refusals_[refusal] += n;
}

std::string Coverage::print() const {
    char buffer[160];
    std::snprintf(buffer, sizeof buffer, "%-13s%-13s", "client", "server");
    std::string text = buffer;
    for (const auto n : fault_names) {
        std::snprintf(buffer, sizeof buffer, "%14s", std::string(n).c_str());
        text += buffer;
    }
    for (const auto& states : state_pairs) {
        std::snprintf(buffer, sizeof buffer, "\n%-13s%-13s", std::string(name(states.client)).c_str(),
                      std::string(name(states.server)).c_str());
        text += buffer;
        for (std::size_t f = 0; f < std::size(fault_names); ++f) {
            std::snprintf(buffer, sizeof buffer, "%14llu",
                          static_cast<unsigned long long>(at(states, static_cast<FaultKind>(f))));
            text += buffer;
        }
    }
    for (std::size_t i = 0; i < refusals_.size(); ++i)
        text += "\n" + std::string(refusal_names[i]) + " " + std::to_string(refusals_[i]);
    return text + "\n";
}

std::vector<std::string> Coverage::empty_cells() const {
    std::vector<std::string> empty;
    for (const auto& states : state_pairs)
        for (std::size_t f = 0; f < std::size(fault_names); ++f)
            if (at(states, static_cast<FaultKind>(f)) == 0)
                empty.push_back(std::string(fault_names[f]) + " in " + states.to_string());
    for (std::size_t i = 0; i < refusals_.size(); ++i)
        if (refusals_[i] == 0) empty.push_back(std::string(refusal_names[i]) + " in no run");
    return empty;
}

}  // namespace holdfast::sim
