"""The networks of a lab: namespaces, bridges and veth pairs.

    client --- [sw1] --- a --- [sw2] --- server        each name is a namespace, [..] holds a bridge;
                 |       |       |                      between a and b lies the mirror link: a veth pair,
                 +------ b ------+                      or memif, which needs no device
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from labkit.shell import LabError, in_namespace, run

NODES = ("a", "b")
ENDPOINTS = ("client", "server")
NETWORKS = ("client", "server", "mirror")
ENDPOINT_DEVICE = "eth0"
_IPV6_MTU_MIN = 1280

CLIENT_ADDRESS = "10.77.1.10"
SERVER_ADDRESS = "10.77.2.20"
VIP = "10.77.1.100"
SNAT = "10.77.2.100"
CLIENT_ADDRESS6 = "fd77:1::10"
SERVER_ADDRESS6 = "fd77:2::20"
VIP6 = "fd77:1::100"
SNAT6 = "fd77:2::100"
VIRTUAL_MAC = {"client": "02:48:46:00:01:00", "server": "02:48:46:00:02:00"}


def node_address(node: str, network: str) -> str:
    return f"10.77.{NETWORKS.index(network) + 1}.{2 + NODES.index(node)}"


def node_address6(node: str, network: str) -> str:
    return f"fd77:{NETWORKS.index(network) + 1}::{2 + NODES.index(node)}"


def other(node: str) -> str:
    return "b" if node == "a" else "a"


@dataclass(frozen=True)
class Mtu:
    """IP packet sizes on the two service networks."""

    client: int = 1500
    server: int = 1500

    @staticmethod
    def parse(text: str) -> Mtu:
        """CLIENT[:SERVER]"""
        try:
            sizes = [int(part) for part in text.split(":")]
        except ValueError:
            sizes = []
        if len(sizes) not in (1, 2) or not all(576 <= size <= 9000 for size in sizes):
            raise LabError(f"--mtu {text}: give CLIENT[:SERVER] in bytes, 576 to 9000 each, such as 1500:3000")
        return Mtu(sizes[0], sizes[-1])

    def of(self, network: str) -> int:
        return {"client": self.client, "server": self.server}.get(network, 1500)

    def carries_ipv6(self) -> bool:
        """Both networks do."""
        return min(self.client, self.server) >= _IPV6_MTU_MIN


@dataclass(frozen=True)
class Names:
    """The names of a lab's namespaces. Devices live inside them, so their names need no prefix."""

    lab: str

    def of(self, place: str) -> str:
        """The namespace of client, server, a, b, sw1 or sw2."""
        return f"{self.lab}-{place}"

    def all(self) -> list[str]:
        """Every namespace that `up` makes."""
        return [self.of(place) for place in ("client", "server", *NODES, "sw1", "sw2")]

    def wire(self, endpoint: str) -> str:
        """The namespace of the wire between an endpoint and its switch; see labkit/wire.py."""
        return self.of(f"wire-{endpoint}")

    def router(self) -> str:
        """The namespace that put_router_in makes."""
        return self.of("router")

    def attacker(self) -> str:
        """The namespace that put_attacker_in makes."""
        return self.of("attacker")

    def switch(self, network: str) -> str:
        return self.of("sw1" if network == "client" else "sw2")

    def existing(self) -> list[str]:
        present = {line.split()[0] for line in run("ip", "netns", "list").splitlines() if line.strip()}
        return [name for name in (*map(self.wire, ENDPOINTS), self.router(), self.attacker(), *self.all()) if name in present]


def build(names: Names, mtu: Mtu, mirror_veth: bool) -> None:
    """Make the namespaces and wire them; the nodes' devices stay without any IP address."""
    _ip("", [f"netns add {name}" for name in names.all()])
    for name in names.all():
        _settle(name)
    _congestion_control([names.of("client"), names.of("server")])

    for network, endpoint in (("client", "client"), ("server", "server")):
        switch = names.switch(network)
        _ip(switch, ["link add name br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0", "link set dev br0 up"])
        _join(switch, "host", names.of(endpoint), ENDPOINT_DEVICE, mtu.of(network))
        for node in NODES:
            _join(switch, node, names.of(node), network, mtu.of(network))
    if mirror_veth:
        _veth(names.of("a"), "mirror", names.of("b"), "mirror", mtu.of("mirror"))

    for endpoint, address, address6 in (("client", CLIENT_ADDRESS, CLIENT_ADDRESS6),
                                        ("server", SERVER_ADDRESS, SERVER_ADDRESS6)):
        _ip(names.of(endpoint), [f"address add {address}/24 dev {ENDPOINT_DEVICE}", "link set dev lo up"])
        if mtu.of(endpoint) >= _IPV6_MTU_MIN:
            _ip(names.of(endpoint), [f"address add {address6}/64 dev {ENDPOINT_DEVICE} nodad"])


def destroy(names: Names) -> None:
    """Remove the namespaces, and with them every device; their processes must be gone."""
    for name in names.existing():
        run("ip", "netns", "delete", name)


def pids_in(namespace: str) -> list[int]:
    return [int(pid) for pid in run("ip", "netns", "pids", namespace, check=False).split()]


def set_link(namespace: str, device: str, up: bool) -> None:
    _ip(namespace, [f"link set dev {device} {'up' if up else 'down'}"])


def detach_xdp(namespace: str, device: str) -> None:
    """A killed node leaves its XDP program on the device; the next one must find it clean."""
    for mode in ("xdp", "xdpgeneric"):
        run("ip", "-n", namespace, "link", "set", "dev", device, mode, "off", check=False)


# ---- the wire between an endpoint and its switch ------------------------------------------------------------
#
#     eth0 --- host [bridge]                                          without it
#     eth0 --- host <the wire's program> switch --- wire [bridge]     with it; the veth pair of eth0 is the same

HOST_END, SWITCH_END = "host", "switch"
_WIRE_PORT = "wire"


def put_wire_in(names: Names, endpoint: str) -> None:
    """Move the switch's end of the endpoint's cable into a namespace of its own, and give the switch a new cable there.

    The endpoint keeps its device, and sees its carrier go and come. Nothing passes before a program joins both ends.
    """
    switch, wire = names.switch(endpoint), names.wire(endpoint)
    _ip("", [f"netns add {wire}"])
    _settle(wire)
    _join(switch, _WIRE_PORT, wire, SWITCH_END, _mtu(switch, HOST_END))
    _ip(switch, [f"link set dev {HOST_END} netns {wire}"])
    _ip(wire, [f"link set dev {HOST_END} up"])


def take_wire_out(names: Names, endpoint: str) -> None:
    """Undo put_wire_in; the program must be gone."""
    switch, wire = names.switch(endpoint), names.wire(endpoint)
    if _has_device(wire, HOST_END):  # else put_wire_in was interrupted before it took it
        _ip(wire, [f"link set dev {HOST_END} netns {switch}"])
        _ip(switch, [f"link set dev {HOST_END} master br0 up"])
    # A namespace goes in its own time; the switch's port must be gone at once, or the next wire finds its name taken.
    run("ip", "-n", switch, "link", "delete", "dev", _WIRE_PORT, check=False)
    run("ip", "netns", "delete", wire)


def _has_device(namespace: str, device: str) -> bool:
    return bool(run("ip", "-n", namespace, "-o", "link", "show", "dev", device, check=False))


def _mtu(namespace: str, device: str) -> int:
    return int(run(*in_namespace(namespace, "cat", f"/sys/class/net/{device}/mtu")))


# ---- the direct path ----------------------------------------------------------------------------------------


def put_router_in(names: Names) -> None:
    """Forward between client and server, kernel to kernel, beside the nodes; it goes with the lab."""
    router = names.router()
    _ip("", [f"netns add {router}"])
    _settle(router)
    run(*in_namespace(router, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0"))
    for number, endpoint in enumerate(ENDPOINTS, 1):
        switch = names.switch(endpoint)
        _join(switch, "router", router, endpoint, _mtu(switch, NODES[0]))
        _ip(router, [f"address add 10.77.{number}.1/24 dev {endpoint}", f"address add fd77:{number}::1/64 dev {endpoint} nodad"])
        _ip(names.of(endpoint), [f"route add 10.77.{3 - number}.0/24 via 10.77.{number}.1",
                                 f"route add fd77:{3 - number}::/64 via fd77:{number}::1"])
    run(*in_namespace(router, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"))


# ---- networks behind the router -----------------------------------------------------------------------------
#
#     eth1 of an endpoint --- router [narrow] --- switch --- nodes        what the nodes send takes this way
#     eth0 of an endpoint ------------------------ switch --- nodes        what they are sent takes that one

_NARROW_DEVICE = "eth1"


def narrow_network(endpoint: str, family: int) -> str:
    """The network that put_narrow_networks_in makes behind the router for an endpoint."""
    number = ENDPOINTS.index(endpoint) + 1
    return f"10.88.{number}.0/24" if family == 4 else f"fd88:{number}::/64"


def narrow_address(endpoint: str, family: int) -> str:
    """The endpoint's own address there."""
    number = ENDPOINTS.index(endpoint) + 1
    return f"10.88.{number}.10" if family == 4 else f"fd88:{number}::10"


def router_address(network: str, family: int) -> str:
    """The router on a service network: the next hop to what lies behind it."""
    number = NETWORKS.index(network) + 1
    return f"10.77.{number}.1" if family == 4 else f"fd77:{number}::1"


def put_narrow_networks_in(names: Names, mtu: int) -> None:
    """Behind the router of put_router_in a network to each endpoint that carries no more than `mtu` towards it.

    No end sees the narrow link in its own device's size: only the router's ICMP errors tell of it.
    """
    router = names.router()
    for endpoint in ENDPOINTS:
        _veth(router, f"narrow-{endpoint}", names.of(endpoint), _NARROW_DEVICE, 1500)
        number = ENDPOINTS.index(endpoint) + 1
        _ip(router, [f"link set dev narrow-{endpoint} mtu {mtu}", f"address add 10.88.{number}.1/24 dev narrow-{endpoint}",
                     f"address add fd88:{number}::1/64 dev narrow-{endpoint} nodad"])
        _ip(names.of(endpoint), [f"address add {narrow_address(endpoint, 4)}/24 dev {_NARROW_DEVICE}",
                                 f"address add {narrow_address(endpoint, 6)}/64 dev {_NARROW_DEVICE} nodad"])


# ---- somebody else on the client's network ------------------------------------------------------------------


def put_attacker_in(names: Names) -> None:
    """A host without an address at the client's switch, which shows it nothing of others; it goes with the lab."""
    attacker = names.attacker()
    _ip("", [f"netns add {attacker}"])
    _settle(attacker)
    switch = names.switch("client")
    _join(switch, "attacker", attacker, ENDPOINT_DEVICE, _mtu(switch, HOST_END))


# ---- details ------------------------------------------------------------------------------------------------


def _join(switch: str, port: str, namespace: str, device: str, mtu: int) -> None:
    _veth(switch, port, namespace, device, mtu)
    _ip(switch, [f"link set dev {port} master br0"])


def _veth(near: str, near_device: str, far: str, far_device: str, mtu: int) -> None:
    _ip("", [f"link add name {near_device} netns {near} mtu {mtu} type veth "
             f"peer name {far_device} netns {far} mtu {mtu}"])
    for namespace, device in ((near, near_device), (far, far_device)):
        # A veth hands over unfinished checksums and 64 KB segments, which no wire carries, and VLAN tags beside the
        # bytes, where a node's XDP program does not see them.
        run(*in_namespace(namespace, "ethtool", "-K", device, "tx", "off", "rx", "off", "tso", "off",
                          "gso", "off", "gro", "off", "txvlan", "off", "rxvlan", "off"))
        _ip(namespace, [f"link set dev {device} up"])


def _settle(namespace: str) -> None:
    """Nothing said unasked: the kernel in a node's namespace must stay silent. IPv6 only where an endpoint lives."""
    endpoint = re.fullmatch(rf"[^-]+-({'|'.join(ENDPOINTS)})", namespace)
    ipv6 = {"disable_ipv6": 0, "accept_ra": 0, "autoconf": 0, "accept_dad": 0, "router_solicitations": 0} if endpoint \
        else {"disable_ipv6": 1}
    quiet = [f"net.ipv6.conf.{scope}.{name}={value}" for scope in ("all", "default") for name, value in ipv6.items()]
    quiet += ["net.ipv4.ip_forward=0", "net.ipv4.tcp_no_metrics_save=1"]
    if endpoint:
        quiet += ["net.ipv6.ip_nonlocal_bind=1"]  # servers listen at their IPv6 address even if the MTU is too small for it
    if namespace.endswith(("-a", "-b")):
        quiet += ["net.ipv4.conf.all.arp_ignore=8", "net.ipv4.conf.default.arp_ignore=8"]
    run(*in_namespace(namespace, "sysctl", "-qw", *quiet))


def _congestion_control(namespaces: list[str]) -> None:
    """cubic for the endpoints. A namespace may choose only what the first one allows, so allow it for a moment."""
    allowed = Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
    before = allowed.read_text().strip()
    if "cubic" not in before.split():
        allowed.write_text(f"{before} cubic")
    try:
        for namespace in namespaces:
            run(*in_namespace(namespace, "sysctl", "-qw", "net.ipv4.tcp_congestion_control=cubic"))
    finally:
        if "cubic" not in before.split():
            allowed.write_text(before)


def _ip(namespace: str, commands: list[str]) -> None:
    where = ["-n", namespace] if namespace else []
    run("ip", *where, "-batch", "-", stdin="\n".join(commands) + "\n")


def require_root() -> None:
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces: run it as root")
