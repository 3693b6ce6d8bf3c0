// An application that keeps a book at the standby: how far each session has come. Who takes a session over
// without the page that belongs to it resets the session, which its client tells.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "tests/sim/scribe.hpp"

namespace holdfast::sim {

/// Answers as Scribe does, and stores before each answer how far the session has come.
class Ledger final : public Scribe {
  public:
    using Scribe::Scribe;

    void resumed(const app::Resumed& r) override {
        auto& reached = book_[page_of(r.opened.session)];
        if (reached < r.committed) return channel_.abort(r.opened.session);
        reached = r.committed;
    }
    std::size_t receive(SessionId session, app::Offset offset, std::span<const std::uint8_t> bytes) override {
        const auto n = std::min({bytes.size(), answer_max, channel_.room(session)});
        if (n == 0) return channel_.reply(session, bytes);
        const auto page = page_of(session);
        const Entry entry{page, offset + n};
        // While it catches up nothing takes effect: what is stored late is stored in time.
        if (joined_ && !behind_.empty()) behind_.push_back(page);
        else if (joined_ && !write(entry)) return hungry_.insert(page), 0;
        book_[page] = offset + n;
        return answer(session, offset, bytes.first(n));
    }
    void closed(SessionId session) override { book_.erase(page_of(session)); }

    void advance(Instant now) override {
        now_ = now;
        for (; joined_ && !behind_.empty(); behind_.pop_front()) {
            const auto it = book_.find(behind_.front());
            if (it != book_.end() && !write({it->first, it->second})) return;
        }
        for (const auto& [slot, generation] : std::exchange(hungry_, {})) channel_.retry({slot, generation});
    }
    Instant next_deadline() const override {
        return behind_.empty() && hungry_.empty() ? Instant::never() : now_ + microseconds(50);
    }

    void activated(std::uint64_t) override { joined_ = false; }
    /// The active tells everything anew.
    std::size_t describe(std::span<std::uint8_t>) override {
        book_.clear();
        return 0;
    }
    void standby_joined(std::span<const std::uint8_t>) override {
        joined_ = true;
        behind_.clear();
        for (const auto& [page, reached] : book_) behind_.push_back(page);
    }
    void standby_left() override {
        joined_ = false;
        behind_.clear();
    }
    bool caught_up() const override { return behind_.empty(); }
    bool stored(std::span<const std::uint8_t> record) override {
        Entry e;
        if (record.size() != sizeof e) return false;
        std::copy(record.begin(), record.end(), reinterpret_cast<std::uint8_t*>(&e));
        auto& reached = book_[e.page];
        reached = std::max(reached, e.reached);
        return true;
    }

  private:
    using Page = std::pair<std::uint32_t, std::uint32_t>;  ///< slot and generation
    struct Entry {
        Page page;
        app::Offset reached = 0;
    };

    static Page page_of(SessionId id) { return {id.slot, id.generation}; }
    bool write(const Entry& e) {
        return channel_.store({reinterpret_cast<const std::uint8_t*>(&e), sizeof e});
    }

    std::map<Page, app::Offset> book_;
    std::deque<Page> behind_;  ///< what the standby lacks
    std::set<Page> hungry_;    ///< sessions that wait for room in the ring
    bool joined_ = false;
    Instant now_{};
};

}  // namespace holdfast::sim
