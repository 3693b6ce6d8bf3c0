// What a standby holds: the newest generation and version of everything, and nothing that the active no
// longer has.
#include "cores/mirror/image.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace holdfast;
using mirror::Image;
using Verdict = Image::Verdict;

namespace {

SessionRecord session(std::uint32_t slot, std::uint32_t generation) {
    SessionRecord r;
    r.id = {slot, generation};
    return r;
}

ProgressRecord progress(std::uint32_t slot, std::uint32_t generation, std::uint32_t version,
                        Side side = Side::client) {
    ProgressRecord p;
    p.id = {slot, generation};
    p.side = side;
    p.version = version;
    return p;
}

std::vector<SessionId> swept(Image& image) {
    std::vector<SessionId> gone;
    std::uint32_t slot = 0;
    while (const auto id = image.sweep(slot)) gone.push_back(*id);
    return gone;
}

}  // namespace

TEST_CASE("image: opened, known, closed", "[mirror]") {
    Image image(4);
    CHECK(image.opened(session(2, 7)) == Verdict::news);
    CHECK(image.holds({2, 7}));
    CHECK_FALSE(image.holds({2, 6}));
    CHECK(image.sessions() == 1);
    CHECK(image.closed({2, 7}) == Verdict::news);
    CHECK(image.closed({2, 7}) == Verdict::stale);
    CHECK(image.sessions() == 0);
}

TEST_CASE("image: a slot that this node does not have is out of range, for every record", "[mirror]") {
    Image image(4);
    CHECK(image.opened(session(4, 1)) == Verdict::out_of_range);
    CHECK(image.progress(progress(4, 1, 1)) == Verdict::out_of_range);
    CHECK(image.closed({4, 1}) == Verdict::out_of_range);
    CHECK_FALSE(image.holds({4, 1}));
}

TEST_CASE("image: a slot used again replaces its session, an old generation does not come back", "[mirror]") {
    Image image(4);
    image.opened(session(0, 5));
    CHECK(image.opened(session(0, 6)) == Verdict::news);
    CHECK(image.sessions() == 1);
    CHECK(image.opened(session(0, 5)) == Verdict::stale);
    CHECK(image.closed({0, 5}) == Verdict::stale);
    CHECK(image.holds({0, 6}));
}

TEST_CASE("image: generations wrap", "[mirror]") {
    Image image(4);
    image.opened(session(0, 0xffffffff));
    CHECK(image.opened(session(0, 0)) == Verdict::news);
    CHECK(image.opened(session(0, 0xffffffff)) == Verdict::stale);
}

TEST_CASE("image: only a newer version of progress is news, each side by itself", "[mirror]") {
    Image image(4);
    image.opened(session(0, 1));
    CHECK(image.progress(progress(0, 1, 3)) == Verdict::news);
    CHECK(image.progress(progress(0, 1, 3)) == Verdict::stale);
    CHECK(image.progress(progress(0, 1, 2)) == Verdict::stale);
    CHECK(image.progress(progress(0, 1, 1, Side::server)) == Verdict::news);
    CHECK(image.progress(progress(0, 1, 4)) == Verdict::news);
}

TEST_CASE("image: progress of another generation changes nothing", "[mirror]") {
    Image image(4);
    image.opened(session(0, 2));
    CHECK(image.progress(progress(0, 1, 9)) == Verdict::stale);
    CHECK_FALSE(image.early_progress({0, 2}, Side::client));
}

TEST_CASE("image: progress that overtook its session's Opened is kept for it", "[mirror]") {
    // The two cores write to rings of their own, so this order is ordinary.
    Image image(4);
    auto p = progress(0, 1, 1, Side::server);
    p.una = 501;
    p.ts_recent = 77;
    p.last_active = Instant{} + seconds(3600);
    CHECK(image.progress(p) == Verdict::stale);
    image.opened(session(0, 1));
    const auto early = image.early_progress({0, 1}, Side::server);
    REQUIRE(early);
    CHECK(early->version == 1);
    CHECK(early->una == 501);
    CHECK(early->ts_recent == 77);
    CHECK(early->last_active == p.last_active);
    CHECK_FALSE(image.early_progress({0, 1}, Side::client));
}

TEST_CASE("image: progress of the session before is not taken for the new one's", "[mirror]") {
    Image image(4);
    image.opened(session(0, 1));
    image.progress(progress(0, 1, 5));
    image.opened(session(0, 2));
    CHECK_FALSE(image.early_progress({0, 2}, Side::client));
    CHECK(image.progress(progress(0, 2, 1)) == Verdict::news);
}

// Finding 2.
TEST_CASE("image: a late progress of the session before does not wipe the new one's", "[mirror]") {
    Image image(4);
    image.opened(session(0, 2));
    image.progress(progress(0, 2, 3));
    CHECK(image.progress(progress(0, 1, 9)) == Verdict::stale);
    CHECK(image.progress(progress(0, 2, 3)) == Verdict::stale);
    CHECK(image.progress(progress(0, 2, 4)) == Verdict::news);
}

TEST_CASE("image: a snapshot's end sweeps what it did not name", "[mirror]") {
    Image image(8);
    for (std::uint32_t slot = 0; slot < 5; ++slot) image.opened(session(slot, 1));
    image.begin_snapshot();
    image.opened(session(1, 1));
    image.opened(session(3, 2));
    CHECK(swept(image) == std::vector<SessionId>{{0, 1}, {2, 1}, {4, 1}});
    CHECK(image.sessions() == 2);
    CHECK(swept(image).empty());
}

TEST_CASE("image: what an earlier active left is replaced, whatever its generation", "[mirror]") {
    Image image(4);
    image.opened(session(0, 100));
    image.begin_snapshot();
    CHECK(image.opened(session(0, 3)) == Verdict::news);
    CHECK(image.holds({0, 3}));
}

TEST_CASE("image: cleared it knows nothing", "[mirror]") {
    Image image(4);
    image.opened(session(0, 1));
    image.progress(progress(0, 1, 5));
    image.clear();
    CHECK(image.sessions() == 0);
    CHECK_FALSE(image.early_progress({0, 1}, Side::client));
}
