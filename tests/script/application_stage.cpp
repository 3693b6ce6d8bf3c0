#include "tests/script/application_stage.hpp"

#include <algorithm>

namespace holdfast::script {
namespace {

app::ApplicationFactory played(const std::shared_ptr<PlayedApplication*>& place) {
    return [place](const ServiceConfig&, app::Channel& channel) {
        auto application = std::make_unique<PlayedApplication>(channel);
        *place = application.get();
        return application;
    };
}

}  // namespace

std::size_t PlayedApplication::receive(SessionId id, app::Offset offset, std::span<const std::uint8_t> more) {
    expect_equal(offset, taken, "the offset of what the application is given");
    const auto n = std::min(takes, more.size());
    bytes.insert(bytes.end(), more.begin(), more.begin() + static_cast<std::ptrdiff_t>(n));
    taken += n;
    if (commits) channel_.commit(id, taken);
    return n;
}

ApplicationStage::ApplicationStage(const LaneOptions& options,
                                   std::shared_ptr<PlayedApplication*> application)
    : LaneStage(options, played(application)), application_(std::move(application)) {}

std::size_t ApplicationStage::reply(std::size_t n) {
    const auto first = application().channel().replied(application().session) + 1;
    std::vector<std::uint8_t> bytes(n);
    for (std::size_t i = 0; i < n; ++i) bytes[i] = server().byte_at(first + i);
    const auto taken = application().channel().reply(application().session, bytes);
    settle();
    return taken;
}

}  // namespace holdfast::script
