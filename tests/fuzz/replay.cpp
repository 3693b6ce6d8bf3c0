// In libFuzzer's place where there is none: runs the inputs in the files and directories given.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/fuzz/target.hpp"

namespace {

namespace fs = std::filesystem;

/// Names the file first: a finding ends the process.
void run(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in) {
        std::fprintf(stderr, "%s: can not be read\n", file.c_str());
        std::exit(2);
    }
    std::fprintf(stderr, "%s\n", file.c_str());
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
}

/// Files in the order of their names: the same run each time.
std::vector<fs::path> inputs(const fs::path& place) {
    if (!fs::is_directory(place)) return {place};
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(place)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

int main(int argc, char** argv) {
    std::size_t count = 0;
    LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; ++i)
        for (const auto& file : inputs(argv[i])) run(file), ++count;
    // A corpus that is not found must not pass for one without findings.
    std::printf("%zu inputs passed\n", count);
    return count > 0 ? 0 : 2;
}
