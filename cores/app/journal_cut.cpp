// A standby's log, where the active's goes another way: what stands there and above is cut off. Some of it
// may have been acknowledged: when both nodes lost their power, or a node has served alone. That is kept
// apart.
#include "cores/app/journal.hpp"

namespace holdfast::app {
namespace {

/// So much of a log is read at once, in one call: a few milliseconds.
constexpr journal::LogPosition read_at_once = 4u << 20;

}  // namespace

/// The log goes on at `to`, as the active says. False when this node is not ready to: it joins again later.
bool Journal::follow_from(journal::LogPosition to, bool told_to_nobody) {
    complete_ = false;
    if (known_to_ != all_known) counters_.add(JournalCounter::read_again);
    if (to > store_.end() || known_to_ != all_known) return false;
    const auto size = store_.end() - to;
    if (size == 0) return true;
    if (!told_to_nobody && has_sessions_from(to)) {
        if (!store_.set_aside(to, contents_.terms().at(to))) {
            counters_.add(JournalCounter::not_set_aside);
            return false;
        }
        counters_.add(JournalCounter::set_aside, size);
    }
    const bool at_once = size <= read_at_once && contents_.can_take_back(to) && take_back(to);
    if (!at_once) contents_.begin_again();
    contents_.truncate(to);
    store_.truncate(to, contents_.terms().last());
    counters_.add(JournalCounter::taken_back, size);
    if (at_once || to == 0) return true;
    counters_.add(JournalCounter::read_again);
    reader_.start(0, {});
    known_to_ = 0;
    return false;
}

/// Only terms: nobody was told anything of them.
bool Journal::has_sessions_from(journal::LogPosition to) {
    reader_.start(to, contents_.terms().at(to));
    for (journal::Record r; reader_.next(r);)
        if (r.kind != journal::Kind::term) return true;
    // What can not be read may be anything.
    return reader_.at() < store_.end();
}

/// The contents lose what stands at `to` and above. False: not all of it can be read.
bool Journal::take_back(journal::LogPosition to) {
    reader_.start(to, contents_.terms().at(to));
    for (journal::Record r; reader_.next(r);) contents_.take_back(r);
    return reader_.at() == store_.end();
}

/// Goes on reading what the log holds of sessions, a part at a time: this core has more to do.
void Journal::read_again() {
    const auto until = known_to_ + read_at_once;
    journal::Record r;
    for (auto at = reader_.at(); at < until && reader_.next(r); at = reader_.at()) {
        contents_.add(r, at);
        known_to_ = reader_.at();
    }
    if (known_to_ == store_.end()) known_to_ = all_known;
}

/// Sessions begin now. Of those that a disk that fails does not give, the log counts as having nothing.
void Journal::finish_reading() {
    for (auto before = all_known; known_to_ != all_known && known_to_ != before; read_again())
        before = known_to_;
    known_to_ = all_known;
}

}  // namespace holdfast::app
