"""What the lab tests share: a lab that is always taken down, kills and rejoins, and checks on what came of them."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from labkit import nodeconf, topology  # noqa: E402
from labkit.lab import REPOSITORY, Lab  # noqa: E402
from labkit.shell import LabError, in_namespace, run  # noqa: E402
from labkit.traffic import SessionReport  # noqa: E402

_CLONE_NEWNET = 0x40000000
_CAPTURE = "capture"
_BUILD = (REPOSITORY / os.environ.get("HOLDFAST_BUILD", "build")).resolve()
_KEPT_LOGS = _BUILD / "lab-logs"


_turns = itertools.count()


class Failure(Exception):
    """The product, or the run, is not as it must be."""


def check(condition: object, message: str) -> None:
    if not condition:
        raise Failure(message)


# ---- a test and its lab ------------------------------------------------------------------------------------


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options every test has."""
    options = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--ports", choices=("af_xdp", "af_packet"), default="af_xdp")
    options.add_argument("--mirror", choices=("veth", "memif"), default="veth")
    options.add_argument("--mtu", default="1500", metavar="CLIENT[:SERVER]", help="above 3,000 bytes with --ports af_packet alone")
    return options


def main(test: Callable[[argparse.Namespace], str], options: argparse.ArgumentParser) -> None:
    """Run a test and exit: one line says what was shown, or what went wrong."""
    arguments = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # unwinds, so that the lab is taken down
    name = Path(sys.argv[0]).stem
    try:
        print(f"PASS {name}: {test(arguments)}")
    except (Failure, LabError) as error:
        print(f"FAIL {name}: {error}")
        sys.exit(1)


def build_directory() -> Path:
    """Where the programs of the tests are."""
    return _BUILD


def lab_name() -> str:
    """Of the lab that laboratory() brings up."""
    return os.environ.get("HOLDFAST_LAB", "hft")


@contextlib.contextmanager
def laboratory(arguments: argparse.Namespace, gate: str = "peer", name: str | None = None,
               extra: nodeconf.Table | None = None) -> Iterator[Lab]:
    """A lab of one's own, with `extra` over both nodes' settings; logs and captures of a failed test are kept in lab-logs of the build directory."""
    lab = Lab(name or lab_name())
    lab.down()
    try:
        lab.up(nodeconf.NodeOptions(arguments.ports, arguments.mirror, topology.Mtu.parse(arguments.mtu), gate), extra=extra)
        yield lab
    except BaseException:
        kept = _KEPT_LOGS / Path(sys.argv[0]).stem
        shutil.rmtree(kept, ignore_errors=True)
        for source in (lab.logs, lab.data / _CAPTURE):
            if source.exists():
                shutil.copytree(source, kept, dirs_exist_ok=True)
        print(f"logs: {kept}", file=sys.stderr)
        raise
    finally:
        lab.down()


@contextlib.contextmanager
def captured(lab: Lab) -> Iterator[Path]:
    """Captures at both endpoints while the block runs; complete once it is left. The files go with the lab."""
    directory = lab.data / _CAPTURE
    shutil.rmtree(directory, ignore_errors=True)
    lab.capture(directory)
    yield directory
    for place, (_, dropped) in lab.capture_stop().items():
        check(dropped == 0, f"the capture at the {place} lost {dropped} packets: this run shows nothing")


# ---- takeovers ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Takeover:
    victim: str
    survivor: str
    at: float  # seconds since the epoch, when the signal was sent
    detect_ms: float
    takeover_ms: float


def kill_active(lab: Lab, number: int = signal.SIGKILL) -> Takeover:
    """Kill the active node and wait until the other one is active."""
    victim = lab.active()
    if victim is None:
        raise Failure(f"no node is active: {lab.statuses()}")
    survivor = topology.other(victim)
    at = lab.kill(victim, number)
    last = lab.wait_active(survivor).get("last_takeover") or {}
    return Takeover(victim, survivor, at, last.get("detect_ms", -1), last.get("takeover_ms", -1))


def rejoin(lab: Lab, victim: str) -> float:
    """Start a killed node; how long it took until it was a ready standby."""
    began = time.monotonic()
    lab.start(victim)
    lab.wait_ready()
    return time.monotonic() - began


# ---- sockets in the lab ------------------------------------------------------------------------------------


def socket_in(namespace: str, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """A socket of a namespace, TCP if nothing else is said; it stays there while this thread comes back."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as home, open(f"/run/netns/{namespace}") as there:
        if libc.setns(there.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"can not enter namespace {namespace}")
        try:
            return socket.socket(family, kind)
        finally:
            libc.setns(home.fileno(), _CLONE_NEWNET)


def connect(lab: Lab, timeout_s: float = 20) -> socket.socket:
    """A client's connection to the peer server, each time by another pair of families."""
    paths = nodeconf.paths(lab.options()[0].mtu)
    path = paths[next(_turns) % len(paths)]
    client = socket_in(lab.names.of("client"), socket.AF_INET6 if ":" in path.vip else socket.AF_INET)
    client.settimeout(timeout_s)
    client.connect((path.vip, path.peer_port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def receive_exactly(connection: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        part = connection.recv(length - len(data))
        if not part:
            raise Failure(f"closed after {len(data)} of {length} bytes")
        data += part
    return data


def echo(connection: socket.socket, what: str, length: int = 500) -> None:
    """One exchange on a connection to the peer server's echo."""
    message = random.randbytes(length)
    try:
        connection.sendall(message)
        answer = receive_exactly(connection, length)
    except (OSError, Failure) as error:
        raise Failure(f"{what}: {error or type(error).__name__}") from None
    check(answer == message, f"{what}: wrong bytes")


def open_echo(lab: Lab, timeout_s: float = 20) -> socket.socket:
    connection = connect(lab, timeout_s=timeout_s)
    connection.sendall(b"echo\n")
    echo(connection, "first exchange")
    return connection


def server_connections(lab: Lab) -> int:
    """Connections of the peer server that are not over."""
    return len(run(*in_namespace(lab.names.of("server"), "ss", "-Htn", "state", "established", "state", "syn-recv",
                                 "sport", f"= :{nodeconf.PEER_PORT}")).splitlines())


# ---- checks ------------------------------------------------------------------------------------------------


def mixed(sessions: int) -> dict[str, int]:
    """Sessions of every kind; most exchange small messages, a third streams."""
    shares = {"echo": 20, "upload": 10, "download": 10, "both": 10, "idle": 10, "client_closed": 5, "server_closed": 5}
    mix = {kind: max(1, sessions * share // 100) for kind, share in shares.items()}
    mix["http"] = max(1, sessions - sum(mix.values()))
    return mix


def check_sessions(reports: list[SessionReport]) -> None:
    failures = [f"{each.kind} {each.number} (port {each.local_port}): {each.failure} at {each.failed_at or 0:.3f}"
                for each in reports if each.failure]
    check(not failures, f"{len(failures)} of {len(reports)} sessions failed:\n  " + "\n  ".join(failures[:10]))


def longest_pause_ms(reports: list[SessionReport]) -> float:
    return 1000 * max(each.longest_pause_s for each in reports)


def tcp_extension(lab: Lab, place: str, *names: str) -> int:
    """The sum of counters of the host's kernel that nstat calls TcpExtNAME."""
    lines = run(*in_namespace(lab.names.of(place), "cat", "/proc/net/netstat")).splitlines()
    known, values = next((a.split(), b.split()) for a, b in zip(lines[::2], lines[1::2]) if a.startswith("TcpExt"))
    return sum(int(values[known.index(name)]) for name in names)


def segments_sent(lab: Lab, place: str) -> int:
    """TcpOutSegs of the host's kernel."""
    lines = run(*in_namespace(lab.names.of(place), "cat", "/proc/net/snmp")).splitlines()
    known, values = (line.split() for line in lines if line.startswith("Tcp:"))
    return int(values[known.index("OutSegs")])


def check_no_reneging(lab: Lab, verdict: dict[str, Any] | None = None) -> None:
    """Linux counts ACKs that stop inside a range reported as received before; captures show where."""
    seen = "".join(f"\n  at {each['at']:.6f} from {each['from']} to {each['to']}, offset {each['offset']}"
                   for each in (verdict or {}).get("reneged", [])[:10])
    for place in ("client", "server"):
        count = tcp_extension(lab, place, "TCPSACKReneging")
        check(count == 0, f"TcpExtTCPSACKReneging is {count} at the {place}{seen}")


def check_nodes_have_no_sockets(lab: Lab) -> None:
    for node in topology.NODES:
        found = run(*in_namespace(lab.names.of(node), "ss", "-Htan")).strip()
        check(not found, f"node {node}'s namespace holds a kernel TCP socket: {found}")


def r1_check(directory: Path, *options: str, client: str = "client.pcap") -> dict[str, Any]:
    """The verdict of the R1 checker on the captures of a directory."""
    program = _BUILD / "tests" / "lab" / "r1_check"
    check(program.exists(), f"{program} does not exist: ninja -C {_BUILD} builds it")
    done = subprocess.run([program, directory / client, directory / "server.pcap", "--json", *options],
                          capture_output=True, text=True, timeout=120)
    check(done.returncode in (0, 1), f"r1_check: {done.stderr.strip()}")
    return json.loads(done.stdout) if done.stdout.strip() else {}


def check_r1(directory: Path, *options: str) -> dict[str, Any]:
    verdict = r1_check(directory, *options)
    check(verdict["ok"], "R1: " + "; ".join(verdict["faults"][:5]))
    return verdict
