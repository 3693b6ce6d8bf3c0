// Two journals across takeovers: what a client was told is in the survivor's log, and in the end both logs
// are the same, whole, with nothing twice. Drawn runs: kills with and without a power failure, which may
// leave holes in what was being written, at any point of the mirror; and power failures of both nodes.
#include <catch2/catch.hpp>

#include "tests/support/journal_pair.hpp"

using namespace holdfast;
using namespace holdfast::test;
using app::Offset;

namespace {

class Pair {
  public:
    Pair(std::uint64_t seed, bool standby_durable) : random_(seed), nodes_{PairNode(1), PairNode(2)} {
        for (auto& n : nodes_) n.standby_durable = standby_durable;
        for (auto& n : nodes_) n.start(++author_);
        for (std::uint32_t i = 0; i < PairNode::slots; ++i)
            clients_.push_back({{i, 1}, 500 + random_.below(3000), 0, false, false});
        activate();
    }

    void run() {
        for (int i = 0; i < 4000 && !over(); ++i) {
            now_ = now_ + microseconds(200);
            step();
        }
        INFO("the clients did not get done");
        REQUIRE(over());
        for (int i = 0; i < 4000 && !settled(); ++i) {
            now_ = now_ + microseconds(200);
            carry(true);
            for (auto& n : nodes_) n.store_.flush();
            work();
        }
        judge_end();
    }

    /// What was acknowledged is in the one log that there is in the end, or was kept apart.
    void lose_both() {
        for (int i = 0; i < 200 + static_cast<int>(random_.below(200)) || !in_sync_; ++i) {
            now_ = now_ + microseconds(200);
            step();
        }
        kills_ = kills_max;
        lost_both_ = true;
        for (auto& n : nodes_) {
            n.store_.lose_blocks(random_);
            n.start(++author_);
            REQUIRE_FALSE(n.damaged);
        }
        active_ = random_.below(2);
        leave();
        active().journal->activated(++term_);
        // Other clients, with the names of those of before.
        const auto before = std::exchange(clients_, {});
        for (std::uint32_t i = 0; i < PairNode::slots; ++i)
            clients_.push_back({{i, 2}, 1 + random_.below(500), 0, false, false});
        run();
        for (const auto& c : before) judge_kept(c);
    }

  private:
    static constexpr unsigned kills_max = 6;

    /// What a node has of the client, in its log or apart.
    std::size_t kept(const PairNode& n, const PairClient& c) const {
        auto held = n.stream(c.id);
        for (const auto& piece : n.store_.aside) {
            auto term = piece.term;
            journal::scan_segment(piece.bytes, piece.at, 0, term, [&](const journal::Record& r, auto) {
                if (r.kind == journal::Kind::data && r.session == c.id && r.offset == held.size())
                    held.insert(held.end(), r.body.begin(), r.body.end());
                return true;
            });
        }
        const bool right = held == c.said(0, held.size());
        CHECK(right);
        return held.size();
    }

    /// By the node that acknowledged it, or, just after a takeover, by the one before.
    void judge_kept(const PairClient& c) const {
        INFO("client " << c.id.slot << " was told " << c.acknowledged);
        CHECK(std::max(kept(nodes_[0], c), kept(nodes_[1], c)) >= c.acknowledged);
    }

    PairNode& active() { return nodes_[active_]; }
    PairNode& standby() { return nodes_[1 - active_]; }

    void step() {
        switch (random_.below(24)) {
            case 0:
                if (kills_ < kills_max && in_sync_) kill();
                break;
            case 1: active().store_.failing = random_.below(3) == 0; break;
            case 2:
            case 3: standby().store_.flush(); break;
            case 4:
            case 5: active().store_.flush(); break;
            case 6: rejoin(); break;
            case 7:
            case 8:
            case 9: say(); break;
            case 10: active().store_.slow_reads = random_.below(2) == 0; break;
            default: carry(false);
        }
        work();
    }

    void say() {
        auto& c = clients_[random_.below(clients_.size())];
        if (c.over || c.aborted) return;
        auto& n = active();
        if (!n.sessions.contains(c.id.slot)) {
            n.sessions[c.id.slot] = {};
            n.journal->opened({c.id, *Endpoint::parse("10.0.0.1:1000"), *Endpoint::parse("10.0.0.2:2000")});
        }
        auto& s = n.sessions[c.id.slot];
        const auto to = std::min<Offset>(c.end, s.taken + 1 + random_.below(700));
        const auto bytes = c.said(s.taken, to);
        if (!bytes.empty()) s.taken += n.journal->receive(c.id, s.taken, bytes);
        if (s.taken < c.end || s.end_told) return;
        s.end_told = true;
        n.journal->end_of_stream(c.id, s.taken);
    }

    /// The application core's part: what was done goes to the mirror, behind the state records of before.
    void work() {
        for (auto& n : nodes_) n.journal->advance(now_);
        auto& n = active();
        for (const auto slot : n.touched) {
            const auto& s = n.sessions[slot];
            if (n.joined)
                n.mirror.push_back({{}, SessionId{slot, 1}, s.committed, s.end_committed, s.finished});
        }
        n.touched.clear();
        if (n.joined && !in_sync_ && !snapshot_sent_ && n.journal->caught_up()) {
            snapshot_sent_ = true;
            for (const auto& [slot, s] : n.sessions)
                n.mirror.push_back({{}, SessionId{slot, 1}, s.committed, s.end_committed, s.finished});
            n.mirror.push_back({});
        }
        for (const auto slot : n.aborted) clients_[slot].aborted = true;
        standby().touched.clear();
    }

    /// Some of what is on its way arrives, and what it confirms takes effect.
    void carry(bool all) {
        auto& from = active();
        auto& to = standby();
        for (std::size_t n = all ? from.mirror.size() : random_.below(4); n > 0 && !from.mirror.empty();
             --n) {
            auto c = from.mirror.front();
            from.mirror.pop_front();
            if (!c.state.empty()) {
                ++stored_;
                if (!to.journal->stored(c.state)) return part();
            } else if (c.session) {
                auto& s = to.sessions[c.session->slot];
                s.committed = s.taken = std::max(s.committed, c.committed);
                s.end_told = s.end_committed = s.end_committed || c.end;
                s.finished = s.finished || c.finished;
            }
            if (c.state.empty()) confirmed_.push_back({stored_, c});
        }
        take_confirmations(to);
    }

    /// What is settled at the standby takes effect, once it is in sync: the end of the snapshot is settled,
    /// too.
    void take_confirmations(PairNode& to) {
        for (; !confirmed_.empty() && confirmed_.front().first <= stored_ - to.journal->unsettled();
             confirmed_.pop_front()) {
            if (!confirmed_.front().second.session) in_sync_ = true;
            settled_.push_back(confirmed_.front().second);
        }
        for (; in_sync_ && !settled_.empty(); settled_.pop_front()) {
            const auto& c = settled_.front();
            if (!c.session) continue;
            auto& client = clients_[c.session->slot];
            client.acknowledged = std::max(client.acknowledged, c.committed);
            if (c.finished) client.over = true;
            if (to.standby_durable) judge_durable(to, client);
            if (c.committed > active().sessions[c.session->slot].inherited) judge_durable(active(), client);
        }
    }

    void judge_durable(PairNode& n, const PairClient& c) {
        auto copy = n.store_.log;
        n.store_.log.resize(n.store_.durable());
        CHECK(n.stream(c.id).size() >= c.acknowledged);
        n.store_.log = copy;
    }

    void kill() {
        ++kills_;
        auto& victim = active();
        // A power failure takes what was not durable; the end of a process leaves a part of it.
        const auto how = random_.below(3);
        if (how == 0) victim.store_.lose();
        else if (how == 1) victim.store_.lose_blocks(random_);
        else if (victim.store_.log.size() > victim.store_.durable())
            victim.store_.log.resize(victim.store_.durable() +
                                     random_.below(victim.store_.log.size() - victim.store_.durable() + 1));
        victim.start(++author_);
        active_ = 1 - active_;
        leave();
        activate();
    }

    /// The standby refuses, as one that reads its log again does; nothing else is a reason here.
    void part() {
        REQUIRE(standby().counters.get(app::JournalCounter::read_again) > 0);
        active().journal->standby_left();
        leave();
    }

    void leave() {
        for (auto& n : nodes_) {
            n.mirror.clear();
            n.joined = false;
        }
        in_sync_ = snapshot_sent_ = false;
        confirmed_.clear();
        settled_.clear();
        stored_ = 0;
    }

    void activate() {
        auto& n = active();
        n.store_.failing = false;
        n.journal->activated(++term_);
        for (auto& [slot, s] : n.sessions) {
            auto& c = clients_[slot];
            s.inherited = s.committed;
            if (c.over) continue;
            n.journal->resumed({{c.id, *Endpoint::parse("10.0.0.1:1000"), *Endpoint::parse("10.0.0.2:2000")},
                                s.committed,
                                0,
                                s.end_told,
                                s.finished});
        }
        for (const auto& c : clients_) {
            const auto held = n.stream(c.id);
            INFO("client " << c.id.slot << " was told " << c.acknowledged);
            REQUIRE(held.size() >= c.acknowledged);
            const bool right = held == c.said(0, held.size());
            REQUIRE(right);
        }
        REQUIRE(n.aborted.empty());
    }

    void rejoin() {
        if (active().joined) return;
        auto& s = standby();
        s.sessions.clear();
        std::array<std::uint8_t, journal::Description::size_max> said;
        const auto size = s.journal->describe(said);
        active().joined = true;
        active().journal->standby_joined({said.data(), size});
        REQUIRE(active().counters.get(app::JournalCounter::logs_differ) == 0);
    }

    bool over() const {
        return std::ranges::all_of(clients_, [](const PairClient& c) { return c.over || c.aborted; });
    }
    bool settled() {
        rejoin();
        return nodes_[0].store_.log == nodes_[1].store_.log;
    }

    void judge_end() {
        const bool alike = nodes_[0].store_.log == nodes_[1].store_.log;
        CHECK(alike);
        for (const auto& n : nodes_) {
            for (const auto& c : clients_) {
                const bool whole = n.stream(c.id) == c.said(0, c.end);
                CHECK(whole);
            }
            CHECK_FALSE(n.damaged);
            CHECK_FALSE(n.wrong_commit);
            // A standby that was in sync had all that was acknowledged: what the other had beyond goes
            // silently.
            if (!lost_both_) CHECK(n.store_.aside.empty());
        }
    }

    Random random_;
    Instant now_ = Instant{} + seconds(1);
    std::uint64_t author_ = 0, term_ = 0, stored_ = 0;
    std::array<PairNode, 2> nodes_;
    std::vector<PairClient> clients_;
    std::size_t active_ = 0;
    unsigned kills_ = 0;
    bool in_sync_ = false, snapshot_sent_ = false, lost_both_ = false;
    std::deque<std::pair<std::uint64_t, Carried>> confirmed_;  ///< with the state records before them
    std::deque<Carried> settled_;
};

}  // namespace

TEST_CASE("journal: whatever is killed when, the survivor has what was acknowledged", "[journal]") {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        INFO("seed " << seed);
        Pair(seed, seed % 2 == 0).run();
    }
}

TEST_CASE("journal: both nodes lose their power: what was acknowledged is in a log, or kept apart",
          "[journal]") {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        INFO("seed " << seed);
        Pair(seed, seed % 2 == 0).lose_both();
    }
}
