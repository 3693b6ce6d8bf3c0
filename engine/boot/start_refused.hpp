// Why a node did not start.
#pragma once

#include <stdexcept>

namespace holdfast::engine {

/// The text says what is missing and how to get it.
class StartRefused : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

}  // namespace holdfast::engine
