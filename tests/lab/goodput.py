#!/usr/bin/env python3
"""Goodput through Holdfast over a lossy wire, next to the direct path over the same wire.

The wire is on the near leg (client) or on the far leg (server). The direct path is the same client and the same server,
kernel to kernel, through a namespace that forwards between the two networks and is there only for this program. The two
paths take turns, with the same seed of the wire. Goodput is a figure without a verdict. Beside it stand what it follows from
where bytes are lost: the timeouts of the hosts' kernels (RTOs), and the round trip (ms) that the client's measured in
uploads. A transfer that fails is a failure; so is reneging, and so is a path through Holdfast that makes the two hosts send
or see more needless repetitions, by more than 1 % of the segments, than the direct path does (over all cells: a single cell
has too few).
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import math
import statistics
import time
from dataclasses import dataclass

import labtest
from labtest import check
from labkit import nodeconf, table, topology, webserver
from labkit.lab import Lab
from labkit.shell import LabError, in_namespace, run
from labkit.wire import Wire

_BULK_PORT = 5201
_PATHS = {4: {"direct": topology.SERVER_ADDRESS, "holdfast": topology.VIP},
          6: {"direct": topology.SERVER_ADDRESS6, "holdfast": topology.VIP6}}  # by family
_LEGS = {"near": "client", "far": "server"}
_LOADS = ("up", "down", "curl")


@dataclass(frozen=True)
class Cell:
    leg: str
    loss: float  # percent
    delay: float  # ms one way


# ---- one transfer ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Transfer:
    rate: float  # Mbit/s, as the receiver saw it
    rtt: float = math.nan  # ms, mean of the sender's; of uploads alone: of others iperf3 does not tell
    timeouts: float = 0  # retransmission timeouts of both hosts meanwhile


def iperf(lab: Lab, address: str, seconds: float, down: bool) -> Transfer:
    """One stream."""
    lab.spawn("iperf3", "server", ["iperf3", "-s", "-1", "-p", str(_BULK_PORT)])
    try:
        deadline = time.monotonic() + 5
        while not run(*in_namespace(lab.names.of("server"), "ss", "-Hltn", "sport", f"= :{_BULK_PORT}")):
            check(time.monotonic() < deadline, f"iperf3 does not listen: see {lab.logs}/iperf3.log")
            time.sleep(0.02)
        said = run(*in_namespace(lab.names.of("client"), "iperf3", "-J", "-c", address, "-p", str(_BULK_PORT), "-t",
                                 f"{seconds:g}", "--connect-timeout", "10000", *(["-R"] if down else [])),
                   timeout=seconds + 40, check=False)
    finally:
        lab.processes.end("iperf3", grace_s=1)
    try:
        end = json.loads(said)["end"]
        return Transfer(end["sum_received"]["bits_per_second"] / 1e6, end["streams"][0]["sender"].get("mean_rtt", math.nan) / 1e3)
    except (ValueError, KeyError):
        raise LabError(f"iperf3 to {address}: {said.strip()[-300:]}") from None


def curl(lab: Lab, address: str, seconds: float) -> Transfer:
    """A download that is cut off when the time is over."""
    said = run(*in_namespace(lab.names.of("client"), "curl", "-s", "-o", "/dev/null", "-m", f"{seconds:g}", "-w",
                             "%{speed_download}", f"http://{nodeconf.endpoint(address, nodeconf.WEB_PORT)}/{webserver.BIG_FILE}"),
               timeout=seconds + 20, check=False)
    check(float(said or 0) > 0, f"curl to {address} got nothing in {seconds:g} s")
    return Transfer(float(said) * 8e-6)


def transfer(lab: Lab, load: str, address: str, seconds: float) -> Transfer:
    before = timeouts(lab)
    done = curl(lab, address, seconds) if load == "curl" else iperf(lab, address, seconds, down=load == "down")
    return dataclasses.replace(done, timeouts=timeouts(lab) - before)


def timeouts(lab: Lab) -> int:
    return sum(labtest.tcp_extension(lab, host, "TCPTimeouts") for host in ("client", "server"))


# ---- needless repetitions ----------------------------------------------------------------------------------


@dataclass
class Repetitions:
    """What both hosts' kernels counted during the transfers of one path."""

    segments: int = 0
    sent: int = 0  # repetitions of their own that the other end reported as needless
    seen: int = 0  # repetitions that came to them needlessly

    @staticmethod
    def now(lab: Lab) -> Repetitions:
        hosts = ("client", "server")
        return Repetitions(sum(labtest.segments_sent(lab, each) for each in hosts),
                           sum(labtest.tcp_extension(lab, each, "TCPDSACKRecv", "TCPDSACKOfoRecv") for each in hosts),
                           sum(labtest.tcp_extension(lab, each, "TCPDSACKOldSent", "TCPDSACKOfoSent") for each in hosts))

    def add_since(self, before: Repetitions, now: Repetitions) -> None:
        self.segments += now.segments - before.segments
        self.sent += now.sent - before.sent
        self.seen += now.seen - before.seen

    def text(self) -> str:
        return f"of {self.segments} segments {self.sent} repeated needlessly, {self.seen} such seen"


def check_repetitions(found: dict[str, Repetitions]) -> None:
    direct, holdfast = found["direct"], found["holdfast"]
    for what in ("sent", "seen"):
        least = getattr(direct, what) / max(direct.segments, 1)
        share = getattr(holdfast, what) / max(holdfast.segments, 1)
        check(share <= least + 0.01, f"needless repetitions {what}: {share:.2%} of the segments, {least:.2%} on the direct path")


# ---- the table ---------------------------------------------------------------------------------------------


def measure(lab: Lab, cell: Cell, arguments: argparse.Namespace,
            repetitions: dict[str, Repetitions]) -> dict[tuple[str, str], Transfer]:
    """By load and path: medians over the rounds. Adds to the repetitions of each path."""
    place = Wire(lab, _LEGS[cell.leg])
    found: dict[tuple[str, str], list[Transfer]] = {}
    for number, load, (path, address) in itertools.product(range(arguments.rounds), arguments.loads,
                                                              _PATHS[arguments.family].items()):
        place.set({"loss": cell.loss, "delay": cell.delay, "rate": arguments.rate, "seed": number})
        before = Repetitions.now(lab)
        found.setdefault((load, path), []).append(transfer(lab, load, address, arguments.seconds))
        repetitions[path].add_since(before, Repetitions.now(lab))
    counts = place.counters()
    for direction, name in itertools.product(counts, ("missed", "store_full", "send_failed", "oversized", "unfinished")):
        check(counts[direction][name] == 0, f"{cell}: the wire itself failed, {direction} {name} {counts[direction][name]}")
    place.remove()
    return {key: Transfer(*(statistics.median(getattr(each, field) for each in values) for field in ("rate", "rtt", "timeouts")))
            for key, values in found.items()}


def lead(size: int) -> nodeconf.Table:
    """A configuration with so many bytes of tcp.window_lead, and room for them."""
    return {"tcp": {"window_lead": size}, "limits": {"session_bytes": max(2 << 20, 2 * size)}} if size else {}


def heading(loads: list[str]) -> list[str]:
    return ["leg", "loss %", "delay ms",
            *(f"{load} {what}" for load in loads for what in ("direct", "holdfast", "ratio", "RTOs", *(("rtt",) if load == "up" else ())))]


def row(cell: Cell, rates: dict[tuple[str, str], Transfer], loads: list[str]) -> list[str]:
    cells = [cell.leg, f"{cell.loss:g}", f"{cell.delay:g}"]
    for load in loads:
        direct, holdfast = (rates[load, path] for path in ("direct", "holdfast"))
        cells += [f"{direct.rate:.1f}", f"{holdfast.rate:.1f}", f"{holdfast.rate / direct.rate:.2f}"]
        cells.append(f"{direct.timeouts:g}/{holdfast.timeouts:g}")
        cells += [f"{direct.rtt:.1f}/{holdfast.rtt:.1f}"] if load == "up" else []
    return cells


def test(arguments: argparse.Namespace) -> str:
    check(0.1 <= arguments.rate <= 500, "--rate: give 0.1 to 500 Mbit/s: more measures the CPU")
    backend, vip = _PATHS[arguments.family].values()
    service = [{"name": name, "address": nodeconf.endpoint(vip, port), "backends": [nodeconf.endpoint(backend, port)],
                "gate": ["peer"]}
               for name, port in (("web", nodeconf.WEB_PORT), ("bulk", _BULK_PORT))]
    cells = [Cell(*each) for each in itertools.product(arguments.legs, arguments.losses, arguments.delays)]
    rows = [heading(arguments.loads)]
    ratios = []
    repetitions = {path: Repetitions() for path in _PATHS[arguments.family]}
    with labtest.laboratory(arguments, extra={"service": service, **lead(arguments.lead)}) as lab:
        topology.put_router_in(lab.names)
        for cell in cells:
            rates = measure(lab, cell, arguments, repetitions)
            rows.append(row(cell, rates, arguments.loads))
            print("  ".join(rows[-1]), flush=True)
            ratios += [(rates[load, "holdfast"].rate / rates[load, "direct"].rate, load, cell) for load in arguments.loads]
        labtest.check_no_reneging(lab)
    for path, each in repetitions.items():
        print(f"{path}: {each.text()}")
    check_repetitions(repetitions)
    print(f"\nMbit/s, delay one way, rate {arguments.rate:g} Mbit/s, {arguments.seconds:g} s each, "
          f"median of {arguments.rounds}\n{table.render(rows)}")
    worst, load, cell = min(ratios, key=lambda each: each[0])
    return (f"{len(ratios)} ratios to the direct path, median {statistics.median(each[0] for each in ratios):.2f}, worst "
            f"{worst:.2f} ({load}, {cell.leg} leg, loss {cell.loss:g} %, delay {cell.delay:g} ms)")


def numbers(text: str) -> list[float]:
    return [float(each) for each in text.split(",")]


def words(allowed: tuple[str, ...]):
    def parse(text: str) -> list[str]:
        found = text.split(",")
        if not set(found) <= set(allowed):
            raise argparse.ArgumentTypeError(f"{text}: give some of {','.join(allowed)}")
        return found
    return parse


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--legs", type=words(tuple(_LEGS)), default=list(_LEGS), metavar="near,far")
    options.add_argument("--losses", type=numbers, default=[0, 0.1, 1, 3], metavar="P,P...", help="percent")
    options.add_argument("--delays", type=numbers, default=[0, 20, 50], metavar="MS,MS...", help="one way")
    options.add_argument("--loads", type=words(_LOADS), default=list(_LOADS), metavar=",".join(_LOADS),
                         help="iperf3 up and down, curl down")
    options.add_argument("--rate", type=float, default=200, metavar="MBIT", help="of the wire, at most 500")
    options.add_argument("--seconds", type=float, default=4, metavar="S", help="of one transfer")
    options.add_argument("--lead", type=int, default=0, metavar="BYTES", help="tcp.window_lead of the nodes")
    options.add_argument("--family", type=int, choices=(4, 6), default=4, help="IPv4 or IPv6")
    options.add_argument("--rounds", type=int, default=1)
    labtest.main(test, options)
