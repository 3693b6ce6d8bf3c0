// Finding a port by the name in the configuration, and saying why it can not be found.
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::engine {

/// True for a PCI address in full ("0000:01:00.0").
bool is_pci_address(const std::string& device);

/// The ethdev port of `device`. Throws StartRefused: no ports at all, an unknown name (lists the names that
/// exist), a PCI device that is absent or still bound to a kernel driver. `role` names the port in the
/// message.
std::uint16_t find_port(const std::string& device, const std::string& role);

/// Throws StartRefused when `device` is a PCI address that no DPDK driver can have. Needs no EAL.
void check_pci_device(const std::string& device, const std::string& role);

}  // namespace holdfast::engine
