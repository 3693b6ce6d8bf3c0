// The applications that are built in, by the name that the configuration gives them.
#pragma once

#include <functional>
#include <memory>

#include "cores/app/application.hpp"
#include "lib/config/config.hpp"

namespace holdfast::app {

/// Makes the application of a service with gate app.
using ApplicationFactory = std::function<std::unique_ptr<Application>(const ServiceConfig&, Channel&)>;

/// The built-in application of a service, or nullptr for one without. `channel` outlives it.
std::unique_ptr<Application> make_application(const ServiceConfig& service, Channel& channel);

}  // namespace holdfast::app
