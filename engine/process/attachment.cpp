#include "engine/process/attachment.hpp"

#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <stdexcept>
#include <vector>

namespace holdfast::engine {
namespace {

constexpr unsigned mbufs = 8191, mbuf_room = RTE_PKTMBUF_HEADROOM + 2048;
/// A connection that is down so long is made anew: the driver has taken the old one apart by then, on a
/// thread of EAL.
constexpr Duration restart_after = milliseconds(200);

[[noreturn]] void fail(const std::string& what, int error) {
    throw std::runtime_error(what + ": " + rte_strerror(error < 0 ? -error : error));
}

/// EAL keeps its thread on the CPUs that it is told; those that it may use anyway.
std::string own_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    std::string text;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &set)) text += (text.empty() ? "" : ",") + std::to_string(cpu);
    return text;
}

void start_eal(const std::string& socket) {
    // Drivers keep pointers into the arguments.
    static std::vector<std::string> arguments;
    arguments = {"host", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "-m", "64",
                 "--log-level=error",
                 // An appliance that is not there yet is no news.
                 "--log-level=pmd.net.memif:critical", "--lcores", "0@(" + own_cpus() + ")", "--file-prefix",
                 "host-" + std::to_string(getpid()), "--vdev",
                 "net_memif0,role=client,id=0,socket-abstract=no,zero-copy=no,socket=" + socket};
    std::vector<char*> pointers;
    for (auto& a : arguments) pointers.push_back(a.data());
    if (rte_eal_init(static_cast<int>(pointers.size()), pointers.data()) < 0)
        fail("EAL does not start", rte_errno);
}

}  // namespace

Attachment::Attachment(const std::string& socket) {
    start_eal(socket);
    set_up_port();
    link_ = std::make_unique<PortLink>(port_, pool_);
}

Attachment::~Attachment() {
    link_.reset();
    if (started_) rte_eth_dev_stop(port_);
    rte_eth_dev_close(port_);
    rte_mempool_free(pool_);
    rte_eal_cleanup();
}

void Attachment::set_up_port() {
    if (rte_eth_dev_count_avail() == 0)
        throw std::runtime_error("no net_memif device: is librte-net-memif installed?");
    pool_ = rte_pktmbuf_pool_create("host", mbufs, 256, 0, mbuf_room, SOCKET_ID_ANY);
    if (pool_ == nullptr) fail("no memory for mbufs", rte_errno);
    const rte_eth_conf conf{};
    std::uint16_t rx = 1024, tx = 1024;
    int error = rte_eth_dev_configure(port_, 1, 1, &conf);
    if (error == 0) error = rte_eth_dev_adjust_nb_rx_tx_desc(port_, &rx, &tx);
    if (error == 0) error = rte_eth_rx_queue_setup(port_, 0, rx, 0, nullptr, pool_);
    if (error == 0) error = rte_eth_tx_queue_setup(port_, 0, tx, 0, nullptr);
    if (error != 0) fail("the port is refused", error);
}

Instant Attachment::now() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return {t.tv_sec * 1'000'000'000 + t.tv_nsec};
}

/// Connects, and connects anew. An appliance that is not there refuses the start of the port.
void Attachment::tend() {
    if (link_->up()) {
        down_since_ = Instant::never();
        return;
    }
    if (down_since_.is_never()) down_since_ = now();
    if (now() - down_since_ < restart_after) return;
    if (started_) rte_eth_dev_stop(port_);
    started_ = rte_eth_dev_start(port_) == 0;
    down_since_ = now();
}

void Attachment::rest() {
    const timespec span{0, 50'000};
    nanosleep(&span, nullptr);
}

}  // namespace holdfast::engine
