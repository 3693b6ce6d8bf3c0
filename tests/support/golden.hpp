// Golden files: a fact printed whole and compared with tests/golden. A change of such a file is a change of
// behaviour or of what operators read; the commit that makes it says why.
#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace holdfast::test {

inline std::string golden_path(const std::string& name) {
    return std::string(HF_SOURCE_DIR) + "/tests/golden/" + name;
}

/// The text of tests/golden/`name`.
inline std::string golden(const std::string& name) {
    std::ifstream file(golden_path(name));
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

/// The same. With HOLDFAST_UPDATE_GOLDEN set the file is first written anew from `actual`.
inline std::string golden(const std::string& name, const std::string& actual) {
    if (std::getenv("HOLDFAST_UPDATE_GOLDEN") != nullptr) std::ofstream(golden_path(name)) << actual;
    return golden(name);
}

}  // namespace holdfast::test
