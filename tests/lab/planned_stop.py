#!/usr/bin/env python3
"""Stop the active node as an administrator does (SIGTERM): it resigns, and the standby goes on at once.

A planned stop costs no detection time: the successor is active within a fraction of the lease, and says why.
"""

from __future__ import annotations

import argparse
import signal
import time

import labtest
from labtest import check
from labkit.traffic import Workload


def test(arguments: argparse.Namespace) -> str:
    with labtest.laboratory(arguments) as lab:
        with labtest.captured(lab) as directory, Workload(lab, labtest.mixed(arguments.sessions)) as workload:
            workload.wait_open()
            bound_ms = lab.status("a").get("detection_ms")
            for _ in range(arguments.stops):
                time.sleep(1)
                stopped = labtest.kill_active(lab, signal.SIGTERM)
                text = lab.log_tail(stopped.victim, 40)
                check("resigned term" in text, f"node {stopped.victim} did not resign:\n{text}")
                check("mbufs still in use: mirror 0, client 0, server 0" in text, f"mbufs are missing:\n{text}")
                takeover = [each["text"] for each in lab.ask(stopped.survivor, "events") if each["event"] == "takeover"]
                check(takeover and "resigned" in takeover[-1], f"node {stopped.survivor} took over because: {takeover}")
                time.sleep(1)
                labtest.rejoin(lab, stopped.victim)
            reports = workload.finish()
        labtest.check_sessions(reports)
        labtest.check_r1(directory)
    pause = labtest.longest_pause_ms(reports)
    return (f"{arguments.stops} planned stops, {len(reports)} sessions unharmed, longest pause {pause:.0f} ms "
            f"(detection alone may take {bound_ms} ms)")


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--sessions", type=int, default=50)
    options.add_argument("--stops", type=int, default=2)
    labtest.main(test, options)
