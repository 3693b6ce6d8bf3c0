"""One lab: its directory, its processes, and what can be done to its nodes."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from labkit import capture, topology, webserver
from labkit import nodeconf
from labkit.nodeconf import NodeOptions
from labkit.process import Process, ProcessTable, of_pid
from labkit.shell import LabError, in_namespace, run
from labkit.topology import ENDPOINT_DEVICE, NODES, Mtu, Names

REPOSITORY = Path(__file__).resolve().parents[2]
READY_TIMEOUT_S = 30
_BIG_DATA = Path("/var/tmp")  # /run is memory on many machines, and nginx's files are large


@dataclass(frozen=True)
class Status:
    """What `holdfastctl status` says of a node; None of a node that does not answer."""

    node: str
    table: dict[str, Any] | None

    @property
    def role(self) -> str:
        return self.table.get("role", "?") if self.table else "down"

    @property
    def state(self) -> str:
        return self.table.get("state", "") if self.table else ""

    def get(self, key: str, default: Any = None) -> Any:
        return self.table.get(key, default) if self.table else default


class Lab:
    """Every method is bounded in time. State lives on disk, so any process may go on with a lab."""

    def __init__(self, name: str | None = None) -> None:
        self.name = name or os.environ.get("HOLDFAST_LAB", "hf")
        if not re.fullmatch(r"[a-z0-9]{1,8}", self.name):
            raise LabError(f"HOLDFAST_LAB={self.name}: a lab's name is 1 to 8 small letters and digits")
        self.names = Names(self.name)
        self.directory = Path(f"/run/holdfast-lab-{self.name}")
        self.data = _BIG_DATA / f"holdfast-lab-{self.name}"
        self.logs = self.directory / "logs"
        self.processes = ProcessTable(self.directory / "processes")
        self.build_directory = (REPOSITORY / os.environ.get("HOLDFAST_BUILD", "build")).resolve()
        self._engine = self.build_directory / "engine"

    # ---- the whole lab -------------------------------------------------------------------------------------

    def up(self, options: NodeOptions, standby: bool = True, extra: nodeconf.Table | None = None) -> None:
        """Build everything and return when one node is active and the other, if wanted, is ready."""
        topology.require_root()
        self._require_binaries()
        if self.directory.exists() or self.names.existing():
            raise LabError(f"lab {self.name} is up already, or was left half way: scripts/lab down")
        self.directory.mkdir(parents=True)
        self._write_once("options.json", json.dumps({**asdict(options), "extra": extra or {}}))
        self._write_once("key", secrets.token_bytes(32))
        topology.build(self.names, options.mtu, mirror_veth=options.mirror == "veth")
        log = self.logs / "nginx.log"
        self.spawn("nginx", "server", webserver.prepare(self.data, log), log)
        nodes = NODES if standby else NODES[:1]
        for node in nodes:
            self.start(node)
        self.wait_ready(standby)

    def down(self) -> None:
        """Leave nothing behind, whatever state the lab is in."""
        capture.stop(self.processes)
        for node in NODES:  # a stopped process ends only once it is continued; SIGKILL reaches it anyway
            self.processes.end(self._process_name(node), grace_s=2)
        for name in self.processes.names():
            self.processes.end(name, grace_s=2)
        for namespace in self.names.existing():
            strays = [process for process in map(of_pid, topology.pids_in(namespace)) if process]
            for process in strays:
                process.end(grace_s=1)
        topology.destroy(self.names)
        shutil.rmtree(self.directory, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)

    def require_up(self) -> None:
        if not self._options_file().exists():
            raise LabError(f"lab {self.name} is not up: scripts/lab up (HOLDFAST_LAB names another one)")

    def environment(self) -> dict[str, str]:
        """What a shell script needs to use the lab."""
        return {
            "HOLDFAST_LAB": self.name, "LAB_DIR": str(self.directory), "LAB_LOGS": str(self.logs),
            "LAB_DATA": str(self.data), "VIP": topology.VIP, "PORT": str(nodeconf.WEB_PORT),
            "PEER_PORT": str(nodeconf.PEER_PORT), "CLOSED_PORT": str(nodeconf.CLOSED_PORT),
            "CLIENT": topology.CLIENT_ADDRESS, "SERVER": topology.SERVER_ADDRESS, "SNAT": topology.SNAT,
            "VIP6": topology.VIP6, "CLIENT6": topology.CLIENT_ADDRESS6, "SERVER6": topology.SERVER_ADDRESS6,
            "SNAT6": topology.SNAT6,
            **{f"NODE_{node.upper()}_{network.upper()}{version}": address(node, network)
               for version, address in (("", topology.node_address), ("6", topology.node_address6))
               for node in NODES for network in topology.NETWORKS},
            **{f"NS_{place.upper()}": self.names.of(place)
               for place in ("client", "server", "a", "b", "sw1", "sw2")},
            "DEV_CLIENT": ENDPOINT_DEVICE, "DEV_SERVER": ENDPOINT_DEVICE,
            **{f"DEV_NODE_{network.upper()}": network for network in topology.NETWORKS},
        }

    # ---- nodes ---------------------------------------------------------------------------------------------

    def start(self, node: str) -> None:
        """Start a node with an empty home: nothing of a former life helps it."""
        if self.node_process(node):
            raise LabError(f"node {node} runs already: kill it first (scripts/lab kill {node})")
        options, extra = self.options()
        home = self._home(node)
        shutil.rmtree(home, ignore_errors=True)
        for directory in (home / "run", home / "state"):
            directory.mkdir(parents=True)
        key = home / "key"
        key.touch(mode=0o600)
        key.write_bytes((self.directory / "key").read_bytes())
        configuration = home / "config.toml"
        table = nodeconf.merge(nodeconf.settings(node, options, home), nodeconf.of_node(extra, node))
        configuration.write_text(nodeconf.to_toml(table))

        if options.ports == "af_xdp":
            for network in topology.NETWORKS:
                topology.detach_xdp(self.names.of(node), network)
        memif_socket = self.directory / "memif.sock"
        if options.mirror == "memif" and node == "a":
            memif_socket.unlink(missing_ok=True)  # a killed listener leaves its socket, and could not bind again

        argv = [str(self._engine / "holdfast"), *nodeconf.eal_options(self.name, node, options, memif_socket),
                *nodeconf.host_options(table, node, self.directory), "--", "--config", str(configuration)]
        log = self.log_of(node)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a") as file:
            file.write(f"==== {time.strftime('%H:%M:%S')} lab: start {node}: {' '.join(argv)}\n")
        self.processes.spawn(self._process_name(node), in_namespace(self.names.of(node), *argv), log,
                             env={"RUNTIME_DIRECTORY": str(home / "run")})

    def kill(self, node: str, number: int = signal.SIGKILL) -> float:
        """Send a signal and return when it was sent; a node that dies takes its directory with it."""
        process = self.node_process(node)
        if not process:
            raise LabError(f"node {node} does not run: scripts/lab start {node}")
        sent = time.time()
        process.signal(number)
        if number not in (signal.SIGSTOP, signal.SIGCONT):
            if not process.wait(10):
                raise LabError(f"node {node} still runs 10 s after signal {number}: see {self.log_of(node)}")
            shutil.rmtree(self._home(node), ignore_errors=True)
        with self.log_of(node).open("a") as file:
            clock = time.strftime("%H:%M:%S", time.localtime(sent)) + f".{int(sent % 1 * 1000):03d}"
            file.write(f"==== {clock} lab: {signal.Signals(number).name} to {node}\n")
        return sent

    def node_process(self, node: str) -> Process | None:
        return self.processes.find(self._process_name(node))

    def link(self, node: str, network: str, up: bool) -> None:
        """Unplug or plug a node's cable: at the switch, so that the node sees its carrier go."""
        if network == "mirror":
            if self.options()[0].mirror == "memif":
                raise LabError("a memif mirror has no cable: kill a node instead")
            topology.set_link(self.names.of(node), "mirror", up)
        else:
            topology.set_link(self.names.switch(network), node, up)

    # ---- asking nodes --------------------------------------------------------------------------------------

    def ctl_argv(self, node: str, *arguments: str) -> list[str]:
        socket = self._home(node) / "run" / "dpdk" / f"hf-{self.name}-{node}" / "dpdk_telemetry.v2"
        return [str(self._engine / "holdfastctl"), "--socket", str(socket), *arguments]

    def status(self, node: str) -> Status:
        if not self.node_process(node):
            return Status(node, None)
        try:
            return Status(node, json.loads(run(*self.ctl_argv(node, "status", "--json"), timeout=5)))
        except (LabError, ValueError):
            return Status(node, None)  # starting, stopped, or just gone

    def ask(self, node: str, what: str) -> Any:
        """The answer of holdfastctl to sessions, counters, events and the like."""
        return json.loads(run(*self.ctl_argv(node, what, "--json"), timeout=10))

    def statuses(self) -> dict[str, Status]:
        return {node: self.status(node) for node in NODES}

    def active(self) -> str | None:
        """The node that is active now; of two (one of them paused, say) none."""
        found = [node for node in NODES if self.status(node).role == "active"]
        return found[0] if len(found) == 1 else None

    def wait_ready(self, standby: bool = True, timeout_s: float = READY_TIMEOUT_S) -> str:
        """Wait until one node is active and the other a ready standby; returns the active one."""
        deadline = time.monotonic() + timeout_s
        while True:
            for node in NODES if standby else NODES[:1]:
                process = self.processes.recorded(self._process_name(node))
                if process and not process.alive():
                    raise LabError(f"node {node} {process.ending()}, by itself.\n{self.log_tail(node)}")
            now = self.statuses()
            for node in NODES:
                peer = now[topology.other(node)]
                if now[node].role == "active" and (not standby or (peer.role, peer.state) == ("standby", "ready")):
                    return node
            if time.monotonic() > deadline:
                said = "; ".join(f"{node} is {each.role} {each.state}".rstrip() for node, each in now.items())
                tails = "\n".join(self.log_tail(node) for node in NODES)
                raise LabError(f"not ready after {timeout_s:g} s: {said}.\n{tails}")
            time.sleep(0.1)

    def wait_active(self, node: str, timeout_s: float = 10) -> Status:
        """Wait until this node says that it is active."""
        deadline = time.monotonic() + timeout_s
        while True:
            status = self.status(node)
            if status.role == "active":
                return status
            if time.monotonic() > deadline:
                raise LabError(f"node {node} is {status.role} {status.state}, not active, after {timeout_s:g} s.\n"
                               f"{self.log_tail(node)}")
            time.sleep(0.05)

    def log_of(self, node: str) -> Path:
        return self.logs / f"{node}.log"

    def log_tail(self, node: str, lines: int = 15) -> str:
        path = self.log_of(node)
        text = path.read_text(errors="replace").splitlines()[-lines:] if path.exists() else ["(no log yet)"]
        return f"--- the end of {path}\n" + "\n".join(text)

    # ---- endpoints -----------------------------------------------------------------------------------------

    def spawn(self, name: str, place: str, argv: list[str], log: Path | None = None) -> Process:
        """Start a process in a namespace; `down` ends it."""
        return self.processes.spawn(name, in_namespace(self.names.of(place), *argv), log or self.logs / f"{name}.log")

    def execute(self, place: str, argv: list[str], timeout_s: float | None) -> int:
        """Run a person's command in a namespace; its exit status."""
        self._known_place(place)
        try:
            return subprocess.run(in_namespace(self.names.of(place), *argv), timeout=timeout_s).returncode
        except subprocess.TimeoutExpired:
            raise LabError(f"not done after {timeout_s:g} s: {' '.join(argv)} (--timeout gives it longer)") from None

    def capture(self, directory: Path) -> None:
        """Capture at the client's and at the server's own device."""
        for place in ("client", "server"):
            capture.start(self.processes, self.names.of(place), ENDPOINT_DEVICE,
                          directory.resolve() / f"{place}.pcap")
        self._capture_note().write_text(str(directory.resolve()))

    def capture_stop(self) -> dict[str, tuple[int, int]]:
        """Stop every capture; packets captured and dropped at each end."""
        if not self._capture_note().exists():
            raise LabError("no capture runs: scripts/lab capture DIR")
        directory = Path(self._capture_note().read_text())
        capture.stop(self.processes)
        self._capture_note().unlink()
        return {place: capture.counts(directory / f"{place}.pcap") for place in ("client", "server")}

    # ---- details -------------------------------------------------------------------------------------------

    def _capture_note(self) -> Path:
        return self.directory / "capture"

    def _known_place(self, place: str) -> None:
        if place not in ("client", "server", *NODES):
            raise LabError(f"no place named {place}: client, server, a or b")

    def _home(self, node: str) -> Path:
        return self.directory / f"node-{node}"

    @staticmethod
    def _process_name(node: str) -> str:
        return f"node-{node}"

    def _options_file(self) -> Path:
        return self.directory / "options.json"

    def options(self) -> tuple[NodeOptions, nodeconf.Table]:
        self.require_up()
        table = json.loads(self._options_file().read_text())
        extra = table.pop("extra")
        return NodeOptions(**{**table, "mtu": Mtu(**table["mtu"])}), extra

    def _write_once(self, name: str, content: str | bytes) -> None:
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    def _require_binaries(self) -> None:
        for name in ("holdfast", "holdfastctl"):
            if not (self._engine / name).exists():
                raise LabError(f"{self._engine / name} does not exist: meson setup build && ninja -C build "
                               "(HOLDFAST_BUILD names another build directory)")
