#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "engine/boot/start_refused.hpp"
#include "engine/control/term_file.hpp"

using namespace holdfast::engine;

namespace {

struct Directory {
    Directory() {
        std::string name = "/tmp/holdfast-term-XXXXXX";
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Directory() { std::filesystem::remove_all(path); }
    std::filesystem::path path;
};

}  // namespace

TEST_CASE("a term that was stored is loaded, the newest wins") {
    const Directory d;
    CHECK(load_term(d.path) == 0);
    REQUIRE(store_term(d.path, 7));
    CHECK(load_term(d.path) == 7);
    REQUIRE(store_term(d.path, 18446744073709551615u));
    CHECK(load_term(d.path) == 18446744073709551615u);
    CHECK_FALSE(std::filesystem::exists(d.path / "term.new"));
}

TEST_CASE("a node killed while it stored a term has the old one") {
    const Directory d;
    REQUIRE(store_term(d.path, 7));
    std::ofstream(d.path / "term.new") << "";
    CHECK(load_term(d.path) == 7);
    REQUIRE(store_term(d.path, 8));
    CHECK(load_term(d.path) == 8);
}

TEST_CASE("a damaged term file refuses the start") {
    const Directory d;
    std::ofstream(d.path / "term") << "seven\n";
    CHECK_THROWS_AS(load_term(d.path), StartRefused);
}

TEST_CASE("a directory that is gone is reported") { CHECK_FALSE(store_term("/nonexistent", 7)); }
