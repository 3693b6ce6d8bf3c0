#include "tests/sim/speaker_checker.hpp"

namespace holdfast::sim {

/// The frame claims to come from an address that belongs to the pair.
bool SpeakerChecker::is_virtual(const Machine& machine, std::size_t port, const Bytes& frame) const {
    const auto& mac = machine.options().ports[port].virtual_mac;
    if (source_mac(frame) == mac) return true;
    const auto is_virtual_address = [this](const IpAddress& a) {
        return a == site_.virtual_address().address || a == site_.snat();
    };
    const auto said = read_resolution(frame);
    if (said && (said->sender_mac == mac || is_virtual_address(said->sender))) return true;
    const auto from = source_address(frame);
    return from && is_virtual_address(*from);
}

bool SpeakerChecker::node_sends(const Machine& machine, std::size_t port, const Bytes& frame) {
    if (!is_virtual(machine, port, frame)) return false;
    if (speaker_ == &machine && life_ == machine.life()) return false;
    const auto term = machine.status().term;
    if (speaker_ != nullptr && term <= term_)
        journal_.violate("R4", "node " + machine.name() + " speaks in term " + std::to_string(term) + ", " +
                                   (speaker_ == &machine ? "its former life" : "the other one") +
                                   " spoke in term " + std::to_string(term_));
    speaker_ = &machine;
    life_ = machine.life();
    term_ = term;
    return true;
}

}  // namespace holdfast::sim
