#include "tests/script/host_stage.hpp"

namespace holdfast::script {

void PlayedProcess::bytes(host::Session s, std::uint64_t offset, std::span<const std::uint8_t> more) {
    auto& told = sessions.at(s.slot);
    expect_equal(offset, told.received(), "the offset of what the process is given");
    told.bytes.insert(told.bytes.end(), more.begin(), more.end());
}

void PlayedProcess::ended(host::Session s, std::uint64_t end) {
    auto& told = sessions.at(s.slot);
    expect_equal(end, told.received(), "the end of what the process is given");
    told.end = end;
}

void HostStage::start_process() {
    kill_process();
    cable().up = true;
    process_ = std::make_unique<PlayedProcess>(cable());
    run();
    expect(process_->client.attached(), "the process is attached");
}

void HostStage::kill_process() {
    process_.reset();
    cable().cut();
    settle();
}

void HostStage::run() {
    constexpr int rounds_max = 1000;
    for (int round = 0; process_->client.poll(now()) > 0 || !cable().frames[0].empty(); ++round) {
        settle();
        if (round == rounds_max) throw Departure("process and lane do not come to rest\n" + transcript());
    }
    settle();
    if (!cable().frames[1].empty()) run();
}

void HostStage::run_for(Duration span) {
    for (const auto end = time() + span; time() < end;) {
        run();
        after(std::min(10_ms, end - time()));
    }
    run();
}

void HostStage::confirm(std::uint64_t offset, std::uint32_t slot) {
    process().client.confirm(session(slot), offset);
    run();
}

void HostStage::confirm_end() {
    process().client.confirm_end(session());
    run();
}

std::size_t HostStage::reply(std::size_t n) {
    auto& t = told();
    std::vector<std::uint8_t> bytes(n);
    for (std::size_t i = 0; i < n; ++i) bytes[i] = server().byte_at(t.opened.replied + 1 + i);
    const auto taken = process().client.reply(session(), bytes);
    t.opened.replied += taken;
    run();
    return taken;
}

void HostStage::finish() {
    process().client.finish(session());
    run();
}

}  // namespace holdfast::script
