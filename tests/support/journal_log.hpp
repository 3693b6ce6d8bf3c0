// A journal's log as a test writes it: one session, whose bytes follow each other.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "lib/journal/contents.hpp"
#include "lib/journal/segment.hpp"

namespace holdfast::test {

inline std::vector<std::uint8_t> bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

class LogWriter {
  public:
    std::vector<std::uint8_t> bytes;
    std::uint64_t salt = 0;

    LogWriter& term(std::uint64_t number, std::uint64_t author = 77, bool fresh = false) {
        put({journal::Kind::term, fresh, {}, number, author, {}});
        salt = author;
        return *this;
    }
    LogWriter& opened(std::uint32_t slot, std::uint32_t generation = 1) {
        session_ = {slot, generation};
        number_ = bytes.size();
        offset_ = 0;
        std::uint8_t party[journal::party_max];
        const auto n = journal::encode(
            journal::Party{*Endpoint::parse("10.0.0.1:4000"), *Endpoint::parse("10.0.0.2:9000"), "sink"},
            party);
        put({journal::Kind::opened, false, session_, number_, 0, {party, n}});
        return *this;
    }
    LogWriter& data(std::string_view text) {
        const auto body = bytes_of(text);
        put({journal::Kind::data, false, session_, number_, offset_, body});
        offset_ += body.size();
        return *this;
    }
    LogWriter& end() {
        put({journal::Kind::end, false, session_, number_, offset_, {}});
        return *this;
    }
    void put(const journal::Record& r) {
        std::vector<std::uint8_t> out(journal::record_max);
        out.resize(journal::encode(r, salt, out));
        bytes.insert(bytes.end(), out.begin(), out.end());
    }

  private:
    SessionId session_;
    std::uint64_t number_ = 0, offset_ = 0;
};

/// What a log holds. All of it is sound.
inline bool fill(journal::Contents& contents, const LogWriter& log) {
    journal::Term term;
    const auto s = journal::scan_segment(
        log.bytes, 0, 0, term,
        [&](const journal::Record& r, journal::LogPosition at) { return contents.add(r, at); });
    return s.tail == journal::Tail::none;
}

}  // namespace holdfast::test
