// What one connection gets through one node, over buffer size, loss and delay, in virtual time.
#pragma once

#include <string>

namespace holdfast::sim {

/// The table of tests/golden/throughput.txt: goodput in Mbit/s of an upload and of a download.
std::string throughput_table();

/// Prints the table and compares it with `file`, which is written anew first where HOLDFAST_UPDATE_GOLDEN is
/// set. False when they differ.
bool check_throughput(const std::string& file);

}  // namespace holdfast::sim
