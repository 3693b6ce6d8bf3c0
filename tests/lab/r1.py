#!/usr/bin/env python3
"""R1 from outside, and that its checker would notice.

A run with gate peer and a takeover passes; the same captures with one ACK raised by one byte fail; a run with gate
none fails.
"""

from __future__ import annotations

import argparse
import time

import labtest
from labtest import check
from labkit.lab import Lab
from labkit.traffic import Workload


def traffic(lab: Lab, sessions: int, seconds: float, kill: bool) -> None:
    with Workload(lab, labtest.mixed(sessions), interval_s=0.05) as workload:
        workload.wait_open()
        time.sleep(seconds / 2)
        if kill:
            labtest.kill_active(lab)
        time.sleep(seconds / 2)
        if kill or lab.active():
            labtest.check_sessions(workload.finish())


def test(arguments: argparse.Namespace) -> str:
    with labtest.laboratory(arguments) as lab:
        with labtest.captured(lab) as directory:
            traffic(lab, arguments.sessions, arguments.seconds, kill=True)
        verdict = labtest.check_r1(directory)
        labtest.r1_check(directory, "--corrupt", str(directory / "corrupt.pcap"))
        corrupt = labtest.r1_check(directory, "--no-reports", client="corrupt.pcap")
        check(corrupt["violations"] == 1, f"one ACK raised by one byte: the checker found {corrupt['violations']}")
    with labtest.laboratory(arguments, gate="none") as lab:
        with labtest.captured(lab) as directory:
            traffic(lab, arguments.sessions, arguments.seconds, kill=False)
        none = labtest.r1_check(directory)
        check(none["violations"] > 0, "a run with gate none passed: the checker sees nothing, or the gate is ignored")
    return (f"{verdict['acks']} ACKs checked, peak withheld {verdict['peak_withheld']} bytes; one raised ACK was found; "
            f"gate none: {none['violations']} violations in {none['acks']} ACKs")


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--sessions", type=int, default=50)
    options.add_argument("--seconds", type=float, default=10)
    labtest.main(test, options)
