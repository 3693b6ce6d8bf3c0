#include "tests/sim/campaign.hpp"

#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace holdfast::sim {
namespace {

/// Sums over all runs of a campaign.
struct Totals {
    std::uint64_t passed = 0, failed = 0, completed = 0, refused = 0, lost = 0, takeovers = 0, acks = 0,
                  events = 0;
    std::uint64_t peak_withheld = 0;
    Coverage coverage;
};

/// The process is killed when it has used so much CPU time from now on; waiting for a busy machine does not
/// count.
void limit_time(unsigned seconds) {
    itimerval timer{};
    timer.it_value.tv_sec = seconds;
    setitimer(ITIMER_VIRTUAL, &timer, nullptr);
}

/// The child's side: runs `first`, `first + step`, ... and reports on `out`.
[[noreturn]] void work(const CampaignOptions& options, std::uint64_t first, std::FILE* out,
                       const std::function<void()>& prepare,
                       const std::function<Outcome(std::uint64_t)>& run) {
    prepare();
    for (auto n = first; n <= options.last; n += options.jobs) {
        std::fprintf(out, "begin %llu\n", static_cast<unsigned long long>(n));
        std::fflush(out);
        limit_time(options.seconds_per_run);
        Outcome o;
        try {
            o = run(n);
        } catch (const std::exception& error) {
            o.rule = "exception";
            o.text = error.what();
        }
        if (!o.passed()) std::fprintf(out, "fail %s: %s\n", o.rule.c_str(), o.text.c_str());
        std::fprintf(out, "end %u %u %u %u %llu %llu %llu\n%s", o.completed, o.refused, o.lost, o.takeovers,
                     static_cast<unsigned long long>(o.acks_checked),
                     static_cast<unsigned long long>(o.events),
                     static_cast<unsigned long long>(o.peak_withheld), o.coverage.save().c_str());
    }
    std::fflush(out);
    _exit(0);
}

/// The parent's view of one child.
struct Worker {
    pid_t process = 0;
    std::FILE* in = nullptr;
    std::uint64_t next = 0;  ///< what it runs, or will run
    bool running = false, failed = false;
};

Worker spawn(const CampaignOptions& options, std::uint64_t first, const std::function<void()>& prepare,
             const std::function<Outcome(std::uint64_t)>& run) {
    int fds[2];
    if (pipe(fds) != 0) throw std::runtime_error("pipe: " + std::string(std::strerror(errno)));
    std::fflush(stdout);
    Worker w;
    w.next = first;
    w.process = fork();
    if (w.process == 0) {
        close(fds[0]);
        work(options, first, fdopen(fds[1], "w"), prepare, run);
    }
    close(fds[1]);
    w.in = fdopen(fds[0], "r");
    return w;
}

class Campaign {
  public:
    Campaign(const CampaignOptions& options, const std::function<void()>& prepare,
             const std::function<Outcome(std::uint64_t)>& run)
        : options_(options), prepare_(prepare), run_(run) {}

    std::uint64_t finish() {
        std::vector<Worker> workers;
        for (unsigned i = 0; i < options_.jobs && options_.first + i <= options_.last; ++i)
            workers.push_back(spawn(options_, options_.first + i, prepare_, run_));
        for (bool any = true; any;) {
            any = false;
            for (auto& w : workers) any |= w.in != nullptr && serve(w);
        }
        if (options_.coverage_required) judge_coverage();
        print();
        return totals_.failed;
    }

  private:
    /// Reads lines until one run of `w` is over; false when the worker has nothing more to do.
    bool serve(Worker& w) {
        char line[4096];
        while (std::fgets(line, sizeof line, w.in) != nullptr) {
            if (std::strncmp(line, "end ", 4) == 0) return take_end(w, line);
            take_line(w, line);
        }
        return replace(w);
    }

    void take_line(Worker& w, const std::string& line) {
        if (line.starts_with("begin ")) {
            w.next = std::strtoull(line.c_str() + 6, nullptr, 10);
            w.running = true;
            w.failed = false;
        } else if (line.starts_with("fail ")) {
            fail(w, line.substr(5, line.size() - 6));
        } else if (line.starts_with("cell ") || line.starts_with("refusals ")) {
            totals_.coverage.load_line(line);
        }
    }

    bool take_end(Worker& w, const char* line) {
        unsigned completed = 0, refused = 0, lost = 0, takeovers = 0;
        unsigned long long acks = 0, events = 0, peak = 0;
        std::sscanf(line, "end %u %u %u %u %llu %llu %llu", &completed, &refused, &lost, &takeovers, &acks,
                    &events, &peak);
        totals_.completed += completed;
        totals_.refused += refused;
        totals_.lost += lost;
        totals_.takeovers += takeovers;
        totals_.acks += acks;
        totals_.events += events;
        totals_.peak_withheld = std::max<std::uint64_t>(totals_.peak_withheld, peak);
        if (!w.failed) ++totals_.passed;
        w.running = false;
        w.next += options_.jobs;
        if (totals_.failed < options_.stop_after) return true;
        kill(w.process, SIGKILL);
        return retire(w);
    }

    void fail(Worker& w, const std::string& text) {
        if (!w.failed) ++totals_.failed;
        w.failed = true;
        std::printf("seed %llu: %s\n", static_cast<unsigned long long>(w.next), text.c_str());
        std::fflush(stdout);
    }

    /// So many runs must have seen everything; empty cells are one failure more.
    void judge_coverage() {
        const auto empty = totals_.coverage.empty_cells();
        if (empty.empty() || totals_.failed >= options_.stop_after) return;
        ++totals_.failed;
        std::printf("coverage: %zu cells are empty:\n", empty.size());
        for (const auto& cell : empty) std::printf("    %s\n", cell.c_str());
    }

    /// The worker is gone: in the middle of a run that is the run's failure, and another one goes on behind
    /// it.
    bool replace(Worker& w) {
        const bool was_running = w.running;
        const int status = retire_status(w);
        if (was_running) {
            fail(w, WIFSIGNALED(status) ? (WTERMSIG(status) == SIGVTALRM
                                               ? std::string("hang: no end in sight")
                                               : "crash: " + std::string(strsignal(WTERMSIG(status))))
                                        : std::string("crash: exited"));
            w.next += options_.jobs;
        }
        if (!was_running || w.next > options_.last || totals_.failed >= options_.stop_after) return false;
        w = spawn(options_, w.next, prepare_, run_);
        return true;
    }

    int retire_status(Worker& w) {
        int status = 0;
        std::fclose(w.in);
        w.in = nullptr;
        waitpid(w.process, &status, 0);
        return status;
    }
    bool retire(Worker& w) {
        retire_status(w);
        return false;
    }

    void print() const {
        const auto show = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
        if (options_.coverage) {
            std::printf("%s%zu empty cells\n", totals_.coverage.print().c_str(),
                        totals_.coverage.empty_cells().size());
        }
        std::printf(
            "conversations: %llu completed, %llu refused in their handshake, %llu lost unprotected; %llu "
            "changes of speaker\n",
            show(totals_.completed), show(totals_.refused), show(totals_.lost), show(totals_.takeovers));
        std::printf("%llu ACKs checked, at most %llu bytes withheld, %llu events\n", show(totals_.acks),
                    show(totals_.peak_withheld), show(totals_.events));
        std::printf("%llu passed, %llu failed\n", show(totals_.passed), show(totals_.failed));
    }

    const CampaignOptions& options_;
    const std::function<void()>& prepare_;
    const std::function<Outcome(std::uint64_t)>& run_;
    Totals totals_;
};

}  // namespace

std::uint64_t run_campaign(const CampaignOptions& options, const std::function<void()>& prepare,
                           const std::function<Outcome(std::uint64_t)>& run) {
    return Campaign(options, prepare, run).finish();
}

}  // namespace holdfast::sim
