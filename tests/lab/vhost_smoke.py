#!/usr/bin/env python3
"""The mirror link over vhost-user: net_virtio_user and net_vhost in two processes, checksum offload and MULTI_SEGS on.

Sessions run while the mirror fills the standby. First the node with virtio_user dies, and the link must come back with
it. Then the other one, active by now, dies, and every session goes on from what came over that link: a record with one
wrong byte would break it. The link stays down then: virtio_user of DPDK 22.11 with one queue pair does not enable its
rings again for a new vhost.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import labtest
from labtest import Failure, check
from labkit import nodeconf
from labkit.lab import Lab
from labkit.traffic import Workload

_DEVICES = {"a": "net_virtio_user0", "b": "net_vhost0"}
_FAULTS = ("bad_ip_checksum", "bad_tcp_checksum", "bad_ip_header", "bad_tcp_header", "chained", "too_short")


def _vdev(node: str, socket: Path) -> str:
    """virtio_user listens, and waits in its start for the other node."""
    if node == "a":
        return f"{_DEVICES[node]},path={socket},server=1,queues=1,queue_size=1024,mac=02:00:00:00:03:02"
    return f"{_DEVICES[node]},iface={socket},client=1,queues=1"


@contextlib.contextmanager
def _vhost_mirror() -> Iterator[None]:
    """Labs that are asked for a memif mirror, which needs no device of the kernel, get this one."""
    plain_settings, plain_options = nodeconf.settings, nodeconf.eal_options

    def settings(node: str, options: nodeconf.NodeOptions, home: Path) -> nodeconf.Table:
        table = plain_settings(node, options, home)
        table["port"]["mirror"]["device"] = _DEVICES[node]
        return table

    def eal_options(lab: str, node: str, options: nodeconf.NodeOptions, socket: Path) -> list[str]:
        argv = plain_options(lab, node, options, socket)
        return [_vdev(node, socket.with_name("vhost.sock")) if word.startswith("net_memif") else word for word in argv]

    nodeconf.settings, nodeconf.eal_options = settings, eal_options
    try:
        yield
    finally:
        nodeconf.settings, nodeconf.eal_options = plain_settings, plain_options


def _offloads(lab: Lab, node: str) -> str:
    """What the node's log says of its mirror port."""
    found = re.findall(rf"{_DEVICES[node]}.*offloads:(.*)", lab.log_of(node).read_text())
    check(found, f"node {node} says nothing of its mirror port")
    return found[-1].strip()


def _mirror_counters(lab: Lab, node: str) -> dict[str, int]:
    rows: list[dict[str, Any]] = lab.ask(node, "counters")
    return {f"{row['module']}.{row['name']}": row["value"] for row in rows if row["module"].startswith("mirror")}


def _check_counters(lab: Lab, node: str) -> dict[str, int]:
    counters = _mirror_counters(lab, node)
    faults = {name: counters[name] for name in (f"mirror.frame.{each}" for each in _FAULTS) if counters[name]}
    check(not faults, f"node {node} received bad frames on the mirror link: {faults}")
    return counters


def _make_active(lab: Lab, node: str) -> None:
    """Both start anew until `node` is active. virtio_user keeps what it sent for a while, net_vhost does not; and neither
    survives the death of the other's end in the wrong order."""
    for _ in range(8):
        if lab.active() == node:
            return
        for each in _DEVICES:
            lab.kill(each)
        for each in _DEVICES:
            lab.start(each)
        lab.wait_ready()
    raise Failure(f"node {node} did not become active in 8 starts")


def _pause_standby(lab: Lab) -> int:
    """Pause the standby for less than a lease while sessions open. The records are sent again meanwhile, and as the driver
    still holds their mbufs, as headers chained to the payload where it lies. How many were."""
    deadline = time.monotonic() + 30
    while (chained := _mirror_counters(lab, "a")["mirror.tcp.chained"]) == 0:
        check(time.monotonic() < deadline, "no segment was sent as a chain in 30 s of pauses")
        lab.kill("b", signal.SIGSTOP)
        # An Opened record is long enough to be worth a chain.
        openers = [threading.Thread(target=lambda: labtest.open_echo(lab).close()) for _ in range(5)]
        for each in openers:
            each.start()
        time.sleep(0.12)
        lab.kill("b", signal.SIGCONT)
        for each in openers:
            each.join()
    return chained


def test(arguments: argparse.Namespace) -> str:
    arguments.mirror = "memif"
    with _vhost_mirror(), labtest.laboratory(arguments) as lab:
        offloads = {node: _offloads(lab, node) for node in _DEVICES}
        for node, words in offloads.items():
            check("tx-tcp-checksum" in words and "multi-segs" in words,
                  f"the mirror port of node {node} offers only: {words}")
        _make_active(lab, "a")
        with Workload(lab, labtest.mixed(arguments.sessions)) as workload:
            chained = _pause_standby(lab)
            workload.wait_open()
            time.sleep(2)
            segments = 0
            for node in _DEVICES:
                segments += _check_counters(lab, node)["mirror.tcp.segments_received"]
            lab.kill("a")
            lab.wait_active("b")
            rejoin_s = labtest.rejoin(lab, "a")
            for node in _DEVICES:
                _check_counters(lab, node)
            takeover = labtest.kill_active(lab)
            check(takeover.victim == "b", f"node {takeover.victim} was active, not b")
            time.sleep(2)
            _check_counters(lab, "a")
            reports = workload.finish()
        labtest.check_sessions(reports)
    return (f"{segments} TCP segments over the link before the kills, {chained} and more of them chained mbufs, {len(reports)} sessions went on from them, "
            f"{sum(each.received for each in reports)} bytes verified; link back and in sync after {rejoin_s:.1f} s; "
            f"offloads: a {offloads['a']}, b {offloads['b']}")


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--sessions", type=int, default=40)
    labtest.main(test, options)
