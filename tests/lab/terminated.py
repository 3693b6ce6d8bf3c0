#!/usr/bin/env python3
"""Terminated means terminated: all sessions before a kill, and every quiescent one again within 5 s after it."""

from __future__ import annotations

import argparse
import socket
import time

import labtest
from labtest import check
from labkit import nodeconf
from labkit.lab import Lab, Status
from labkit.traffic import Workload, start_peer_server

_ANCHOR_S = 5


def share(status: Status) -> str:
    return (f"{status.get('sessions')} sessions, {status.get('sessions_terminated')} terminated, "
            f"{status.get('sessions_translated')} translated")


def all_terminated(status: Status, count: int) -> bool:
    """Sessions that are over but remembered (TIME-WAIT) are neither."""
    return status.get("sessions_terminated", 0) >= count and status.get("sessions_translated") == 0


def not_terminated(lab: Lab, node: str, connections: list[socket.socket]) -> list[object]:
    """The rows of those of our connections that the node does not serve with its own TCP, or does not know."""
    rows = {row["client"]: row for row in lab.ask(node, "sessions")}
    ours = [nodeconf.endpoint(*each.getsockname()[:2]) for each in connections]
    return [rows.get(client, f"{client} is unknown") for client in ours
            if rows.get(client, {}).get("mode") != "terminated"]


def test(arguments: argparse.Namespace) -> str:
    with labtest.laboratory(arguments) as lab:
        start_peer_server(lab)
        with Workload(lab, labtest.mixed(arguments.sessions)) as workload:
            workload.wait_open()
            time.sleep(2)
            before = lab.status(lab.active() or "a")
            check(all_terminated(before, arguments.sessions),
                  f"in normal operation, {arguments.sessions} sessions open: {share(before)}")
            labtest.check_sessions(workload.finish())

        quiescent = [labtest.open_echo(lab) for _ in range(arguments.sessions)]
        time.sleep(1)
        takeover = labtest.kill_active(lab)
        while late := not_terminated(lab, takeover.survivor, quiescent):
            check(time.time() < takeover.at + _ANCHOR_S,
                  f"{_ANCHOR_S} s after the kill {len(late)} of {len(quiescent)} quiescent sessions are not terminated:\n"
                  + "\n".join(map(str, late[:5])))
            time.sleep(0.1)
        anchored_s = time.time() - takeover.at
        for number, connection in enumerate(quiescent):
            labtest.echo(connection, f"session {number} after anchoring")
            connection.close()
    return (f"{share(before)} in normal operation; {len(quiescent)} quiescent sessions anchored "
            f"{anchored_s:.1f} s after the kill")


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--sessions", type=int, default=50)
    labtest.main(test, options)
