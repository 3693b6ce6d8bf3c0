#!/usr/bin/env python3
"""The lab keeps its promises: nothing left behind, nothing shared, several labs at once."""

from __future__ import annotations

import argparse
import signal

import labtest
from labtest import check
from labkit import nodeconf, topology
from labkit.lab import Lab
from labkit.shell import LabError, in_namespace, run


def fetch(lab: Lab) -> bool:
    """A small file through the proxy, by each pair of families."""
    paths = nodeconf.paths(lab.options()[0].mtu)
    urls = [f"http://{nodeconf.endpoint(path.vip, path.web_port)}/small.bin" for path in paths]
    sizes = [run(*in_namespace(lab.names.of("client"), "curl", "-sf", "-m", "5", "-o", "/dev/null",
                               "-w", "%{size_download}", url), check=False) for url in urls]
    return len(sizes) == 4 and all(size == "4096" for size in sizes)


def check_ipv6(lab: Lab) -> None:
    """The endpoints have it, and the nodes' kernels do not know of it."""
    run(*in_namespace(lab.names.of("server"), "curl", "-sf", "-m", "5", "-o", "/dev/null",
                      f"http://[{topology.SERVER_ADDRESS6}]/small.bin"))
    for node in topology.NODES:
        found = run("ip", "-n", lab.names.of(node), "-6", "address").strip()
        check(not found, f"node {node}'s kernel has IPv6 addresses: {found}")


def check_gone(lab: Lab) -> None:
    check(not lab.names.existing(), f"namespaces left: {lab.names.existing()}")
    for path in (lab.directory, lab.data):
        check(not path.exists(), f"{path} left")


def test(arguments: argparse.Namespace) -> str:
    with labtest.laboratory(arguments) as first:
        with labtest.laboratory(arguments, name="hft2") as second:
            check(fetch(first) and fetch(second), "two labs at once: no answer through one of them")
            labtest.check_nodes_have_no_sockets(first)
            check_ipv6(first)
            try:
                second.up(second.options()[0])
                raise labtest.Failure("up on a lab that is up was not refused")
            except LabError as error:
                check("scripts/lab down" in str(error), f"the refusal does not say what to do: {error}")
        check_gone(second)

        victim = first.active() or "a"
        home = first.directory / f"node-{victim}"
        first.kill(victim, signal.SIGSTOP)
        check(home.exists(), "SIGSTOP removed the node's directory")
        first.kill(victim)
        check(not home.exists(), f"{home} outlived its node")
        first.wait_active(topology.other(victim))
        check(fetch(first), "no answer after a kill")
        labtest.rejoin(first, victim)
        first.kill(victim, signal.SIGTERM)
        check(not home.exists(), f"{home} outlived its node's clean stop")
    check_gone(first)
    first.down()
    return "two labs at once, no kernel socket in a node, kills and down leave nothing behind"


if __name__ == "__main__":
    labtest.main(test, labtest.parser(__doc__))
