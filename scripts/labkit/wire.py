"""The lossy wire: a program between the client or the server and its switch that loses, delays and shapes frames.

The program is tests/lab/wire; this is what a person asks of it, where it is put, and what it answers.
"""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import topology
from labkit.lab import Lab
from labkit.shell import LabError

Values = dict[str, float]  # by the name of an option; one that is missing has its default

_START_TIMEOUT_S = 10
_ANSWER_TIMEOUT_S = 5
_STORE_MB = 100  # what the program holds in each direction, with a margin


@dataclass(frozen=True)
class Option:
    """One setting: as a person writes it, and as the program reads it."""

    name: str
    unit: str
    low: float
    high: float
    key: str
    scale: float  # the program's base units in one of the person's
    help: str
    default: float = 0
    whole: bool = False

    def describe(self) -> str:
        return f"{self.low:g} to {self.high:g} {self.unit}".rstrip() + f": {self.help}"

    def check(self, value: float) -> None:
        if not self.low <= value <= self.high:
            raise LabError(f"--{self.name} {value:g}: give {self.low:g} to {self.high:g} {self.unit}".rstrip())
        if self.whole and value != int(value):
            raise LabError(f"--{self.name} {value:g}: give a whole number")


OPTIONS = (
    Option("loss", "%", 0, 100, "loss_ppm", 10_000, "share of frames that are lost"),
    Option("delay", "ms", 0, 2000, "delay_ns", 1e6, "one way, in each direction: a round trip takes twice as long"),
    Option("jitter", "ms", 0, 1000, "jitter_ns", 1e6, "up to so much is added to the delay; nothing overtakes by it"),
    Option("reorder", "%", 0, 100, "reorder_ppm", 10_000, "share of frames held back so that later ones overtake them"),
    Option("reorder-by", "ms", 0.1, 1000, "reorder_by_ns", 1e6, "how long those are held back (2)", default=2),
    Option("dup", "%", 0, 100, "dup_ppm", 10_000, "share of frames that arrive twice"),
    Option("rate", "Mbit/s", 0, 10_000, "rate_bps", 1e6, "in each direction; 0 is no limit"),
    Option("queue", "KB", 0, 65_536, "queue_bytes", 1024,
           "what may wait for the rate, the rest is dropped; 0 is rate x 2 x delay, at least 64"),
    Option("vlan", "", 0, 4094, "vlan", 1, "802.1Q tag on frames toward the switch, required and removed toward the host; "
           "0 is none", whole=True),
    Option("seed", "", 0, 999_999, "seed", 1, "begin the random numbers anew, so that a run can be repeated (1 at first)",
           whole=True),
)
DIRECTIONS = {"to_switch": "to the switch", "to_host": "to the host"}
# Always told; the others only when they are not zero.
_TOLD = ("passed", "lost", "duplicated", "reordered", "queue_full")
_NOT_FRAMES = ("received", "passed_bytes", "on_the_way")


def check(values: Values) -> None:
    """Raises LabError that names the option and what to give instead."""
    for option in OPTIONS:
        if option.name in values:
            option.check(values[option.name])
    rate, longest_ms = values.get("rate", 0), values.get("delay", 0) + values.get("jitter", 0)
    if 0 < rate < 0.1:
        raise LabError(f"--rate {rate:g}: give 0 (no limit), or 0.1 to 10000 Mbit/s")
    on_the_way_mb = rate * longest_ms / 8000
    if on_the_way_mb > _STORE_MB:
        raise LabError(f"--rate {rate:g} and --delay {longest_ms:g} ms keep {on_the_way_mb:.0f} MB on their way, more than "
                       f"the {_STORE_MB} MB that the wire holds: give less of one")


class Wire:
    """The place for a wire beside an endpoint. State lives on disk, as that of the lab."""

    def __init__(self, lab: Lab, endpoint: str) -> None:
        self._lab = lab
        self._endpoint = endpoint
        self._name = f"wire-{endpoint}"
        self._socket = lab.directory / f"{self._name}.sock"
        self._saved = lab.directory / f"{self._name}.json"
        self._program = lab.build_directory / "tests" / "lab" / "wire"

    def present(self) -> bool:
        return self._lab.names.wire(self._endpoint) in self._lab.names.existing()

    def settings(self) -> Values:
        """What was asked for last."""
        return json.loads(self._saved.read_text()) if self._saved.exists() else {}

    def set(self, values: Values) -> None:
        """Put the wire in, or change it: what `values` does not name has its default."""
        check(values)
        if self.present() and self._lab.processes.find(self._name):
            # A seed begins the random numbers anew: only when it is asked for.
            answer = self._ask("set " + " ".join(_words(values)))
            if answer != "ok":
                raise LabError(f"the wire at the {self._endpoint}: {answer}")
        else:
            self.remove()
            self._put_in({"seed": 1, **values})
        self._saved.write_text(json.dumps({name: value for name, value in values.items() if name != "seed"}))

    def remove(self) -> None:
        """Take the wire out, whatever state it is in; what was on its way is lost."""
        self._lab.processes.end(self._name, grace_s=2)
        if self.present():
            topology.take_wire_out(self._lab.names, self._endpoint)
        for path in (self._socket, self._saved):
            path.unlink(missing_ok=True)

    def counters(self) -> dict[str, dict[str, int]]:
        """Counts by direction (to_switch, to_host) and name, since the wire was put in."""
        return json.loads(self._ask("show"))

    def describe(self) -> str:
        """For people: settings, then a line for each direction."""
        if not self.present():
            return f"wire {self._endpoint}  none"
        head = f"wire {self._endpoint}  {describe_settings(self.settings())}"
        if not self._lab.processes.find(self._name):
            return f"{head}\n  broken, its program has ended: see {self._log()}; scripts/lab wire {self._endpoint} off"
        counters = self.counters()
        return "\n".join([head, *(f"  {words + ':':15} {_describe_counts(counters[direction])}"
                                  for direction, words in DIRECTIONS.items())])

    def _put_in(self, values: Values) -> None:
        if not self._program.exists():
            raise LabError(f"{self._program} does not exist: ninja -C {self._lab.build_directory} builds it")
        self._socket.unlink(missing_ok=True)
        topology.put_wire_in(self._lab.names, self._endpoint)
        process = self._lab.spawn(self._name, self._name, [
            str(self._program), "--host", topology.HOST_END, "--switch", topology.SWITCH_END,
            "--control", str(self._socket), *_words(values)])
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._socket.exists():
            if not process.alive() or time.monotonic() > deadline:
                self.remove()
                raise LabError(f"the wire at the {self._endpoint} did not start: see {self._log()}")
            time.sleep(0.005)

    def _ask(self, request: str) -> str:
        if not self._lab.processes.find(self._name):
            raise LabError(f"no wire at the {self._endpoint}: scripts/lab wire {self._endpoint} --loss 1 puts one in")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.settimeout(_ANSWER_TIMEOUT_S)
            try:
                client.connect(str(self._socket))
                client.send(request.encode())
                return client.recv(1 << 16).decode()
            except OSError as error:
                raise LabError(f"the wire at the {self._endpoint} does not answer: {error}; see {self._log()}") from None

    def _log(self) -> Path:
        return self._lab.logs / f"{self._name}.log"


def describe_settings(values: Values) -> str:
    """loss 1 %, delay 20 ms"""
    said = [f"{option.name} {values[option.name]:g} {option.unit}".rstrip() for option in OPTIONS
            if values.get(option.name, option.default) != option.default]
    return ", ".join(said) or "without faults"


def remove_all(lab: Lab) -> None:
    for endpoint in topology.ENDPOINTS:
        Wire(lab, endpoint).remove()


def _describe_counts(counts: dict[str, Any]) -> str:
    told = [name for name in counts if name in _TOLD or (counts[name] and name not in _NOT_FRAMES)]
    return ", ".join(f"{name.replace('_', ' ')} {counts[name]}" for name in sorted(told, key=_order))


def _order(name: str) -> int:
    return _TOLD.index(name) if name in _TOLD else len(_TOLD)


def _words(values: Values) -> list[str]:
    return [f"{option.key}={round(values.get(option.name, option.default) * option.scale)}" for option in OPTIONS
            if option.name != "seed" or "seed" in values]
