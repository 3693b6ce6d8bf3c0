#include "engine/port/device.hpp"

#include <rte_ethdev.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <regex>
#include <string_view>

#include "engine/boot/start_refused.hpp"

namespace holdfast::engine {
namespace {

namespace fs = std::filesystem;

/// Drivers that hand a device to DPDK, and drivers whose devices DPDK shares with the kernel.
constexpr std::array<std::string_view, 3> handover_drivers = {"vfio-pci", "igb_uio", "uio_pci_generic"};
constexpr std::array<std::string_view, 2> shared_drivers = {"mlx5_core", "mlx4_core"};

template <class Range>
bool contains(const Range& range, std::string_view item) {
    return std::ranges::find(range, item) != range.end();
}

/// Names of all ports that EAL found, separated by commas.
std::string port_names() {
    std::string names;
    std::uint16_t id;
    RTE_ETH_FOREACH_DEV(id) {
        char name[RTE_ETH_NAME_MAX_LEN];
        if (rte_eth_dev_get_name_by_port(id, name) == 0)
            names += (names.empty() ? "" : ", ") + std::string(name);
    }
    return names;
}

}  // namespace

bool is_pci_address(const std::string& device) {
    static const std::regex form("[0-9a-fA-F]{4}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\\.[0-7]");
    return std::regex_match(device, form);
}

void check_pci_device(const std::string& device, const std::string& role) {
    if (!is_pci_address(device)) return;
    const fs::path directory = "/sys/bus/pci/devices/" + device;
    std::error_code error;
    if (!fs::exists(directory, error))
        throw StartRefused("no port: port." + role + ".device: there is no PCI device " + device +
                           "; list network devices with: dpdk-devbind.py --status-dev net");
    const std::string driver = fs::read_symlink(directory / "driver", error).filename();
    if (contains(handover_drivers, driver) || contains(shared_drivers, driver)) return;
    const std::string bind = "dpdk-devbind.py -b vfio-pci " + device;
    if (driver.empty())
        throw StartRefused("no port: port." + role + ".device: " + device +
                           " has no driver; bind it: " + bind);
    throw StartRefused("port bound to the kernel driver: port." + role + ".device: " + device +
                       " belongs to " + driver + "; take its addresses and routes away, then: " + bind);
}

std::uint16_t find_port(const std::string& device, const std::string& role) {
    std::uint16_t id;
    if (rte_eth_dev_get_port_by_name(device.c_str(), &id) == 0) return id;
    if (is_pci_address(device))
        throw StartRefused(
            "no port: port." + role + ".device: EAL did not take " + device +
            "; its driver's library may be missing (librte-net-*), or -a/--allow or --no-pci on "
            "the command line leaves it out");
    const std::string names = port_names();
    if (names.empty())
        throw StartRefused("no port: EAL found none, port." + role + ".device is " + device +
                           "; give --vdev " + device +
                           ",iface=IFACE before --, or bind a card and name its PCI "
                           "address: dpdk-devbind.py -b vfio-pci ADDRESS");
    throw StartRefused("no port: port." + role + ".device: there is no " + device + "; EAL has: " + names);
}

}  // namespace holdfast::engine
