#include "settings.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <stdexcept>

namespace holdfast::lossy {

static_assert([] {
    for (std::size_t i = 0; i < kCountRows.size(); ++i)
        if (static_cast<std::size_t>(kCountRows[i].count) != i) return false;
    return true;
}());

namespace {

constexpr std::uint64_t kQueueMinBytes = 64 * 1024;
constexpr std::int64_t kDurationMaxNs = 10'000'000'000;

std::uint64_t number(std::string_view word, std::string_view value, std::uint64_t max) {
    std::uint64_t found = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), found);
    if (error != std::errc{} || end != value.data() + value.size() || found > max)
        throw std::invalid_argument(std::string(word) + ": give a whole number from 0 to " +
                                    std::to_string(max));
    return found;
}

void assign(Settings& settings, std::string_view word) {
    const auto equals = word.find('=');
    if (equals == word.npos) throw std::invalid_argument(std::string(word) + ": give key=value");
    const std::string_view key = word.substr(0, equals), value = word.substr(equals + 1);
    const auto share = [&] { return static_cast<std::uint32_t>(number(word, value, 1'000'000)); };
    const auto time = [&] {
        return nanoseconds(static_cast<std::int64_t>(number(word, value, kDurationMaxNs)));
    };
    if (key == "loss_ppm") settings.loss_ppm = share();
    else if (key == "dup_ppm") settings.dup_ppm = share();
    else if (key == "reorder_ppm") settings.reorder_ppm = share();
    else if (key == "delay_ns") settings.delay = time();
    else if (key == "jitter_ns") settings.jitter = time();
    else if (key == "reorder_by_ns") settings.reorder_by = time();
    else if (key == "rate_bps") settings.rate_bps = number(word, value, 100'000'000'000);
    else if (key == "queue_bytes") settings.queue_bytes = number(word, value, std::uint64_t{1} << 30);
    else if (key == "vlan") settings.vlan = static_cast<std::uint16_t>(number(word, value, 4094));
    else if (key == "seed") settings.seed = number(word, value, std::numeric_limits<std::uint64_t>::max());
    else throw std::invalid_argument(std::string(word) + ": no such setting");
}

}  // namespace

std::uint64_t Settings::queue_limit() const {
    if (queue_bytes) return queue_bytes;
    const auto round_trip_us = static_cast<std::uint64_t>(2 * delay.to_us());
    return std::max(kQueueMinBytes, round_trip_us * (rate_bps / 8'000) / 1'000);
}

Settings parse_settings(std::string_view words) {
    Settings settings;
    while (!words.empty()) {
        const auto space = std::min(words.find(' '), words.size());
        if (space) assign(settings, words.substr(0, space));
        words.remove_prefix(std::min(space + 1, words.size()));
    }
    return settings;
}

}  // namespace holdfast::lossy
