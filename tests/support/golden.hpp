// Golden files: a fact printed whole and compared with tests/golden. A change of such a file is a change of
// behaviour or of what operators read; the commit that makes it says why.
#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace holdfast::test {

/// The text of tests/golden/`name`. With HOLDFAST_UPDATE_GOLDEN set the file is first written anew from
/// `actual`.
inline std::string golden(const std::string& name, const std::string& actual) {
    const auto path = std::string(HF_SOURCE_DIR) + "/tests/golden/" + name;
    if (std::getenv("HOLDFAST_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << actual;
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace holdfast::test
