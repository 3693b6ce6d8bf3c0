#include "engine/link/link_watch.hpp"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <rte_ethdev.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/control/log.hpp"

namespace holdfast::engine {
namespace {

constexpr Duration restart_interval = seconds(1);

/// Drivers that say "up" whatever happens to the kernel's interface under them.
bool link_is_the_kernels(const Port& port) {
    return port.kernel_interface() != 0 &&
           (port.driver() == "net_af_packet" || port.driver() == "net_af_xdp");
}

/// The kernel's view: administratively up and with a carrier. `socket` is any socket; false also when the
/// interface is gone.
bool kernel_link_up(int socket, unsigned interface) {
    ifreq request{};
    if (if_indextoname(interface, request.ifr_name) == nullptr) return false;
    if (ioctl(socket, SIOCGIFFLAGS, &request) != 0 || (request.ifr_flags & IFF_UP) == 0) return false;
    // The carrier itself: IFF_RUNNING follows it up to a second late.
    ethtool_value value{.cmd = ETHTOOL_GLINK, .data = 0};
    const bool running = (request.ifr_flags & IFF_RUNNING) != 0;
    request.ifr_data = reinterpret_cast<char*>(&value);
    return ioctl(socket, SIOCETHTOOL, &request) == 0 ? value.data != 0 : running;
}

}  // namespace

LinkWatch::LinkWatch() : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
LinkWatch::~LinkWatch() { close(socket_); }

bool LinkWatch::read_link(const Port& port) const {
    if (link_is_the_kernels(port)) return kernel_link_up(socket_, port.kernel_interface());
    rte_eth_link link{};
    return rte_eth_link_get_nowait(port.id(), &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

void LinkWatch::watch(Port& port, Runner& runner, std::function<void(bool)> tell) {
    const bool up = read_link(port);
    port.link_up.store(up, std::memory_order_relaxed);
    tell(up);
    if (!up) say("port " + port.role() + " (" + port.device() + "): link down");
    watched_.push_back({port, runner, std::move(tell), up, up, Instant{}});
}

void LinkWatch::poll(Instant now) {
    for (auto& w : watched_) {
        const bool look = read_link(w.port);
        const bool settled = look == w.last_look;
        w.last_look = look;
        if (settled && look != w.up) {
            w.up = look;
            w.port.link_up.store(look, std::memory_order_relaxed);
            w.tell(look);
            say("port " + w.port.role() + " (" + w.port.device() + "): link " + (look ? "up" : "down"));
        }
        restart_if_needed(w, now);
    }
}

/// A memif client does not connect again by itself.
void LinkWatch::restart_if_needed(Watched& w, Instant now) {
    if (w.up || w.port.driver() != "net_memif" || now < w.restart_at) return;
    w.restart_at = now + restart_interval;
    w.runner.restart_port();
}

}  // namespace holdfast::engine
