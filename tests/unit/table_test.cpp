#include <catch2/catch.hpp>

#include "engine/control/table.hpp"

using namespace holdfast::engine;

TEST_CASE("numbers stand to the right, text to the left") {
    const auto rows =
        nlohmann::json::parse(R"([{"name": "a", "value": 1}, {"name": "longer", "value": 12345678}])");
    CHECK(format_table(rows, {{"name", "NAME"}, {"value", "VALUE"}, {"none", "NONE"}}) ==
          "NAME       VALUE  NONE\n"
          "a              1\n"
          "longer  12345678\n");
}

TEST_CASE("a table without rows is its titles") {
    CHECK(format_table(nlohmann::json::array(), {{"name", "NAME"}, {"value", "VALUE"}}) == "NAME  VALUE\n");
}
