"""The lab of the bench: what stands in the middle of its wire may be Holdfast, testpmd or HAProxy.

The middle has CPU 1 to itself; the endpoints and a sleeping standby share CPU 0.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from labkit import nodeconf, topology
from labkit.lab import Lab
from labkit.process import Process
from labkit.shell import LabError, in_namespace, run

from benchkit import load

MIDDLE_CPU = 1
_HAPROXY = """\
global
    nbthread 1
    maxconn 4000
    {global_option}
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
listen web
    bind {vip}:{web}
    server one {server}:{web}
listen bulk
    bind {vip}:{bulk}
    server one {server}:{bulk}
"""
# Every core shares its CPU with others here: nobody may lose a lease because of that, and all cores of the active
# get the same priority, from place().
_SETTINGS = {
    "guard": {"lease_ms": 380, "lease_margin_ms": 120, "realtime": False},
    "limits": {"sessions": 65536},
    "tcp": {"time_wait_ms": 1000},
}


def proxied(gate: str) -> list[nodeconf.Table]:
    """The services with servers that prepare() starts."""
    return [{"name": name, "address": f"{topology.VIP}:{port}", "backends": [f"{topology.SERVER_ADDRESS}:{port}"], "gate": [gate]}
            for name, port in (("web", nodeconf.WEB_PORT), ("bulk", load.BULK_PORT))]


class BenchLab(Lab):
    """A lab without nodes at first."""

    def __init__(self) -> None:
        super().__init__(os.environ.get("HOLDFAST_LAB", "bench"))
        self._services = proxied("peer")

    def build(self) -> None:
        self.up(nodeconf.NodeOptions("af_xdp", "veth", topology.Mtu(), "peer"), standby=False)
        self.stop_nodes()
        load.prepare(self)
        # With this second address the server is a neighbour, when the middle is a wire.
        run("ip", "-n", self.names.of("client"), "address", "add", "10.77.2.10/24", "dev", topology.ENDPOINT_DEVICE)
        for pid in topology.pids_in(self.names.of("server")):
            place(pid, load.ENDPOINT_CPU)

    def options(self) -> tuple[nodeconf.NodeOptions, nodeconf.Table]:
        options, _ = super().options()
        return options, {**_SETTINGS, "service": self._services}

    def start_nodes(self, standby: bool, services: list[nodeconf.Table]) -> None:
        self._services = services
        self.start("a")
        self.wait_active("a")
        place(self.node_process("a").pid, MIDDLE_CPU, alone=True)
        if standby:
            self.start_standby()
        self.forget_neighbours()

    def start_standby(self) -> None:
        self.start("b")
        place(self.node_process("b").pid, load.ENDPOINT_CPU)
        self.wait_ready()

    def stop_nodes(self) -> None:
        for node in topology.NODES:
            if self.node_process(node):
                self.kill(node)
        for network in ("client", "server"):
            topology.detach_xdp(self.names.of("a"), network)

    def forget_neighbours(self) -> None:
        """Another middle has other MACs."""
        for endpoint in ("client", "server"):
            run("ip", "-n", self.names.of(endpoint), "neigh", "flush", "all")

    def mirror_bytes(self) -> int:
        """Bytes that the mirror link has carried both ways, with all headers but Ethernet's checksum."""
        directory = "/sys/class/net/mirror/statistics"
        said = run(*in_namespace(self.names.of("a"), "cat", f"{directory}/rx_bytes", f"{directory}/tx_bytes"))
        return sum(map(int, said.split()))


@contextmanager
def bench_lab() -> Iterator[BenchLab]:
    lab = BenchLab()
    try:
        lab.build()
        yield lab
    finally:
        lab.down()


@contextmanager
def holdfast(lab: BenchLab, standby: bool = True, gate: str = "peer") -> Iterator[str]:
    """Yields the address to connect to, as every middle does."""
    lab.start_nodes(standby, proxied(gate))
    try:
        yield topology.VIP
    finally:
        lab.stop_nodes()


@contextmanager
def testpmd(lab: BenchLab) -> Iterator[str]:
    """Frames forwarded as they are: the wire itself, as DPDK sees it."""
    argv = ["dpdk-testpmd", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "-m", "256", "--lcores", "0@1,1@1"]
    for number, network in enumerate(("client", "server")):
        argv += ["--vdev", f"net_af_xdp{number},iface={network},force_copy=1"]
    argv += ["--", "--forward-mode=io", "--nb-cores=1", "--total-num-mbufs=32768", "--stats-period=3600"]
    process = lab.spawn("testpmd", "a", argv)
    try:
        lab.forget_neighbours()
        _wait_reachable(lab, process, topology.SERVER_ADDRESS)
        place(process.pid, MIDDLE_CPU, alone=True)
        yield topology.SERVER_ADDRESS
    finally:
        lab.processes.end("testpmd", grace_s=5)
        lab.stop_nodes()


@contextmanager
def haproxy(lab: BenchLab, busy: bool) -> Iterator[str]:
    """HAProxy on the kernel's TCP, relaying connections as they are."""
    file = lab.directory / "haproxy.cfg"
    file.write_text(_HAPROXY.format(vip=topology.VIP, server=topology.SERVER_ADDRESS, web=nodeconf.WEB_PORT, bulk=load.BULK_PORT,
                                    global_option="busy-polling" if busy else ""))
    addresses = {"client": f"{topology.VIP}/24", "server": f"{topology.node_address('a', 'server')}/24"}
    namespace = lab.names.of("a")
    _kernel_speaks(namespace, True)
    for device, address in addresses.items():
        run("ip", "-n", namespace, "address", "add", address, "dev", device)
    process = lab.spawn("haproxy", "a", ["haproxy", "-db", "-f", str(file)])
    try:
        lab.forget_neighbours()
        _wait_reachable(lab, process, topology.VIP)
        place(process.pid, MIDDLE_CPU, alone=True)
        yield topology.VIP
    finally:
        lab.processes.end("haproxy", grace_s=2)
        for device, address in addresses.items():
            run("ip", "-n", namespace, "address", "del", address, "dev", device)
        _kernel_speaks(namespace, False)


def _kernel_speaks(namespace: str, speaks: bool) -> None:
    """In the lab the kernel of a node's namespace answers no ARP; HAProxy lives by it."""
    ignore = 0 if speaks else 8
    run(*in_namespace(namespace, "sysctl", "-qw", f"net.ipv4.conf.all.arp_ignore={ignore}",
                      *(f"net.ipv4.conf.{device}.arp_ignore={ignore}" for device in ("client", "server"))))


def _wait_reachable(lab: BenchLab, process: Process, address: str, timeout_s: float = 15) -> None:
    deadline = time.monotonic() + timeout_s
    argv = in_namespace(lab.names.of("client"), "curl", "-s", "-o", "/dev/null", "-m", "1", f"http://{address}/{load.TINY_FILE}",
                        "-w", "%{http_code}")
    while run(*argv, check=False) != "200":
        if not process.alive() or time.monotonic() > deadline:
            raise LabError(f"no answer from {address} through the middle: see {lab.logs}")
        time.sleep(0.1)


def place(pid: int, cpu: int, alone: bool = False) -> None:
    """All threads of a process on one CPU. `alone`: before everybody else there, and threads that poll take turns."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(ProcessLookupError):  # a thread may end at any time
            os.sched_setaffinity(int(task.name), {cpu})
            if alone:
                os.sched_setscheduler(int(task.name), os.SCHED_FIFO, os.sched_param(1))


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
