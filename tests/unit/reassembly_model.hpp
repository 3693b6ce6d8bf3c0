// What Reassembly promises, in plain vectors and walks over all of it: the judge of its tree, lists and runs.
#pragma once

#include <algorithm>
#include <vector>

#include "cores/tcp/reassembly.hpp"

namespace holdfast::test {

class ReassemblyModel {
  public:
    using Insertion = tcp::Reassembly::Insertion;
    struct Piece {
        Position begin = 0, end = 0;
        bool may_report = false, offered = false, reported = false;
        /// When it last had news, was last reported with news, and took its place among the offers.
        std::uint64_t news_at = 0, told_at = 0, queued_at = 0;
        bool news() const { return news_at > told_at; }
    };

    Position next = 1;            ///< everything below was received
    std::vector<Piece> in_order;  ///< not yet taken
    std::vector<Piece> waiting;   ///< by position

    /// `coalesced` is for the queue to choose: whether there is room for it depends on the mbuf.
    Insertion insert(Piece p, bool coalesced) {
        const bool is_next = p.begin == next;
        for (const auto& w : waiting)
            if (w.begin <= p.begin && p.begin < w.end) p.begin = w.end;
        if (p.begin >= p.end) return Insertion::duplicate;
        cover(p);
        if (is_next) {
            if (coalesced) in_order.back().end = p.end;
            else in_order.push_back(p);
            next = p.end;
            join();
        } else if (coalesced) {
            waiting.back().end = p.end;
            if (p.may_report) waiting.back().news_at = ++now_;
        } else {
            p.queued_at = ++now_;
            if (p.may_report) p.news_at = now_;
            const auto above = [&](const Piece& w) { return w.begin > p.begin; };
            waiting.insert(std::ranges::find_if(waiting, above), p);
        }
        return coalesced ? Insertion::coalesced : Insertion::stored;
    }

    bool mark_sacked(tcp::PositionRange r) {
        bool news = false;
        for (auto& w : waiting) {
            if (w.may_report || w.begin < r.begin || w.end > r.end) continue;
            w.may_report = news = true;
            w.news_at = ++now_;
        }
        return news;
    }

    /// Adjacent ones that may be reported: [first, last) of `waiting`.
    struct Run {
        std::size_t first = 0, last = 0;
        tcp::PositionRange range;
        bool news = false;
        std::uint64_t news_at = 0, told_at = 0;
    };
    std::vector<Run> runs() const {
        std::vector<Run> all;
        for (std::size_t i = 0; i < waiting.size(); ++i) {
            const auto& w = waiting[i];
            if (!w.may_report) continue;
            const bool joins = i > 0 && !all.empty() && all.back().last == i && waiting[i - 1].end == w.begin;
            if (!joins) all.push_back({i, i, {w.begin, w.begin}});
            auto& run = all.back();
            run.last = i + 1;
            run.range.end = w.end;
            run.news = run.news || w.news();
            run.news_at = std::max(run.news_at, w.news_at);
            run.told_at = std::max(run.told_at, w.told_at);
        }
        return all;
    }
    std::vector<Run> ranges(Position newest) const {
        auto all = runs();
        const auto rank = [&](const Run& r) {
            return r.range.begin <= newest && newest < r.range.end ? 0 : r.news ? 1 : 2;
        };
        std::ranges::sort(all, [&](const Run& a, const Run& b) {
            if (rank(a) != rank(b)) return rank(a) < rank(b);
            return a.news ? a.news_at > b.news_at : a.told_at > b.told_at;
        });
        return all;
    }
    void mark_reported(const Run& run) {
        for (auto i = run.first; i < run.last; ++i) {
            waiting[i].reported = true;
            if (run.news) waiting[i].told_at = ++now_;
        }
    }

    /// The one that is offered next; nullptr if none is.
    Piece* next_offer() {
        return in_line([](const Piece& w) { return !w.offered; }, true);
    }
    void note_offered() {
        auto* w = next_offer();
        w->offered = true;
        w->queued_at = ++now_;
    }
    void offer_later() { next_offer()->queued_at = ++now_; }

    bool drop_unreported() {
        if (waiting.empty()) return false;
        auto* w = &waiting.back();
        if (w->may_report) w = in_line([](const Piece& p) { return !p.offered; }, false);
        if (w == nullptr) w = in_line([](const Piece& p) { return p.offered; }, false);
        if (w == nullptr) return false;
        waiting.erase(waiting.begin() + (w - waiting.data()));
        return true;
    }

  private:
    /// The first or last in line of those that may not be reported.
    template <typename Which>
    Piece* in_line(Which which, bool first) {
        Piece* found = nullptr;
        for (auto& w : waiting)
            if (!w.may_report && which(w) && (found == nullptr || (w.queued_at < found->queued_at) == first))
                found = &w;
        return found;
    }
    /// Takes out what `p` covers, and cuts it before what it may not replace.
    void cover(Piece& p) {
        const auto all = runs();
        for (std::size_t i = 0; i < waiting.size();) {
            const auto& w = waiting[i];
            if (w.end <= p.begin || w.begin >= p.end) {
                ++i;
                continue;
            }
            auto end = w.end;
            bool reported = false;
            for (const auto& r : all)
                if (r.range.begin <= w.begin && w.begin < r.range.end) {
                    end = r.range.end;
                    for (const auto& other : waiting)
                        reported =
                            reported || (other.reported && r.range.begin <= other.begin && other.begin < end);
                }
            if (w.offered || (w.may_report && !p.may_report) || end > p.end) {
                p.end = w.begin;
                return;
            }
            p.reported = p.reported || reported;
            while (i < waiting.size() && waiting[i].begin < end)
                waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
    /// A run of which something was reported counts as reported.
    void join() {
        const auto all = runs();
        for (const auto& r : all)
            for (auto i = r.first; i < r.last; ++i)
                for (auto j = r.first; j < r.last; ++j)
                    waiting[j].reported = waiting[j].reported || waiting[i].reported;
        while (!waiting.empty() && waiting.front().begin == next) {
            next = waiting.front().end;
            in_order.push_back(waiting.front());
            waiting.erase(waiting.begin());
        }
    }

    std::uint64_t now_ = 0;
};

}  // namespace holdfast::test
