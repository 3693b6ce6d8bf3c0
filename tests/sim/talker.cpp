#include "tests/sim/talker.hpp"

#include <algorithm>

namespace holdfast::sim {

Talker::Talker(SocketOwner& owner, Journal& journal, const TalkerPlan& plan, const Endpoint& local,
               const Endpoint& remote)
    : journal_(journal),
      plan_(plan),
      socket_(owner, journal, plan.label, plan.socket, local, remote, plan.out, plan.in) {}

Instant Talker::deadline() const {
    if (broken()) return Instant::never();
    return earlier(socket_.deadline(), earlier(sleep_until_, read_at_));
}

void Talker::run(Instant now) {
    judge();
    const auto state = socket_.state();
    if (state == State::syn_sent || state == State::syn_received) return;
    bool busy = true;
    while (busy && !broken()) {
        busy = read(now);
        if (take_step(now)) busy = true;
        if (busy) active_at_ = now;
    }
}

/// Reads as the script says; true when something was read.
bool Talker::read(Instant now) {
    const auto& how = plan_.script.reading;
    if (!read_at_.is_never() && now < read_at_) return false;
    read_at_ = Instant::never();
    auto bytes = socket_.readable();
    if (!paused_ && consumed_ + bytes >= how.pause_at) {
        bytes = how.pause_at - consumed_;
        paused_ = true;
        read_at_ = now + how.pause;
    }
    if (bytes == 0) return false;
    if (how.chunk != 0 && bytes > how.chunk) {
        bytes = how.chunk;
        read_at_ = later(read_at_.is_never() ? now : read_at_, now + how.every);
    }
    consumed_ += bytes;
    socket_.read(bytes, now);
    return true;
}

/// Takes the next step if its time has come.
bool Talker::take_step(Instant now) {
    if (step_ == plan_.script.steps.size()) return false;
    const Step& step = plan_.script.steps[step_];
    switch (step.kind) {
        case Step::Kind::write: socket_.write(step.amount, now); break;
        case Step::Kind::await:
            if (consumed_ < step.amount) return false;
            break;
        case Step::Kind::await_end:
            if (!socket_.end_of_stream() || socket_.readable() > 0) return false;
            break;
        case Step::Kind::sleep:
            if (sleep_until_.is_never()) sleep_until_ = now + step.time;
            if (now < sleep_until_) return false;
            sleep_until_ = Instant::never();
            break;
        case Step::Kind::shutdown: socket_.shutdown(now); break;
        case Step::Kind::abort: socket_.abort(now); break;
    }
    ++step_;
    return true;
}

void Talker::judge() {
    if (socket_.received() > plan_.expected)
        journal_.violate("R3", plan_.label + ": received " + std::to_string(socket_.received()) +
                                   " bytes, expected " + std::to_string(plan_.expected));
    if (socket_.end_of_stream() && socket_.received() < plan_.expected)
        journal_.violate("R3", plan_.label + ": FIN after " + std::to_string(socket_.received()) +
                                   " bytes, expected " + std::to_string(plan_.expected));
}

bool Talker::complete() const {
    if (plan_.script.aborts()) return socket_.ending() == Ending::aborted;
    if (plan_.cut_allowed) return socket_.ending() == Ending::reset || socket_.ending() == Ending::timed_out;
    // A reset after everything was heard and our FIN was sent: the peer has left TIME-WAIT, its last ACK was
    // lost.
    const bool closed = socket_.state() == State::time_wait || socket_.ending() == Ending::finished ||
                        (socket_.ending() == Ending::reset && socket_.end_of_stream());
    return closed && step_ == plan_.script.steps.size() && consumed_ == plan_.expected;
}

}  // namespace holdfast::sim
