// Records of the mirror as bytes, and what a standby's image makes of them.
//
//     u8 bit 0: seals every record (length and CRC made good) | bytes of records, one behind the other
#include <cstring>
#include <map>
#include <set>

#include "cores/mirror/image.hpp"
#include "tests/fuzz/target.hpp"
#include "tests/support/records.hpp"

using namespace holdfast;
using namespace holdfast::mirror;

namespace {

constexpr std::uint32_t slots = 8;

fuzz::Bytes encoded(const Record& record) {
    fuzz::Bytes out(record_size_max);
    out.resize(encode(record, out));
    return out;
}

/// A record of the input's bytes: u8 type | u8 length of the body | body.
fuzz::Bytes sealed_record(fuzz::Input& in) {
    fuzz::Bytes bytes{0, 0, in.u8(), record_version};
    const auto body = in.take(in.u8());
    bytes.insert(bytes.end(), body.begin(), body.end());
    const auto crc = test::crc32c(std::span(bytes).subspan(2));
    for (unsigned i = 0; i < 4; ++i) bytes.push_back(static_cast<std::uint8_t>(crc >> (8 * i)));
    bytes[0] = static_cast<std::uint8_t>(bytes.size() - 2);
    bytes[1] = static_cast<std::uint8_t>((bytes.size() - 2) >> 8);
    return bytes;
}

/// The image beside a set that says the same more simply.
class Standby {
  public:
    void take(const Record& record) {
        if (const auto* o = std::get_if<Opened>(&record)) {
            if (image_.opened(o->record) == Image::Verdict::news)
                held_[o->record.id.slot] = o->record.id.generation;
            else
                fuzz::require(o->record.id.slot >= slots || held_.contains(o->record.id.slot),
                              "a record refused");
        } else if (const auto* p = std::get_if<Progress>(&record)) {
            const auto verdict = image_.progress(p->record);
            fuzz::require((verdict == Image::Verdict::out_of_range) == (p->record.id.slot >= slots), "range");
            if (p->record.id.slot < slots) (void)image_.early_progress(p->record.id, p->record.side);
        } else if (const auto* c = std::get_if<Closed>(&record)) {
            if (image_.closed(c->record.id) == Image::Verdict::news) held_.erase(c->record.id.slot);
        } else if (std::holds_alternative<EpochStart>(record)) {
            image_.begin_snapshot();
        } else if (std::holds_alternative<SnapshotEnd>(record)) {
            for (std::uint32_t slot = 0; const auto id = image_.sweep(slot);) {
                fuzz::require(held_.contains(id->slot) && held_[id->slot] == id->generation, "swept twice");
                held_.erase(id->slot);
            }
        }
        fuzz::require(image_.sessions() == held_.size(), "the number of sessions");
        for (const auto& [slot, generation] : held_)
            fuzz::require(image_.holds({slot, generation}), "a session that is lost");
    }

  private:
    Image image_{slots};
    std::map<std::uint32_t, std::uint32_t> held_;
};

/// What was read is written, read and written again: no two readings of a record.
void require_same_again(const Record& record) {
    const auto first = encoded(record);
    const auto again = decode(first);
    fuzz::require(again.verdict == Decoded::Verdict::complete && again.size == first.size(),
                  "what was decoded is refused when encoded");
    fuzz::require(encoded(again.record) == first, "encoded twice, and not alike");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Input in(data, size);
    const bool seals = in.flag();
    fuzz::Bytes stream;
    if (seals)
        while (!in.empty()) {
            const auto record = sealed_record(in);
            stream.insert(stream.end(), record.begin(), record.end());
        }
    else stream = in.rest();

    Standby standby;
    for (std::size_t at = 0; at < stream.size();) {
        const auto left = std::span(stream).subspan(at);
        const fuzz::Exact rest(left);
        const auto d = decode(rest.bytes());
        if (d.verdict == Decoded::Verdict::incomplete) {
            fuzz::require(rest.size() < record_size_max, "a whole record's bytes, and it waits for more");
            break;
        }
        // A connection would be closed; here the next record has its turn.
        if (d.verdict == Decoded::Verdict::malformed) {
            if (!seals) break;
            at += 2u + stream[at] + (std::size_t{stream[at + 1]} << 8);
            continue;
        }
        fuzz::require(d.size > 0 && d.size <= rest.size(), "more is consumed than there is");
        require_same_again(d.record);
        standby.take(d.record);
        at += d.size;
    }
    return 0;
}
