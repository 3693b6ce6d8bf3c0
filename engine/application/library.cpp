#include "engine/application/library.hpp"

#include <dlfcn.h>

#include <stdexcept>

namespace holdfast::engine {

app::MakeApplication load_application(const std::string& path) {
    const auto refuse = [&path](const std::string& why) {
        throw std::runtime_error("application library " + path + ": " + why);
    };
    // All names are bound now: one that is missing is told at start and not under traffic.
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) refuse(std::string(dlerror()) + "; name a file that exists and lacks no symbol");
    const auto* abi = static_cast<const unsigned*>(dlsym(library, app::abi_symbol));
    if (abi == nullptr)
        refuse(std::string("exports no ") + app::abi_symbol + "; end it with HOLDFAST_APPLICATION(Type)");
    if (*abi != app::application_abi)
        refuse("is of interface " + std::to_string(*abi) + ", this program of " +
               std::to_string(app::application_abi) + "; build it with this program's headers");
    auto* make = reinterpret_cast<app::MakeApplication>(dlsym(library, app::make_symbol));
    if (make == nullptr)
        refuse(std::string("exports no ") + app::make_symbol + "; end it with HOLDFAST_APPLICATION(Type)");
    return make;
}

}  // namespace holdfast::engine
