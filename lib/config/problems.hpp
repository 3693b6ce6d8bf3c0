// What was found wrong in a configuration file, with the lines where it stands.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast {

/// Collects problems; keys are named "section.key", services "service[0].key".
class Problems {
  public:
    explicit Problems(std::string file) : file_(std::move(file)) {}

    /// Remembers the line on which `name` (a section or a key) stands.
    void place(const std::string& name, std::uint32_t line) { places_[name] = line; }
    bool has_place(const std::string& name) const { return places_.contains(name); }

    /// Notes that `name` is wrong; `text` is "what is wrong; how to mend".
    void add(const std::string& name, const std::string& text) {
        const std::uint32_t line = line_of(name);
        found_.emplace_back(line, printable(file_ + ":" + std::to_string(line) + ": " + name + ": " + text));
    }

    bool empty() const { return found_.empty(); }

    /// The messages in the order of their lines.
    std::vector<std::string> lines() const {
        auto sorted = found_;
        std::ranges::stable_sort(sorted, {}, &std::pair<std::uint32_t, std::string>::first);
        std::vector<std::string> texts;
        for (auto& [line, text] : sorted) texts.push_back(std::move(text));
        return texts;
    }

  private:
    /// Problems go to a terminal, and quote what the file holds: control characters as \x1b and the like.
    static std::string printable(const std::string& text) {
        constexpr std::string_view digits = "0123456789abcdef";
        std::string out;
        for (const char c : text) {
            const auto byte = static_cast<unsigned char>(c);
            if (byte >= ' ' && byte != 0x7f) out += c;
            else out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
        }
        return out;
    }

    /// The line of the name itself, or of the nearest section around it, or the first.
    std::uint32_t line_of(std::string name) const {
        while (true) {
            if (const auto it = places_.find(name); it != places_.end()) return it->second;
            const auto dot = name.rfind('.');
            if (dot == std::string::npos) return 1;
            name.resize(dot);
        }
    }

    std::string file_;
    std::map<std::string, std::uint32_t> places_;
    std::vector<std::pair<std::uint32_t, std::string>> found_;
};

}  // namespace holdfast
