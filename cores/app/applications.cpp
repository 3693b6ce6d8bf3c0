#include "cores/app/applications.hpp"

#include "cores/app/echo.hpp"

namespace holdfast::app {

std::unique_ptr<Application> make_application(const ServiceConfig& service, Channel& channel) {
    switch (service.application) {
        case ApplicationKind::none:
        case ApplicationKind::journal: return nullptr;  // it needs a disk: the host makes it
        case ApplicationKind::echo: return std::make_unique<Echo>(channel);
    }
    return nullptr;
}

}  // namespace holdfast::app
