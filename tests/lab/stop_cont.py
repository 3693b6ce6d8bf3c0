#!/usr/bin/env python3
"""Stop the active node (SIGSTOP), let the other one take over, wake it up: it must stay silent (R4).

Captures at the switches' ports show who spoke under the virtual MACs. A burst that was past the check when the node
was stopped may leave late, one per core; the sessions and the R1 check show that it did no harm.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import time
from pathlib import Path

import labtest
from labtest import check
from labkit import capture, topology
from labkit.lab import Lab
from labkit.shell import run
from labkit.traffic import Workload

_BURST = 32
_NETWORKS = ("client", "server")


def port_file(lab: Lab, network: str, node: str) -> Path:
    return lab.data / f"port-{network}-{node}.pcap"


def capture_ports(lab: Lab) -> None:
    for network, node in itertools.product(_NETWORKS, topology.NODES):
        capture.start(lab.processes, lab.names.switch(network), node, port_file(lab, network, node),
                      f"ether src {topology.VIRTUAL_MAC[network]}", direction="in")


def times(file: Path) -> list[float]:
    """When each captured frame came."""
    return [float(line.split()[0]) for line in run("tcpdump", "-tt", "-nr", str(file)).splitlines() if line.strip()]


def test(arguments: argparse.Namespace) -> str:
    late: dict[str, int] = {}
    with labtest.laboratory(arguments) as lab:
        with labtest.captured(lab) as directory, Workload(lab, labtest.mixed(arguments.sessions)) as workload:
            workload.wait_open()
            capture_ports(lab)
            time.sleep(1)
            stopped = labtest.kill_active(lab, signal.SIGSTOP)
            time.sleep(arguments.pause)
            lab.kill(stopped.victim, signal.SIGCONT)
            time.sleep(5)
            role = lab.status(stopped.victim).role
            check(role != "active", f"node {stopped.victim} is active again after it woke up")
            lab.wait_ready()
            time.sleep(1)
            reports = workload.finish()
        labtest.check_sessions(reports)
        labtest.check_no_reneging(lab, labtest.check_r1(directory))
        for network in _NETWORKS:
            spoke = times(port_file(lab, network, stopped.survivor))
            check(spoke, f"node {stopped.survivor} never spoke on the {network} network")
            late[network] = sum(each > spoke[0] for each in times(port_file(lab, network, stopped.victim)))
            check(late[network] <= _BURST, f"node {stopped.victim} sent {late[network]} frames under the virtual MAC "
                                           f"on the {network} network after the other node had taken over")
    return (f"node {stopped.victim} stopped for {arguments.pause:g} s, {len(reports)} sessions unharmed, late frames "
            f"under the virtual MAC: {late}, then a ready standby")


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--sessions", type=int, default=50)
    options.add_argument("--pause", type=float, default=3, help="seconds between takeover and SIGCONT")
    labtest.main(test, options)
