"""Part f: what each gate costs in throughput and latency, beside gate none. All gates are services of one pair of nodes."""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from labkit import nodeconf, topology
from labkit.shell import LabError, in_namespace, run

from benchkit import load, middle
from benchkit.middle import BenchLab
from benchkit.result import Row, median_ratio, number, succeeded

_ENDPOINT = str(Path(__file__).with_name("endpoint.py"))
_FAR_PORT = {"sink": 9100, "echo": 9101}
_FIRST_PORT = 8100
_ATTACH_S = 10


@dataclass(frozen=True)
class Gate:
    """A service, and who is at the far end of its sessions: one that discards or keeps (sink), or one that answers (echo)."""

    end: str
    gate: tuple[str, ...]
    who: str = ""  # instead of a server behind the node
    settings: nodeconf.Table = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        with_payload = f', payload "{self.settings["mirror_payload"]}"' if "mirror_payload" in self.settings else ""
        return f"{self.end}: {' and '.join(self.gate)}{with_payload}{f', {self.who}' if self.who else ''}"


def _at(end: str, application: Gate, host: str) -> list[Gate]:
    """Every gate with this end; gate none first. `application` has gate app, `host` is the program of gate host."""
    return [Gate(end, ("none",)), Gate(end, ("peer",)),
            *(Gate(end, ("peer", "standby"), settings={"mirror_payload": what}) for what in ("tails", "all")),
            application, Gate(end, ("app", "standby"), application.who, application.settings),
            Gate(end, ("host",), host), Gate(end, ("host", "standby"), host)]


GATES = [*_at("sink", Gate("sink", ("app",), "journal", {"application": "journal", "journal_max_bytes": 1 << 40}), "host_sink"),
         *_at("echo", Gate("echo", ("app",), "echo", {"application": "echo"}), "host_echo")]
NONE = {end: next(gate for gate in GATES if gate.end == end and gate.gate == ("none",)) for end in _FAR_PORT}

_MEASURED = {"sink": ["upload", "ack p50", "ack p99"], "echo": ["upload", "ack p50", "ack p99", "answer p50", "answer p99"]}


def compare(rounds: int, seconds: float) -> list[Row]:
    """(f) Every gate in turn, in each round."""
    found: dict[Gate, dict[str, list[float]]] = {gate: defaultdict(list) for gate in GATES}
    with middle.bench_lab() as lab:
        _start(lab)
        for turn in range(rounds):
            for gate in GATES if turn % 2 == 0 else reversed(GATES):
                for what, value in _measure(lab, gate, seconds / 3).items():
                    found[gate][what].append(value)
    return [_row(gate, what, found[gate][what], found[NONE[gate.end]][what]) for gate in GATES for what in _MEASURED[gate.end]]


# ---- the pair -----------------------------------------------------------------------------------------------


def _start(lab: BenchLab) -> None:
    lab.spawn("endpoint", "server", ["taskset", "-c", str(load.ENDPOINT_CPU), sys.executable, _ENDPOINT, "serve",
                                     topology.SERVER_ADDRESS, *map(str, _FAR_PORT.values())])
    lab.start_nodes(standby=True, services=[_service(lab, gate) for gate in GATES])


def _port(gate: Gate) -> int:
    return _FIRST_PORT + GATES.index(gate)


def _device(gate: Gate) -> str:
    return f"net_memif{1 + GATES.index(gate)}"  # net_memif0 is that of a mirror


def _service(lab: BenchLab, gate: Gate) -> nodeconf.Table:
    table: nodeconf.Table = {"name": f"service-{_port(gate)}", "address": f"{topology.VIP}:{_port(gate)}", "gate": list(gate.gate),
                             **gate.settings}
    if "host" in gate.gate:
        table["host"] = _device(gate)
    elif "app" not in gate.gate:
        table["backends"] = [f"{topology.SERVER_ADDRESS}:{_FAR_PORT[gate.end]}"]
    if gate.who == "journal":
        table["journal_dir"] = str(lab.data / "journal-{node}" / str(_port(gate)))
    return table


@contextmanager
def _far_end(lab: BenchLab, gate: Gate) -> Iterator[None]:
    """The process of gate host runs beside the active while it is measured: it polls, and would disturb the others."""
    if "host" not in gate.gate:
        yield
        return
    before = _attached(lab)
    argv = [str(lab.build_directory / "engine" / gate.who), str(nodeconf.host_socket(lab.directory, "a", _device(gate)))]
    if gate.who == "host_sink":
        files = lab.data / "host-sink"
        files.mkdir(exist_ok=True)
        argv.append(str(files))
    lab.processes.spawn(gate.who, ["taskset", "-c", str(load.ENDPOINT_CPU), *argv], lab.logs / f"{gate.who}.log",
                        env={"RUNTIME_DIRECTORY": str(lab.directory)})
    try:
        deadline = time.monotonic() + _ATTACH_S
        while _attached(lab) == before:
            if time.monotonic() > deadline:
                raise LabError(f"{gate.who} is not attached after {_ATTACH_S} s: see {lab.logs}")
            time.sleep(0.02)
        yield
    finally:
        lab.processes.end(gate.who, grace_s=2)


def _attached(lab: BenchLab) -> int:
    return next(row["value"] for row in lab.ask("a", "counters") if (row["module"], row["name"]) == ("host", "attached"))


# ---- a measurement ------------------------------------------------------------------------------------------


def _measure(lab: BenchLab, gate: Gate, seconds: float) -> dict[str, float]:
    """By what is measured; nan for all of it when it failed."""
    try:
        with _far_end(lab, gate):
            uploaded = _ask(lab, gate, "upload", seconds)
            exchanged = _ask(lab, gate, "exchange", seconds / 2, *(["--answered"] if gate.end == "echo" else []))
    except LabError as error:
        print(f"bench: {gate.name}: {error}", file=sys.stderr)
        return dict.fromkeys(_MEASURED[gate.end], float("nan"))
    return {"upload": uploaded["bits_per_second"] / 1e9} | {
        f"{what} {rank}": summary[rank] for what, summary in exchanged.items() for rank in ("p50", "p99")}


def _ask(lab: BenchLab, gate: Gate, role: str, seconds: float, *more: str) -> dict:
    argv = ["taskset", "-c", str(load.ENDPOINT_CPU), sys.executable, _ENDPOINT, role, topology.VIP, str(_port(gate)), str(seconds)]
    return json.loads(run(*in_namespace(lab.names.of("client"), *argv, *more), timeout=seconds + 30))


def _row(gate: Gate, what: str, own: list[float], none: list[float]) -> Row:
    unit = "Gbit/s" if what == "upload" else "us"
    failed = sum(value != value for value in own)
    note = f"; {failed} of {len(own)} rounds failed" if failed else ""
    if gate is NONE[gate.end]:
        return Row("f", f"{gate.name}, {what}", succeeded(own), unit, note=note)
    return Row("f", f"{gate.name}, {what}", median_ratio(own, none), "to none", note=f"{number(succeeded(own))} {unit}{note}")
