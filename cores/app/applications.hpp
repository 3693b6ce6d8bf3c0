// The applications that are built in, by the name that the configuration gives them.
#pragma once

#include <functional>
#include <memory>

#include "cores/app/application.hpp"
#include "lib/config/config.hpp"
#include "lib/host/link.hpp"

namespace holdfast::app {

/// Makes the application of a service with gate app.
using ApplicationFactory = std::function<std::unique_ptr<Application>(const ServiceConfig&, Channel&)>;

/// The link to the process of a service with gate host. It outlives the application core.
using HostLinks = std::function<host::Link&(const ServiceConfig&)>;

/// The built-in application of a service, or nullptr for one without and for a journal, whose disk is the
/// host's. `channel` outlives it.
std::unique_ptr<Application> make_application(const ServiceConfig& service, Channel& channel);

}  // namespace holdfast::app
