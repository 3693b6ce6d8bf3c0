// Tables for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace holdfast::engine {

/// One column: the member of each row that it shows, and its title.
struct Column {
    std::string member, title;
};

/// `rows` (an array of objects) as aligned text: numbers to the right, the rest to the left. With a line of
/// titles.
std::string format_table(const nlohmann::json& rows, const std::vector<Column>& columns);

}  // namespace holdfast::engine
