"""What a node is told: its configuration file and its EAL options."""

from __future__ import annotations

import pathlib
import re
import tomllib
from dataclasses import dataclass
from typing import Any

from labkit import topology
from labkit.shell import LabError
from labkit.topology import Mtu

WEB_PORT = 80
PEER_PORT = 7001    # tests/lab/peer_server.py
CLOSED_PORT = 7009  # nobody listens behind this service: its clients are refused
_CROSSING = 1000    # added to a port: the same service, with a backend of the other family

Table = dict[str, Any]


@dataclass(frozen=True)
class NodeOptions:
    """What `up` was asked for."""

    ports: str  # af_xdp or af_packet
    mirror: str  # veth or memif
    mtu: Mtu
    gate: str  # peer or none


@dataclass(frozen=True)
class Path:
    """One way to the lab's servers: a virtual address and the ports of its services."""

    vip: str
    web_port: int
    peer_port: int


def paths(mtu: Mtu) -> list[Path]:
    """A path for each pair of families, the clients' and the servers'; only IPv4 where an MTU is too small for IPv6."""
    both = [Path(topology.VIP, WEB_PORT, PEER_PORT)]
    if mtu.carries_ipv6():
        crossing = WEB_PORT + _CROSSING, PEER_PORT + _CROSSING
        both += [Path(topology.VIP6, WEB_PORT, PEER_PORT), Path(topology.VIP, *crossing), Path(topology.VIP6, *crossing)]
    return both


def settings(node: str, options: NodeOptions, home: pathlib.Path) -> Table:
    """The configuration of one node as a table of tables."""

    def port(network: str) -> Table:
        table: Table = {"device": _device(network, options), "address": f"{topology.node_address(node, network)}/24",
                        "mtu": options.mtu.of(network)}
        if network in topology.VIRTUAL_MAC:
            table["virtual_mac"] = topology.VIRTUAL_MAC[network]
        if network == "server":
            table["snat"] = [topology.SNAT]
        if ipv6 and network != "mirror":
            table["address6"] = f"{topology.node_address6(node, network)}/64"
            if network == "server":
                table["snat"].append(topology.SNAT6)
        return table

    def service(name: str, vip: str, number: int, backend: str, backend_number: int) -> Table:
        return {"name": name, "address": endpoint(vip, number), "backends": [endpoint(backend, backend_number)],
                "gate": [options.gate]}

    def services() -> list[Table]:
        v4, v6 = (topology.VIP, topology.SERVER_ADDRESS), (topology.VIP6, topology.SERVER_ADDRESS6)
        table = []
        for name, number in (("web", WEB_PORT), ("peer", PEER_PORT), ("closed", CLOSED_PORT)):
            table.append(service(name, v4[0], number, v4[1], number))
            if ipv6:
                table += [service(f"{name}-66", v6[0], number, v6[1], number),
                          service(f"{name}-46", v4[0], number + _CROSSING, v6[1], number),
                          service(f"{name}-64", v6[0], number + _CROSSING, v4[1], number)]
        return table

    ipv6 = options.mtu.carries_ipv6()

    return {
        "node": {"id": topology.NODES.index(node), "name": node, "state_dir": str(home / "state")},
        "port": {network: port(network) for network in topology.NETWORKS},
        "mirror": {"peer": topology.node_address(topology.other(node), "mirror"), "tcp_port": 7070},
        "service": services(),
        # Two cores carry everything here, so a node may be off the CPU for tens of milliseconds.
        "guard": {"key_file": str(home / "key"), "heartbeat_ms": 20, "lease_ms": 150, "lease_margin_ms": 50,
                  "boot_wait_ms": 1000, "reference": [topology.SERVER_ADDRESS], "on_isolation": "serve"},
        "idle": {"policy": "interrupt", "sleep_max_us": 1000},
    }


def eal_options(lab: str, node: str, options: NodeOptions, memif_socket: pathlib.Path) -> list[str]:
    """No hugepages, no PCI; five lcores on the two CPUs: control, mirror and guard, client side, server side, and one for
    applications, which is used where a service has one."""
    # The pool of a port with large frames is larger.
    memory_mb = 512 + 512 * sum(options.mtu.of(network) > 1500 for network in topology.ENDPOINTS)
    argv = ["--no-huge", "--no-pci", "-m", str(memory_mb), "--file-prefix", f"hf-{lab}-{node}",
            "--lcores", "0@0,1@0,2@1,3@0,4@1"]
    for network in topology.NETWORKS:
        argv += ["--vdev", _vdev(network, node, options, memif_socket)]
    return argv


def host_options(table: Table, node: str, directory: pathlib.Path) -> list[str]:
    """Shared memory with the processes of services with gate host."""
    argv: list[str] = []
    for device in (service["host"] for service in table["service"] if "host" in service):
        argv += ["--vdev", f"{device},role=server,id=0,socket={host_socket(directory, node, device)},"
                           "socket-abstract=no,zero-copy=no"]
    return argv


def host_socket(directory: pathlib.Path, node: str, device: str) -> pathlib.Path:
    """Where a node listens for the process that serves a service with gate host."""
    return directory / f"{device}-{node}.sock"


def merge(into: Table, extra: Table) -> Table:
    """Extra settings win; tables are merged key by key, everything else is replaced."""
    for key, value in extra.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
    return into


def of_node(table: Any, node: str) -> Any:
    """The same with the node's name in the place of {node} in every text: what two nodes must not share."""
    if isinstance(table, dict):
        return {key: of_node(value, node) for key, value in table.items()}
    if isinstance(table, list):
        return [of_node(value, node) for value in table]
    return table.replace("{node}", node) if isinstance(table, str) else table


def read_extra(path: pathlib.Path) -> Table:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise LabError(f"--config-extra: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"--config-extra: {path} is no TOML: {error}") from None


def to_toml(table: Table, prefix: str = "") -> str:
    """Tables, arrays of tables, and plain values: all that a configuration holds."""
    lines: list[str] = []
    nested: list[str] = []
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            nested.append(f"\n[{name}]\n{to_toml(value, name + '.')}")
        elif isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            nested += [f"\n[[{name}]]\n{to_toml(row, name + '.')}" for row in value]
        else:
            lines.append(f"{key} = {_value(value)}\n")
    return "".join(lines) + "".join(nested)


def endpoint(address: str, number: int) -> str:
    """As it stands in a configuration or a URL."""
    return f"[{address}]:{number}" if ":" in address else f"{address}:{number}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, str):
        return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
    return repr(value)


def _device(network: str, options: NodeOptions) -> str:
    """The ethdev name that --vdev gives the port."""
    if network == "mirror" and options.mirror == "memif":
        return "net_memif0"
    return f"net_{options.ports}{topology.NETWORKS.index(network)}"


def _vdev(network: str, node: str, options: NodeOptions, memif_socket: pathlib.Path) -> str:
    device = _device(network, options)
    if device.startswith("net_memif"):
        role = "server" if node == "a" else "client"
        return f"{device},role={role},id=0,socket={memif_socket},socket-abstract=no,zero-copy=no"
    if options.ports == "af_xdp":
        return f"{device},iface={network},force_copy=1"
    # A frame must fit one slot of the kernel's ring behind the kernel's header, and slots have to fill a block of whole pages.
    frame, block, count = (2048, 65536, 4096) if options.mtu.of(network) <= 1500 else (9216, 36864, 1024)
    return f"{device},iface={network},blocksz={block},framesz={frame},framecnt={count}"
