// Applications from shared libraries (service.application_library).
#pragma once

#include <string>

#include "cores/app/library.hpp"

namespace holdfast::engine {

/// Loads a shared library and looks at what it exports; it stays loaded until the process ends, as what it
/// made may be in use. Throws std::runtime_error, which names the file and the mend.
app::MakeApplication load_application(const std::string& path);

}  // namespace holdfast::engine
