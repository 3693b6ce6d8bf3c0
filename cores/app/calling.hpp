// A call of an application, known to others while it lasts: who stalls or crashes is named.
#pragma once

#include <atomic>
#include <cstdint>

#include "cores/app/application.hpp"

namespace holdfast::app {

/// `calling(service)->receive(...)`: to the end of the full expression `cell` says 1 + service. An
/// application may be called from within a call of another, or of its own.
class Calling {
  public:
    Calling(Application& application, std::atomic<std::uint16_t>& cell, std::size_t service)
        : application_(application), cell_(cell), before_(cell.load(std::memory_order_relaxed)) {
        cell_.store(static_cast<std::uint16_t>(service + 1), std::memory_order_relaxed);
    }
    ~Calling() { cell_.store(before_, std::memory_order_relaxed); }
    Calling(const Calling&) = delete;
    Calling& operator=(const Calling&) = delete;

    Application* operator->() const { return &application_; }

  private:
    Application& application_;
    std::atomic<std::uint16_t>& cell_;
    std::uint16_t before_;
};

}  // namespace holdfast::app
