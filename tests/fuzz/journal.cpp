// Bytes as a journal's log: alone, or behind and in between sound records.
//
//     steps: u8 what | ...
#include "lib/journal/contents.hpp"
#include "lib/journal/segment.hpp"
#include "tests/fuzz/target.hpp"

using namespace holdfast;
using namespace holdfast::journal;

namespace {

constexpr unsigned steps_max = 64;
constexpr std::uint32_t slots = 8;

/// A log of which some is sound, and some is whatever the input says.
fuzz::Bytes log_of(fuzz::Input& in) {
    fuzz::Bytes log;
    std::uint64_t salt = 0;
    std::vector<std::uint8_t> record(record_max);
    const auto add = [&](const Record& r) {
        const auto n = encode(r, salt, record);
        log.insert(log.end(), record.begin(), record.begin() + static_cast<std::ptrdiff_t>(n));
    };
    for (unsigned i = 0; i < steps_max && !in.empty(); ++i) {
        const auto what = in.u8();
        const SessionId session{in.below(slots + 1), in.u8()};
        const auto body = in.take(in.u8());
        switch (what % 6) {
            case 0: {
                const auto author = in.u64();
                add({Kind::term, (what & 8) != 0, {}, in.u8(), author, {}});
                salt = author;
                break;
            }
            case 1: add({Kind::opened, false, session, log.size(), 0, body}); break;
            case 2: add({Kind::data, false, session, in.u16(), in.u16(), body}); break;
            case 3: add({Kind::end, false, session, in.u16(), in.u16(), {}}); break;
            case 4: log.insert(log.end(), body.begin(), body.end()); break;
            case 5: log.resize(log.size() - std::min<std::size_t>(log.size(), in.u8())); break;
        }
    }
    return log;
}

/// What was found is written alike, and the contents never hold more than was read.
void scan(std::span<const std::uint8_t> bytes, fuzz::Bytes& again) {
    Contents contents(slots);
    Term term;
    std::vector<std::uint8_t> record(record_max);
    std::uint64_t salt = 0, said = 0;
    const auto s = scan_segment(bytes, 0, 0, term, [&](const Record& r, LogPosition at) {
        fuzz::require(at == again.size(), "a record that does not follow the one before");
        if (!contents.add(r, at)) return false;
        const auto n = encode(r, salt, record);
        again.insert(again.end(), record.begin(), record.begin() + static_cast<std::ptrdiff_t>(n));
        if (r.kind == Kind::term) salt = r.offset;
        if (r.kind == Kind::opened) decode_party(r.body);
        said += r.kind == Kind::data ? r.body.size() : 0;
        if (const auto* held = contents.find(r.session))
            fuzz::require(held->offset <= said, "more is held than was read");
        return true;
    });
    fuzz::require(s.end == again.size(), "the end is not behind the last record");
    fuzz::require(s.end <= bytes.size(), "the end lies behind the bytes");
    fuzz::require((s.tail == Tail::none) == (s.end == bytes.size()),
                  "a tail without bytes, or bytes without a tail");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input in(data, size);
    const bool plain = in.flag();
    const fuzz::Exact exact(plain ? in.rest() : log_of(in));
    fuzz::Bytes sound, same;
    decode_segment(exact.bytes());
    decode_description(exact.bytes());
    scan(exact.bytes(), sound);
    scan(sound, same);
    fuzz::require(sound == same, "a sound log that is read otherwise");
    return 0;
}
