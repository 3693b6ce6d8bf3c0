// Counters as rows: one X-macro list per module gives the enumeration, the names, the help texts and the
// telemetry. A counter has one writer and any number of readers.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace holdfast {

struct CounterRow {
    std::string_view name;
    std::string_view help;
};

/// Counters of one module; Id is an enum class whose last value is `count_`.
template <class Id>
class Counters {
  public:
    static constexpr std::size_t size = static_cast<std::size_t>(Id::count_);

    void add(Id id, std::uint64_t n = 1) {
        auto& c = values_[static_cast<std::size_t>(id)];
        c.store(c.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    /// For gauges: the writer sets the present value.
    void set(Id id, std::uint64_t n) {
        values_[static_cast<std::size_t>(id)].store(n, std::memory_order_relaxed);
    }
    std::uint64_t get(Id id) const {
        return values_[static_cast<std::size_t>(id)].load(std::memory_order_relaxed);
    }
    std::uint64_t get(std::size_t i) const { return values_[i].load(std::memory_order_relaxed); }

  private:
    std::array<std::atomic<std::uint64_t>, size> values_{};
};

}  // namespace holdfast

/// Expands a row list `ROWS(X)` of X(name, help) to `enum class Enum` and `constexpr CounterRow rows[]`.
#define HF_COUNTER_ENUM_ITEM(name, help) name,
#define HF_COUNTER_ROW_ITEM(name, help) ::holdfast::CounterRow{#name, help},
#define HF_DEFINE_COUNTERS(Enum, rows, ROWS)                               \
    enum class Enum : std::uint16_t { ROWS(HF_COUNTER_ENUM_ITEM) count_ }; \
    inline constexpr ::holdfast::CounterRow rows[] = {ROWS(HF_COUNTER_ROW_ITEM)}
