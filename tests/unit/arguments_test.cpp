#include <catch2/catch.hpp>

#include <iostream>
#include <sstream>

#include "engine/boot/arguments.hpp"

using namespace holdfast::engine;

namespace {

ParsedArguments parse(std::vector<const char*> words) {
    words.insert(words.begin(), "holdfast");
    return parse_arguments(static_cast<int>(words.size()), words.data());
}

}  // namespace

TEST_CASE("EAL's options stand before the dashes, ours after") {
    const auto [a, status] = parse({"-l", "0-3", "--no-huge", "--", "--config", "c.toml"});
    REQUIRE(a);
    CHECK(a->eal == std::vector<std::string>{"-l", "0-3", "--no-huge"});
    CHECK(a->eal_has("--no-huge"));
    CHECK_FALSE(a->eal_has("--config"));
    CHECK(a->config == "c.toml");
    CHECK_FALSE(a->check_config);
    CHECK_FALSE(a->print_layout);
}

TEST_CASE("without dashes all options are ours") {
    const auto [a, status] = parse({"--check-config", "--config", "c.toml"});
    REQUIRE(a);
    CHECK(a->eal.empty());
    CHECK(a->check_config);
}

TEST_CASE("help, version and keys end with status 0 wherever they stand") {
    for (const auto& words : std::vector<std::vector<const char*>>{{"--help"},
                                                                   {"-l", "0", "--help", "--"},
                                                                   {"--version"},
                                                                   {"--", "--version"},
                                                                   {"-v", "--"},
                                                                   {"--config-keys"}}) {
        const auto [a, status] = parse(words);
        CHECK_FALSE(a);
        CHECK(status == 0);
    }
}

TEST_CASE("forgotten dashes are named with the word that stands in the wrong place") {
    std::ostringstream said;
    const auto old = std::cerr.rdbuf(said.rdbuf());
    const auto [a, status] = parse({"--config", "c.toml", "-l", "0-3"});
    std::cerr.rdbuf(old);
    CHECK_FALSE(a);
    CHECK(status == 2);
    CHECK(said.str() ==
          "holdfast: unknown option -l; EAL options stand before a lone \"--\", ours after it: holdfast [EAL "
          "options] -- --config FILE. See holdfast --help\n");
}

TEST_CASE("a wrong command line ends with status 2") {
    for (const auto& words : std::vector<std::vector<const char*>>{{},
                                                                   {"--"},
                                                                   {"-l", "0-3"},
                                                                   {"-l", "0-3", "--"},
                                                                   {"--", "--config"},
                                                                   {"--", "--config", "c", "--nonsense"}}) {
        const auto [a, status] = parse(words);
        CHECK_FALSE(a);
        CHECK(status == 2);
    }
}
