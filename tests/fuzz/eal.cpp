// For targets with mbufs, rings or hashes.
#include "tests/fuzz/target.hpp"
#include "tests/support/start_eal.hpp"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    if (!holdfast::test::start_eal()) std::exit(2);
    return 0;
}
