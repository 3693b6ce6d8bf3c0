#!/usr/bin/env python3
"""Sessions that say nothing through two takeovers are used again afterwards."""

from __future__ import annotations

import argparse
import time

import labtest
from labkit.traffic import start_peer_server


def test(arguments: argparse.Namespace) -> str:
    with labtest.laboratory(arguments) as lab:
        start_peer_server(lab)
        connections = [labtest.open_echo(lab) for _ in range(arguments.sessions)]
        for _ in range(2):
            time.sleep(arguments.idle)
            takeover = labtest.kill_active(lab)
            labtest.rejoin(lab, takeover.victim)
        time.sleep(arguments.idle)
        for number, connection in enumerate(connections):
            labtest.echo(connection, f"idle session {number} after two takeovers")
            connection.close()
        labtest.check_no_reneging(lab)
    return f"{arguments.sessions} idle sessions used again after two takeovers"


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--sessions", type=int, default=20)
    options.add_argument("--idle", type=float, default=3, help="seconds of silence around each kill")
    labtest.main(test, options)
