// A dictionary of DPDK's telemetry, written in C++.
#pragma once

#include <rte_telemetry.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::engine {

/// Wraps a rte_tel_data that is being filled; names are at most 127 letters, digits, '_' and '/'. Entries
/// beyond DPDK's limits (256 a dictionary, 127 bytes a string, 16 KiB an answer) are cut off by DPDK: page
/// long lists.
class TelDict {
  public:
    /// Starts a dictionary in the answer that DPDK gave us to fill.
    explicit TelDict(rte_tel_data* data) : data_(data) { rte_tel_data_start_dict(data_); }

    void text(const char* name, std::string_view value) {
        rte_tel_data_add_dict_string(data_, name, std::string(value).c_str());
    }
    void number(const char* name, std::uint64_t value) { rte_tel_data_add_dict_u64(data_, name, value); }
    void integer(const char* name, std::int64_t value) {
        const std::int64_t clamped = value < INT32_MIN ? INT32_MIN : value > INT32_MAX ? INT32_MAX : value;
        rte_tel_data_add_dict_int(data_, name, static_cast<int>(clamped));
    }
    /// Adds a dictionary that `fill(TelDict&)` writes.
    template <class Fill>
    void dict(const char* name, Fill fill) {
        rte_tel_data* inner = rte_tel_data_alloc();
        if (inner == nullptr) return;
        TelDict child(inner);
        fill(child);
        rte_tel_data_add_dict_container(data_, name, inner, 0);  // DPDK frees it after answering
    }

  private:
    rte_tel_data* data_;
};

}  // namespace holdfast::engine
