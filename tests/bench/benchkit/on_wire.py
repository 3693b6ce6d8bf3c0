"""Parts that need the lab (b, c, d). Ratios are taken within a round, where all saw the same machine; a figure is their median."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from contextlib import AbstractContextManager
from functools import partial

from labkit.shell import LabError

from benchkit import load, middle
from benchkit.load import Load
from benchkit.middle import BenchLab
from benchkit.result import Row, median, median_ratio, succeeded

Rates = dict[str, list[float]]  # by load, one of each round; nan when it failed

_AIMS = {"bulk": ("io forwarding", 0.9), "requests, 1 ": ("io forwarding", 0.85), "requests, 64": ("io forwarding", 0.9)}


def compare(rounds: int, seconds: float) -> list[Row]:
    """(b) Holdfast, alone and with a standby, next to testpmd and to HAProxy."""
    rates: dict[str, Rates] = defaultdict(lambda: defaultdict(list))
    cpu: Rates = defaultdict(list)
    with middle.bench_lab() as lab:
        others = {"io forwarding": partial(middle.testpmd, lab), "HAProxy": partial(middle.haproxy, lab, busy=False),
                  "HAProxy, busy polling": partial(middle.haproxy, lab, busy=True)}
        for _ in range(rounds):
            for name, put in others.items():
                _measure(lab, put(), load.ALL, seconds, rates[name])
            _measure(lab, middle.holdfast(lab, standby=False), [load.CONNECTIONS], seconds, rates["Holdfast alone"])
            with middle.holdfast(lab) as address:
                _measure_at(lab, address, [*load.BULK, *load.REQUESTS], seconds, rates["Holdfast"])
                _connections_with_cpu(lab, address, seconds, rates["Holdfast"], cpu)
    return [row for each in load.ALL for row in _ratios(each, rates)] + _cpu_rows(cpu)


def mirror_bytes(rounds: int, seconds: float) -> list[Row]:
    """(c) What the mirror link carries, headers and heartbeats included."""
    found: Rates = defaultdict(list)
    with middle.bench_lab() as lab, middle.holdfast(lab) as address:
        for _ in range(rounds):
            idle = _mirror_bytes_during(lab, lambda: time.sleep(seconds))[0] / seconds
            for each in [*load.BULK, load.CONNECTIONS]:
                began = time.monotonic()
                carried, result = _mirror_bytes_during(lab, lambda: each.measure(lab, address, seconds))
                length = time.monotonic() - began
                found[each.name].append(carried / result[1])
                found[each.name + " less idle"].append((carried - idle * length) / result[1])
            found["idle"].append(idle)
    rows = [Row("c", "mirror link, idle, both ways", median(found["idle"]), "bytes/s", note="heartbeats")]
    for each in load.BULK:
        rows.append(Row("c", f"mirror bytes per carried byte, {each.name}", median(found[each.name]) * 100, "%", "under 0.1",
                        f"less idle {median(found[each.name + ' less idle']) * 100:.4f} %"))
    rows.append(Row("c", "mirror bytes per short connection", median(found[load.CONNECTIONS.name + " less idle"]), "bytes"))
    return rows


def withholding(rounds: int, seconds: float) -> list[Row]:
    """(d) The same node with gate none, in turn with gate peer."""
    rates: dict[str, Rates] = {"peer": defaultdict(list), "none": defaultdict(list)}
    with middle.bench_lab() as lab:
        for number in range(rounds):
            for gate in ("peer", "none") if number % 2 == 0 else ("none", "peer"):
                _measure(lab, middle.holdfast(lab, gate=gate), [*load.BULK, *load.REQUESTS], seconds, rates[gate])
    return [Row("d", f"gate peer to gate none, {each.name}", median_ratio(rates["peer"][each.name], rates["none"][each.name]),
                "ratio", "at least 0.95", f"peer {succeeded(rates['peer'][each.name]):.4g} {each.unit}")
            for each in [*load.BULK, *load.REQUESTS]]


def _measure(lab: BenchLab, put: AbstractContextManager[str], loads: list[Load], seconds: float, rates: Rates) -> None:
    with put as address:
        _measure_at(lab, address, loads, seconds, rates)


def _measure_at(lab: BenchLab, address: str, loads: list[Load], seconds: float, rates: Rates) -> None:
    for each in loads:
        try:
            rates[each.name].append(each.measure(lab, address, seconds)[0])
        except LabError as error:
            print(f"bench: {each.name}: {error}", file=sys.stderr)
            rates[each.name].append(float("nan"))


def _connections_with_cpu(lab: BenchLab, address: str, seconds: float, rates: Rates, cpu: Rates) -> None:
    pids = {node: lab.node_process(node).pid for node in ("a", "b")}
    before = {node: middle.cpu_seconds(pid) for node, pid in pids.items()}
    _measure_at(lab, address, [load.CONNECTIONS], seconds, rates)
    opened = rates[load.CONNECTIONS.name][-1] * seconds
    for node, pid in pids.items():
        cpu[node].append((middle.cpu_seconds(pid) - before[node]) / opened * 1e6)


def _mirror_bytes_during(lab: BenchLab, action) -> tuple[int, object]:
    before = lab.mirror_bytes()
    result = action()
    return lab.mirror_bytes() - before, result


def _ratios(each: Load, rates: dict[str, Rates]) -> list[Row]:
    """Holdfast's own rate, and what it is to each of the others in the same round."""
    rows = []
    for who in ("Holdfast", "Holdfast alone"):
        ours = rates[who].get(each.name)
        if not ours:
            continue
        failed = sum(value != value for value in ours)
        rows.append(Row("b", f"{each.name}: {who}", succeeded(ours), each.unit, note=f"{failed} of {len(ours)} rounds failed" if failed else ""))
        for other in ("io forwarding", "HAProxy", "HAProxy, busy polling"):
            theirs = rates[other][each.name]
            rows.append(Row("b", f"    to {other}", median_ratio(ours, theirs), "ratio", _aim(each, who, other),
                            f"{other} {succeeded(theirs):.4g} {each.unit}"))
    return rows


def _aim(each: Load, who: str, other: str) -> str:
    if each is load.CONNECTIONS:
        return "at least 0.7" if (who, other) == ("Holdfast alone", "io forwarding") else ""
    return next((f"at least {least}" for start, (against, least) in _AIMS.items()
                 if each.name.startswith(start) and other == against), "")


def _cpu_rows(cpu: Rates) -> list[Row]:
    return [Row("b", f"CPU time per connection, {name}", succeeded(cpu[node]), "us")
            for node, name in (("a", "active"), ("b", "standby"))]
