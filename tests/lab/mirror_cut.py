#!/usr/bin/env python3
"""The mirror link is cut for a while and plugged in again: sessions go on, both nodes say so, and the pair is whole again.

The proof that it is whole: the active node is killed afterwards, and no session notices.
"""

from __future__ import annotations

import argparse
import time

import labtest
from labtest import check
from labkit import topology
from labkit.lab import Lab
from labkit.traffic import Workload, start_peer_server

_NOTICE_S = 10
_RECOVER_S = 20


def cut_and_plug(lab: Lab, mix: dict[str, int], cut_s: float) -> float:
    """Seconds from plugging the link in until the pair was whole."""
    with Workload(lab, mix) as workload:
        workload.wait_open()
        active = lab.active() or "a"
        standby = topology.other(active)
        lab.link(standby, "mirror", up=False)
        newcomer = labtest.open_echo(lab)  # a session that nobody can store
        deadline = time.monotonic() + _NOTICE_S
        while lab.status(active).state != "solo" or lab.status(standby).state == "ready":
            check(time.monotonic() < deadline, f"{_NOTICE_S} s after the cut: node {active} says "
                  f"{lab.status(active).state}, node {standby} says {lab.status(standby).state}")
            time.sleep(0.2)
        time.sleep(cut_s)
        lab.link(standby, "mirror", up=True)
        began = time.monotonic()
        lab.wait_ready(timeout_s=_RECOVER_S)
        recovered_s = time.monotonic() - began
        time.sleep(1)
        takeover = labtest.kill_active(lab)
        time.sleep(2)
        labtest.echo(newcomer, "a session opened while the mirror was cut")
        newcomer.close()
        labtest.check_sessions(workload.finish())
        labtest.rejoin(lab, takeover.victim)
    return recovered_s


def test(arguments: argparse.Namespace) -> str:
    with labtest.laboratory(arguments) as lab:
        start_peer_server(lab)
        busy_s = cut_and_plug(lab, labtest.mixed(arguments.sessions), arguments.cut)
        quiet_s = cut_and_plug(lab, {"idle": 5}, arguments.cut)
    return (f"mirror cut for {arguments.cut:g} s, ready again after {busy_s:.1f} s under load and {quiet_s:.1f} s in silence; "
            "kills after that were survived")


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--sessions", type=int, default=30)
    options.add_argument("--cut", type=float, default=3, help="seconds after both nodes have noticed")
    labtest.main(test, options)
