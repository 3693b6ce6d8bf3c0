// For targets that need no DPDK.
#include "tests/fuzz/target.hpp"

extern "C" int LLVMFuzzerInitialize(int*, char***) { return 0; }
