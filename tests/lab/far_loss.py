#!/usr/bin/env python3
"""Loss on the far leg alone is repaired there: the near sender resends next to nothing.

Segments are dropped where they reach the receiving host (nftables), in one direction and then in the other. The sending
host's kernel says how many segments it sent again, the node how many its far leg did.
"""

from __future__ import annotations

import argparse
import time

import labtest
from labtest import Failure, check
from labkit.lab import Lab
from labkit.shell import in_namespace, run
from labkit.traffic import Workload

_NEAR_SHARE_MAX = 0.05
_RESENT_MIN = 50
# What sends, what receives, and the node's core that serves the receiver.
_DIRECTIONS = {"upload": ("client", "server"), "download": ("server", "client")}


def resent_by_kernel(lab: Lab, place: str) -> int:
    lines = run(*in_namespace(lab.names.of(place), "cat", "/proc/net/snmp")).splitlines()
    names, values = (line.split() for line in lines if line.startswith("Tcp:"))
    return int(values[names.index("RetransSegs")])


def resent_by_node(lab: Lab, core: str) -> int:
    rows = lab.ask("a", "counters")
    return next(row["value"] for row in rows if (row["module"], row["name"]) == (f"{core}.tcp", "segments_retransmitted"))


def drop_at(lab: Lab, place: str, percent: int) -> None:
    rules = (f"table ip loss {{ chain incoming {{ type filter hook input priority 0; "
             f"meta l4proto tcp meta length > 400 numgen random mod 100 < {percent} drop\n }}\n }}\n")
    run(*in_namespace(lab.names.of(place), "nft", "-f", "-"), stdin=rules)


def stop_dropping(lab: Lab, place: str) -> None:
    run(*in_namespace(lab.names.of(place), "nft", "delete", "table", "ip", "loss"))


def measure(lab: Lab, kind: str, arguments: argparse.Namespace) -> str:
    near, far = _DIRECTIONS[kind]
    with Workload(lab, {kind: arguments.sessions}) as workload:
        workload.wait_open()
        by_kernel, by_node = resent_by_kernel(lab, near), resent_by_node(lab, far)
        drop_at(lab, far, arguments.percent)
        try:
            time.sleep(arguments.seconds)
        finally:
            stop_dropping(lab, far)
        time.sleep(1)
        by_kernel, by_node = resent_by_kernel(lab, near) - by_kernel, resent_by_node(lab, far) - by_node
        labtest.check_sessions(workload.finish())
    if by_node < _RESENT_MIN:
        raise Failure(f"{kind}: only {by_node} segments were lost on the far leg: this run shows nothing")
    check(by_kernel <= by_node * _NEAR_SHARE_MAX,
          f"{kind}: the far leg resent {by_node} segments, and the sender itself {by_kernel}")
    return f"{kind}: far leg {by_node} segments, sender {by_kernel}"


def test(arguments: argparse.Namespace) -> str:
    with labtest.laboratory(arguments) as lab:
        said = [measure(lab, kind, arguments) for kind in _DIRECTIONS]
        labtest.check_no_reneging(lab)
    return f"{arguments.percent} % loss at the receiver; resent by " + "; ".join(said)


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--sessions", type=int, default=8)
    options.add_argument("--percent", type=int, default=2)
    options.add_argument("--seconds", type=float, default=6)
    labtest.main(test, options)
