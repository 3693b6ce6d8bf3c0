// The main of tests that need mbufs, rings or hashes.
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>

#include "tests/support/start_eal.hpp"

int main(int argc, char** argv) {
    if (!holdfast::test::start_eal()) return 2;
    const int failures = Catch::Session().run(argc, argv);
    rte_eal_cleanup();
    return failures;
}
