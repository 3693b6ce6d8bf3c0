// The node's term on stable storage.
#pragma once

#include <cstdint>
#include <filesystem>

namespace holdfast::engine {

/// The term stored in `directory`; 0 when none was stored yet. Throws StartRefused when the file is damaged.
std::uint64_t load_term(const std::filesystem::path& directory);

/// Stores the term so that it survives a power cut: a new file, flushed, renamed over the old one, and the
/// directory flushed. False with errno set when the disk refused; the old term is then still there.
bool store_term(const std::filesystem::path& directory, std::uint64_t term);

}  // namespace holdfast::engine
