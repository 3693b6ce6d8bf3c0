// A library that exports nothing of ours.
extern "C" int holdfast_nothing();
extern "C" int holdfast_nothing() { return 0; }
