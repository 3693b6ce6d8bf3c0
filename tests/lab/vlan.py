#!/usr/bin/env python3
"""Nodes whose service ports are in VLANs, between Linux peers behind wires that tag and untag.

All goes on as without: sessions of every kind, takeovers, R1. What comes without the tag is not taken, and counted.
"""

from __future__ import annotations

import argparse

import labtest
from labtest import check
from labkit import topology
from labkit.lab import Lab
from labkit.shell import in_namespace, run
from labkit.traffic import Workload
from labkit.wire import Wire

_VLANS = {"client": 7, "server": 4094}


def other_vlan(lab: Lab, node: str, network: str) -> int:
    return next(each["value"] for each in lab.ask(node, "counters")
                if each["module"] == f"{network}.net" and each["name"] == "other_vlan")


def untagged_is_refused(lab: Lab) -> None:
    """A neighbour who forgot the tag asks for the virtual address: nobody answers."""
    active = lab.active()
    before = other_vlan(lab, active, "client")
    Wire(lab, "client").set({})
    run("ip", "-n", lab.names.of("client"), "neighbour", "flush", "dev", topology.ENDPOINT_DEVICE)
    run(*in_namespace(lab.names.of("client"), "ping", "-c", "1", "-W", "1", topology.VIP), check=False)
    neighbour = run("ip", "-n", lab.names.of("client"), "neighbour", "show", topology.VIP)
    check(topology.VIRTUAL_MAC["client"] not in neighbour, f"an untagged question was answered: {neighbour}")
    check(other_vlan(lab, active, "client") > before, "untagged frames arrived and were not counted")
    Wire(lab, "client").set({"vlan": _VLANS["client"]})


def test(arguments: argparse.Namespace) -> str:
    extra = {"port": {network: {"vlan": vlan} for network, vlan in _VLANS.items()}}
    with labtest.laboratory(arguments, extra=extra) as lab:
        for endpoint, vlan in _VLANS.items():
            Wire(lab, endpoint).set({"vlan": vlan})
        untagged_is_refused(lab)
        with labtest.captured(lab) as directory, Workload(lab, labtest.mixed(arguments.sessions)) as workload:
            workload.wait_open()
            takeovers = []
            for _ in range(arguments.kills):
                takeovers.append(labtest.kill_active(lab))
                labtest.rejoin(lab, takeovers[-1].victim)
            reports = workload.finish()
        labtest.check_sessions(reports)
        labtest.check_r1(directory)
        labtest.check_no_reneging(lab)
        for endpoint in _VLANS:
            seen = Wire(lab, endpoint).counters()["to_host"]["other_vlan"]
            # The bridge's own neighbours have no tag; a node's frames all have.
            check(seen == 0, f"{seen} frames reached the wire at the {endpoint} without its VLAN")
    return f"{len(reports)} sessions, {len(takeovers)} takeovers, VLANs {_VLANS}; untagged frames refused and counted"


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--sessions", type=int, default=40)
    options.add_argument("--kills", type=int, default=2)
    labtest.main(test, options)
