// Two journals, what lies between them, and clients: everything around the journal that a takeover needs,
// without TCP. A seed is a run.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>

#include "cores/app/journal.hpp"
#include "lib/base/random.hpp"
#include "tests/support/journal_log.hpp"
#include "tests/support/memory_store.hpp"

namespace holdfast::test {

/// One client: its stream is a function of its number and the offset.
struct PairClient {
    SessionId id;
    app::Offset end = 0;           ///< it says so many bytes
    app::Offset acknowledged = 0;  ///< it knows
    bool over = false;             ///< it was told that the whole stream is there
    bool aborted = false;

    std::uint8_t byte_at(app::Offset o) const {
        return static_cast<std::uint8_t>(mix64(std::uint64_t{id.slot} << 40 ^ o));
    }
    std::vector<std::uint8_t> said(app::Offset from, app::Offset to) const {
        std::vector<std::uint8_t> out;
        for (auto o = from; o < to; ++o) out.push_back(byte_at(o));
        return out;
    }
};

/// What the mirror carries: a state record, or what an application did to a session.
struct Carried {
    std::vector<std::uint8_t> state;
    std::optional<SessionId> session;
    app::Offset committed = 0;
    bool end = false, finished = false;
};

/// A session as the application core has it.
struct PairSession {
    app::Offset taken = 0, committed = 0;
    app::Offset inherited = 0;  ///< committed by the node that was active before
    bool end_told = false, end_committed = false, finished = false;
};

class PairNode final : public app::Channel {
  public:
    explicit PairNode(std::uint64_t author) { start(author); }

    void start(std::uint64_t author) {
        store_.failing = false;
        contents = journal::Contents(slots);
        journal::Term term;
        const auto scan = journal::scan_segment(
            store_.log, 0, store_.mark(), term,
            [this](const journal::Record& r, journal::LogPosition at) { return contents.add(r, at); });
        damaged = scan.tail == journal::Tail::damaged;
        store_.log.resize(scan.end);
        store_.cut();
        journal.emplace(*this, store_, contents, counters,
                        app::JournalSettings{"pair", slots, standby_durable, author, degrade});
        sessions.clear();
        mirror.clear();
        joined = false;
    }
    std::vector<std::uint8_t> stream(SessionId id) const {
        std::vector<std::uint8_t> out;
        journal::Term term;
        journal::scan_segment(store_.log, 0, 0, term, [&](const journal::Record& r, journal::LogPosition) {
            if (r.kind != journal::Kind::data || !(r.session == id)) return true;
            if (r.offset != out.size()) damaged = true;
            out.insert(out.end(), r.body.begin(), r.body.end());
            return true;
        });
        return out;
    }

    // Channel
    void commit(SessionId id, app::Offset offset) override {
        auto& s = sessions.at(id.slot);
        if (offset < s.committed || offset > s.taken) wrong_commit = true;
        s.committed = offset;
        touched.insert(id.slot);
    }
    std::size_t reply(SessionId, std::span<const std::uint8_t>) override { return 0; }
    std::size_t room(SessionId) const override { return 0; }
    app::Offset replied(SessionId) const override { return 0; }
    void commit_end(SessionId id) override {
        auto& s = sessions.at(id.slot);
        wrong_commit = wrong_commit || !s.end_told || s.committed != s.taken;
        s.end_committed = true;
        touched.insert(id.slot);
    }
    void deliver(SessionId, app::Offset) override {}
    void finish(SessionId id) override {
        sessions.at(id.slot).finished = true;
        touched.insert(id.slot);
    }
    void abort(SessionId id) override {
        aborted.insert(id.slot);
        journal->closed(id);
    }
    bool store(std::span<const std::uint8_t> record) override {
        if (!joined || mirror.size() >= mirror_max) return false;
        mirror.push_back({{record.begin(), record.end()}, std::nullopt, 0, false, false});
        return true;
    }
    void retry(SessionId) override {}

    static constexpr std::uint32_t slots = 8;
    static constexpr std::size_t mirror_max = 12;
    bool standby_durable = false, degrade = false;
    MemoryStore store_;
    journal::Contents contents{slots};
    app::JournalCounters counters;
    std::optional<app::Journal> journal;
    std::map<std::uint32_t, PairSession> sessions;  ///< active: live ones; standby: as stored
    std::set<std::uint32_t> touched, aborted;
    std::deque<Carried> mirror;  ///< on its way to the standby
    bool joined = false;         ///< active: a standby is there
    mutable bool damaged = false;
    bool wrong_commit = false;
};

}  // namespace holdfast::test
