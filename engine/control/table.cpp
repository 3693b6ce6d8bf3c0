#include "engine/control/table.hpp"

#include <algorithm>

namespace holdfast::engine {
namespace {

std::string cell_text(const nlohmann::json& row, const std::string& member) {
    if (!row.contains(member)) return "";
    const auto& value = row[member];
    return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string padded(const std::string& text, std::size_t width, bool right) {
    const std::string blanks(width - std::min(width, text.size()), ' ');
    return right ? blanks + text : text + blanks;
}

std::string without_trailing_blanks(std::string line) {
    line.resize(line.find_last_not_of(' ') + 1);
    return line;
}

}  // namespace

std::string format_table(const nlohmann::json& rows, const std::vector<Column>& columns) {
    std::vector<std::size_t> widths;
    std::vector<bool> right;
    std::string titles;
    for (const auto& c : columns) {
        std::size_t width = c.title.size();
        for (const auto& row : rows) width = std::max(width, cell_text(row, c.member).size());
        widths.push_back(width);
        right.push_back(!rows.empty() && rows.front().contains(c.member) &&
                        rows.front()[c.member].is_number());
        titles += padded(c.title, width, right.back()) + "  ";
    }
    std::string text = without_trailing_blanks(titles) + "\n";
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < columns.size(); ++i)
            line += padded(cell_text(row, columns[i].member), widths[i], right[i]) + "  ";
        text += without_trailing_blanks(line) + "\n";
    }
    return text;
}

}  // namespace holdfast::engine
