// The wire's control: one request and one answer a connection, over a local socket of packets.
#pragma once

#include <functional>
#include <string>

#include "device.hpp"

namespace holdfast::lossy {

class Control {
  public:
    /// Listens at `path`, which nothing else may use. Throws std::system_error.
    explicit Control(const std::string& path);

    /// What to poll for reading: the listener, or the client whose request is awaited.
    int descriptor() const { return client_.get() >= 0 ? client_.get() : listener_.get(); }

    /// Goes one step on; never blocks.
    void serve(const std::function<std::string(const std::string&)>& answer);

  private:
    Descriptor listener_, client_;
};

}  // namespace holdfast::lossy
