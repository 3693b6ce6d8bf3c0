#include "tests/script/journal_stage.hpp"

#include "lib/journal/segment.hpp"

namespace holdfast::script {
namespace {

app::ApplicationFactory journal_on(const std::shared_ptr<JournalDisk>& disk, std::uint64_t author) {
    return [disk, author](const ServiceConfig& service, app::Channel& channel) {
        return std::make_unique<app::Journal>(
            channel, disk->store, disk->contents, disk->counters,
            app::JournalSettings{service.name, 64, service.journal_standby == JournalStandby::durable, author,
                                 service.degrade});
    };
}

}  // namespace

void JournalDisk::read_again() {
    store.lose();
    contents = journal::Contents(64);
    journal::Term term;
    const auto scan = journal::scan_segment(
        store.log, 0, store.mark(), term,
        [this](const journal::Record& r, journal::LogPosition at) { return contents.add(r, at); });
    store.log.resize(scan.end);
    expect(scan.tail != journal::Tail::damaged, "the log is sound");
}

std::vector<std::uint8_t> JournalDisk::stream(SessionId session) const {
    std::vector<std::uint8_t> out;
    journal::Term term;
    journal::scan_segment(store.log, 0, 0, term, [&](const journal::Record& r, journal::LogPosition) {
        if (r.kind != journal::Kind::data || !(r.session == session)) return true;
        expect_equal(r.offset, out.size(), "the offset of a record in its session");
        out.insert(out.end(), r.body.begin(), r.body.end());
        return true;
    });
    return out;
}

std::string JournalDisk::kinds() const {
    std::string out;
    journal::Term term;
    journal::scan_segment(store.log, 0, 0, term, [&](const journal::Record& r, journal::LogPosition) {
        out += "?tode"[static_cast<std::size_t>(r.kind)];
        return true;
    });
    return out;
}

JournalStage::JournalStage(const LaneOptions& options, std::shared_ptr<JournalDisk> disk,
                           std::uint64_t author)
    : LaneStage(options, journal_on(disk, author)), disk_(std::move(disk)) {}

}  // namespace holdfast::script
