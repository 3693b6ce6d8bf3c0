// A library of an interface that was never there.
extern "C" {
extern const unsigned holdfast_application_abi;
const unsigned holdfast_application_abi = 0;
}
