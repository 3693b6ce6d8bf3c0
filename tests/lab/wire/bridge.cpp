#include "bridge.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include <nlohmann/json.hpp>

namespace holdfast::lossy {

namespace {

constexpr std::size_t kReceiveBurst = 256;
constexpr std::size_t kStoreBytes =
    128 << 20;  // a second of 500 Mbit/s, twice; touched only as far as it is needed
constexpr std::size_t kAddressBytes = 2 * ETH_ALEN;
constexpr std::uint32_t kVlanMask = 0xffff0fff;  // protocol and identifier, without priority
constexpr Duration kStampAgeMax = milliseconds(500);
// So many wake-ups a window come at the very time; after them, naps: a wake-up costs more than a frame does.
constexpr int kPromptMax = 10;
constexpr Duration kWindow = milliseconds(1);
constexpr Duration kNap = microseconds(100);

std::int64_t read_clock(clockid_t clock) {
    timespec now;
    ::clock_gettime(clock, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

Limits limits_of(const Device& a, const Device& b) {
    const std::size_t frame = (std::max(a.frame_bytes_max(), b.frame_bytes_max()) + 63) / 64 * 64;
    return {frame, kStoreBytes / frame};
}

std::uint32_t vlan_tag(std::uint16_t vlan) { return std::uint32_t{ETH_P_8021Q} << 16 | vlan; }

void sleep_until(Instant at) {
    const timespec when{at.ns / 1'000'000'000, at.ns % 1'000'000'000};
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr);
}

/// Until one of them has something, or it is `wake`.
void wait_for(std::span<pollfd> polled, Instant wake) {
    timespec rest{};
    if (!wake.is_never() && wake.ns > 0) {
        const std::int64_t ns = std::max<std::int64_t>(0, wake.ns - read_clock(CLOCK_MONOTONIC));
        rest = {ns / 1'000'000'000, ns % 1'000'000'000};
    }
    if (::ppoll(polled.data(), polled.size(), wake.is_never() ? nullptr : &rest, nullptr) < 0 &&
        errno != EINTR)
        throw std::system_error(errno, std::system_category(), "ppoll");
}

/// Counts wake-ups.
class Pace {
  public:
    /// True if this window has had its share of prompt ones.
    bool is_fast(Instant now) {
        if (now - window_ >= kWindow) {
            window_ = now;
            wake_ups_ = 0;
        }
        return ++wake_ups_ > kPromptMax;
    }

  private:
    Instant window_{};
    int wake_ups_ = 0;
};

// One seed, but other numbers in each direction.
Settings of_direction(Settings settings, std::size_t direction) {
    if (settings.seed) settings.seed = mix64(*settings.seed + direction);
    return settings;
}

}  // namespace

Bridge::Bridge(const Ends& ends, const Settings& settings)
    : host_(ends.host),
      switch_(ends.to_switch),
      directions_{{"to_switch", host_, switch_, Impairment(limits_of(host_, switch_), 0), false},
                  {"to_host", switch_, host_, Impairment(limits_of(host_, switch_), 1), true}} {
    set(settings);
}

void Bridge::set(const Settings& settings) {
    settings_ = settings;
    for (std::size_t i = 0; i < std::size(directions_); ++i)
        directions_[i].impairment.set(of_direction(settings, i));
}

void Bridge::run(Control& control) {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    const Descriptor signals(::signalfd(-1, &ends, SFD_CLOEXEC));
    Pace pace;
    for (;;) {
        const Instant now{read_clock(CLOCK_MONOTONIC)};
        const std::int64_t realtime_ahead_ns = read_clock(CLOCK_REALTIME) - now.ns;
        bool more = false;
        for (Direction& each : directions_) {
            more |= receive(each, now, realtime_ahead_ns);
            more |= transmit(each, now);
        }
        Instant wake =
            earlier(directions_[0].impairment.next_deadline(), directions_[1].impairment.next_deadline());
        if (!more && pace.is_fast(now)) {
            sleep_until(now + kNap);
            more = true;
        }
        if (more) wake = {};
        std::array<pollfd, 4> polled{{{host_.descriptor(), POLLIN, 0},
                                      {switch_.descriptor(), POLLIN, 0},
                                      {control.descriptor(), POLLIN, 0},
                                      {signals.get(), POLLIN, 0}}};
        wait_for(polled, wake);
        if (polled[0].revents & ~POLLIN) host_.check_alive();
        if (polled[1].revents & ~POLLIN) switch_.check_alive();
        if (polled[2].revents) control.serve([this](const std::string& request) { return answer(request); });
        if (polled[3].revents) return;
    }
}

bool Bridge::receive(Direction& direction, Instant now, std::int64_t realtime_ahead_ns) {
    return direction.in.receive(kReceiveBurst, [&](const Arrival& arrival) {
        // The kernel's stamp, so that a late wake-up of ours delays no frame; unless its clock was set since.
        const Instant stamp{arrival.realtime_ns - realtime_ahead_ns};
        take(direction, arrival, stamp > now || stamp < now - kStampAgeMax ? now : stamp);
    }) == kReceiveBurst;
}

void Bridge::take(Direction& direction, const Arrival& arrival, Instant at) {
    Counters& counters = direction.impairment.counters();
    if (!arrival.whole) return counters.add(Count::oversized);
    if (arrival.unfinished) counters.add(Count::unfinished);
    auto tag = arrival.tag;
    if (settings_.vlan && direction.tagged_in) {
        if (!tag || (*tag & kVlanMask) != vlan_tag(settings_.vlan)) return counters.add(Count::other_vlan);
        tag.reset();
    }
    // Tags outside in: the wire's own one, then the one that the kernel took out of the bytes.
    std::array<std::uint32_t, 2> tags;
    std::size_t n = 0;
    if (settings_.vlan && !direction.tagged_in) tags[n++] = htonl(vlan_tag(settings_.vlan));
    if (tag) tags[n++] = htonl(*tag);
    const Bytes tag_bytes = std::as_bytes(std::span(tags).first(n));
    const std::array<Bytes, 3> pieces{arrival.bytes.first(kAddressBytes), tag_bytes,
                                      arrival.bytes.subspan(kAddressBytes)};
    direction.impairment.receive(pieces, at);
}

bool Bridge::transmit(Direction& direction, Instant now) {
    std::array<Bytes, Device::kBurst> due;
    const std::size_t n = direction.impairment.transmit(now, due);
    const std::size_t sent = direction.out.send(std::span(due).first(n));
    direction.impairment.counters().add(Count::send_failed, n - sent);
    return n == due.size();
}

std::string Bridge::answer(const std::string& request) {
    constexpr std::string_view kSet = "set ";
    if (request == "show") return report();
    if (!request.starts_with(kSet)) return "error: say show, or set key=value ...";
    try {
        set(parse_settings(std::string_view(request).substr(kSet.size())));
        return "ok";
    } catch (const std::invalid_argument& error) {
        return std::string("error: ") + error.what();
    }
}

std::string Bridge::report() {
    nlohmann::json table;
    for (Direction& each : directions_) {
        Counters& counters = each.impairment.counters();
        counters.add(Count::missed, each.in.take_missed());
        for (const CountRow& row : kCountRows) table[each.name][std::string(row.name)] = counters[row.count];
        table[each.name]["on_the_way"] = each.impairment.on_the_way();
    }
    return table.dump();
}

}  // namespace holdfast::lossy
