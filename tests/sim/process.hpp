// The process of gate host beside a machine. It dies and stalls now and then; every life of it says other
// words, and what it says to a byte follows from nothing that a later life could know.
#pragma once

#include <array>

#include "lib/host/client.hpp"
#include "tests/sim/backing.hpp"
#include "tests/support/memory_link.hpp"

namespace holdfast::sim {

/// How far the processes of both machines have confirmed a client's stream.
struct Confirmed {
    std::uint64_t bytes = 0;
    bool end = false;
};
using ConfirmedBook = std::map<Endpoint, Confirmed>;

/// Answers each byte by one, and confirms what it has answered, some time later.
class Process final : public Actor, public host::Handler {
  public:
    Process(const BackingParts& parts, ConfirmedBook& confirmed, std::string name, std::uint64_t seed);

    void attach(Machine& machine) { machine_ = &machine; }
    /// The machine's end.
    host::Link& link() { return appliance_; }
    void start();
    /// It is gone between two instructions.
    void kill();
    /// It does nothing until then.
    void stall(Instant until) { stalled_until_ = until; }
    /// Its machine's node is gone.
    void lose_node() { cable_.cut(); }

    void wake(std::uint64_t life, const Frame& frame) override;

    void opened(const host::Opened& o) override;
    void bytes(host::Session session, std::uint64_t offset, std::span<const std::uint8_t> bytes) override;
    void ended(host::Session session, std::uint64_t end) override;
    void closed(host::Session session) override { sessions_.erase(session.slot); }
    void detached() override { sessions_.clear(); }

  private:
    struct Served {
        host::Session id;
        Endpoint client;
        std::uint64_t received = 0, replied = 0;
        std::vector<std::uint8_t> words;  ///< for room
        bool ended = false, done = false;
    };

    void answer(Served& s);
    void violate(const Served& s, const std::string& text);

    const BackingParts& p_;
    ConfirmedBook& confirmed_;
    std::string name_;
    Random random_;
    std::uint64_t laziness_;  ///< cycles from a byte to its answer, about
    Machine* machine_ = nullptr;
    test::Cable cable_;
    test::MemoryLink appliance_{cable_, 0}, own_{cable_, 1};
    std::unique_ptr<host::Client> client_;  ///< while it lives
    std::map<std::uint32_t, Served> sessions_;
    std::uint64_t life_ = 0;
    Instant stalled_until_{};
};

/// The processes of a pair.
class Processes final : public Backing, public Actor {
  public:
    explicit Processes(BackingParts parts);

    void equip(std::size_t i, MachineOptions& options) override;
    void attach(std::size_t i, Machine& machine) override;
    void begin() override;
    void machine_died(std::size_t i) override { processes_[i].lose_node(); }
    void judge_acknowledgment(std::size_t speaker, const Endpoint& client, const ClientView& told) override;
    void wake(std::uint64_t token, const Frame& frame) override;

  private:
    BackingParts p_;
    ConfirmedBook confirmed_;
    std::array<Process, 2> processes_;
};

}  // namespace holdfast::sim
