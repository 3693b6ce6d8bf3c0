#!/usr/bin/env python3
"""Explicit congestion notification with Linux at both ends, across a kill.

Both hosts offer and accept ECN, and mark a part of what may be marked, as it leaves and as it arrives (nftables). Their
kernels and the node say what came of it; no session is harmed by the kill, and marks are reported after it, too.
"""

from __future__ import annotations

import argparse
import time

import labtest
from labtest import check
from labkit.lab import Lab
from labkit.shell import in_namespace, run
from labkit.traffic import Workload

_HOSTS = ("client", "server")
_MIX = {"upload": 3, "download": 3, "echo": 3}


def speak_ecn(lab: Lab, percent: int) -> None:
    rule = "{family} ecn {{ ect0, ect1 }} meta l4proto tcp numgen random mod 100 < {percent} {family} ecn set ce"
    rules = "\n".join(rule.format(family=family, percent=percent) for family in ("ip", "ip6"))
    chains = "\n".join(f"chain {hook} {{ type filter hook {hook} priority 0;\n{rules}\n}}" for hook in ("input", "output"))
    for host in _HOSTS:
        run(*in_namespace(lab.names.of(host), "sysctl", "-qw", "net.ipv4.tcp_ecn=1"))
        run(*in_namespace(lab.names.of(host), "nft", "-f", "-"), stdin=f"table inet marks {{\n{chains}\n}}\n")


def without_ecn(lab: Lab) -> list[str]:
    """Established connections of the client that have not agreed on it, by `ss -tio`: two lines for each."""
    lines = run(*in_namespace(lab.names.of("client"), "ss", "-Htino", "state", "established")).splitlines()
    return [line.strip() for line, info in zip(lines[::2], lines[1::2]) if " ecn " not in f" {info} "]


def reported_marks(lab: Lab, host: str) -> int:
    return labtest.tcp_extension(lab, host, "TCPDeliveredCE")


def of_node(lab: Lab, node: str, name: str) -> dict[str, int]:
    return {row["module"]: row["value"] for row in lab.ask(node, "counters")
            if row["name"] == name and row["module"] in ("client.tcp", "server.tcp")}


def test(arguments: argparse.Namespace) -> str:
    with labtest.laboratory(arguments) as lab:
        speak_ecn(lab, arguments.percent)
        with Workload(lab, _MIX) as workload:
            workload.wait_open()
            time.sleep(arguments.seconds)
            check(not (bare := without_ecn(lab)), f"{len(bare)} connections have no ECN: {bare[:3]}")
            node = lab.active() or "a"
            seen = {name: of_node(lab, node, name) for name in ("ecn_marks", "ecn_reductions")}
            for name, rows in seen.items():
                check(len(rows) == 2 and all(rows.values()), f"{name} of the node before the kill: {rows}")
            before = {host: reported_marks(lab, host) for host in _HOSTS}
            check(all(before.values()), f"marks reported to the hosts before the kill: {before}")
            labtest.kill_active(lab)
            time.sleep(arguments.seconds)
            after = {host: reported_marks(lab, host) - before[host] for host in _HOSTS}
            check(all(after.values()), f"marks reported to the hosts after the kill: {after}")
            labtest.check_sessions(workload.finish())
    marks, reductions = (sum(rows.values()) for rows in seen.values())
    return (f"{marks} marks seen and {reductions} windows lowered by the node; to the hosts were reported "
            f"{sum(before.values())} before and {sum(after.values())} after the kill")


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--percent", type=int, default=2, help="of the packets that may bear a mark, on each way")
    options.add_argument("--seconds", type=float, default=4, help="before and after the kill")
    labtest.main(test, options)
