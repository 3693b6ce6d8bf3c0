#!/usr/bin/env python3
"""Kill the active node again and again while mixed sessions run: no reset, no wrong byte, and R1 at both ends.

A kill counts only if bytes were in flight both ways at that moment, by the captures. Kills that do not count are
repeated.
"""

from __future__ import annotations

import argparse
import random
import time

import labtest
from labtest import Failure, Takeover, check
from labkit.lab import Lab
from labkit.traffic import Workload
from labkit.wire import Wire

_ROUNDS = 8  # rounds for making up for kills that did not count


def one_round(lab: Lab, kills: int, sessions: int) -> tuple[int, list[Takeover], float, dict]:
    """Some kills under one workload and one capture; how many counted."""
    takeovers: list[Takeover] = []
    with labtest.captured(lab) as directory, Workload(lab, labtest.mixed(sessions)) as workload:
        workload.wait_open()
        for _ in range(kills):
            time.sleep(random.uniform(1, 2))
            takeovers.append(labtest.kill_active(lab))
            time.sleep(1)
            labtest.rejoin(lab, takeovers[-1].victim)
            check(workload.total("failed") == 0, f"{workload.total('failed')} sessions failed: {workload.progress}")
        reports = workload.finish()
    labtest.check_sessions(reports)
    moments = [option for each in takeovers for option in ("--at", f"{each.at:.6f}")]
    verdict = labtest.check_r1(directory, *moments)
    labtest.check_no_reneging(lab, verdict)
    counted = sum(each["client_bytes"] > 0 and each["server_bytes"] > 0 for each in verdict["moments"])
    return counted, takeovers, labtest.longest_pause_ms(reports), verdict


def test(arguments: argparse.Namespace) -> str:
    counted, takeovers, pause_ms, acks, withheld = 0, [], 0.0, 0, 0
    with labtest.laboratory(arguments) as lab:
        if arguments.loss or arguments.delay:
            for endpoint in ("client", "server"):
                Wire(lab, endpoint).set({"loss": arguments.loss, "delay": arguments.delay})
        for _ in range(_ROUNDS):
            good, more, pause, verdict = one_round(lab, arguments.kills - counted, arguments.sessions)
            counted, takeovers, pause_ms = counted + good, takeovers + more, max(pause_ms, pause)
            acks, withheld = acks + verdict["acks"], max(withheld, verdict["peak_withheld"])
            if counted >= arguments.kills:
                break
        else:
            raise Failure(f"only {counted} of {len(takeovers)} kills met bytes in flight both ways")
        labtest.check_nodes_have_no_sockets(lab)
    return (f"{counted} kills counted of {len(takeovers)}, {arguments.sessions} sessions, no reset, no wrong byte; "
            f"longest pause {pause_ms:.0f} ms, takeover within {max(each.takeover_ms for each in takeovers):.1f} ms; "
            f"R1: {acks} ACKs checked, peak withheld {withheld} bytes")


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--loss", type=float, default=0, metavar="P", help="percent of frames, at either end, each way")
    options.add_argument("--delay", type=float, default=0, metavar="MS", help="one way, at either end")
    options.add_argument("--sessions", type=int, default=100)
    labtest.main(test, options)
