// Watches the ports' links and tells the node.
#pragma once

#include <functional>
#include <vector>

#include "engine/lcore/runner.hpp"
#include "engine/port/port.hpp"

namespace holdfast::engine {

/// How often the watch looks. Two looks in a row must agree, so a change is told after at most twice this
/// time and a link that flaps within it (vhost-user does) is not.
inline constexpr Duration link_poll_interval = milliseconds(5);

/// Polls link states; used by the control thread.
class LinkWatch {
  public:
    LinkWatch();
    ~LinkWatch();
    LinkWatch(const LinkWatch&) = delete;
    LinkWatch& operator=(const LinkWatch&) = delete;

    /// Watches `port`; `tell` hears the present state at once and every change later. `runner` is the one
    /// that polls the port. References must outlive the watch.
    void watch(Port& port, Runner& runner, std::function<void(bool up)> tell);

    /// Looks at all ports; call it every link_poll_interval.
    void poll(Instant now);

  private:
    struct Watched {
        Port& port;
        Runner& runner;
        std::function<void(bool)> tell;
        bool up, last_look;
        Instant restart_at;
    };

    bool read_link(const Port& port) const;
    void restart_if_needed(Watched& w, Instant now);

    std::vector<Watched> watched_;
    int socket_ = -1;  ///< for asking the kernel about its interfaces
};

}  // namespace holdfast::engine
