#include "lib/journal/record_reader.hpp"

#include <algorithm>

namespace holdfast::journal {

/// Several of the largest records at once.
RecordReader::RecordReader(Store& store) : store_(store), bytes_(std::size_t{256} << 10) {}

void RecordReader::start(LogPosition at, const Term& term) {
    begin_ = at_ = at;
    size_ = 0;
    term_ = term;
}

bool RecordReader::next(Record& r) {
    for (;;) {
        const auto rest = std::span<const std::uint8_t>(bytes_).first(size_).subspan(at_ - begin_);
        const auto decoded = decode(rest, term_.author, r);
        if (decoded == Decoded::damaged) return false;
        if (decoded == Decoded::whole) break;
        std::copy(rest.begin(), rest.end(), bytes_.begin());
        size_ = rest.size();
        begin_ = at_;
        if (begin_ + size_ == store_.end()) return false;
        const auto more = store_.read_now(begin_ + size_, std::span(bytes_).subspan(size_));
        if (more == 0) return false;
        size_ += more;
    }
    if (r.kind == Kind::term) term_ = {r.number, r.offset};
    at_ += record_header_size + r.body.size();
    return true;
}

}  // namespace holdfast::journal
