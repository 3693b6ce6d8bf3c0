// What a shared library with an application exports, so that a configuration can name it
// (service.application_library). template/lines.cpp is one to copy.
#pragma once

#include "cores/app/application.hpp"

namespace holdfast::app {

/// Grows when Application or Channel change: a library of another number is refused, not called.
inline constexpr unsigned application_abi = 1;

/// Names of the exported symbols.
inline constexpr const char* abi_symbol = "holdfast_application_abi";
inline constexpr const char* make_symbol = "holdfast_make_application";
using MakeApplication = Application* (*)(Channel&);

}  // namespace holdfast::app

/// Once in a library, outside of any namespace: `Type` is made from a Channel&, which outlives it.
#define HOLDFAST_APPLICATION(Type)                                                               \
    extern "C" {                                                                                 \
    extern const unsigned holdfast_application_abi;                                              \
    const unsigned holdfast_application_abi = ::holdfast::app::application_abi;                  \
    ::holdfast::app::Application* holdfast_make_application(::holdfast::app::Channel&);          \
    ::holdfast::app::Application* holdfast_make_application(::holdfast::app::Channel& channel) { \
        return new Type(channel);                                                                \
    }                                                                                            \
    }
