#!/usr/bin/env python3
"""An application from a shared library crashes on the active node: its last word names the service, and everybody goes on.

The client whose bytes brought the crash gets its answer from the other node; so do clients of another service meanwhile.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import applications
import labtest
from labtest import check
from labkit import nodeconf, topology

_PORT = 8008
_BUILD = Path(os.environ.get("HOLDFAST_BUILD", Path(__file__).resolve().parents[2] / "build")).resolve()


def settings() -> nodeconf.Table:
    crasher = {"name": "crasher", "address": nodeconf.endpoint(topology.VIP, _PORT), "gate": ["app", "standby"],
               "application_library": str(_BUILD / "tests/lab/libcrasher.so")}
    return {"service": [*applications.settings()["service"], crasher]}


def test(arguments: argparse.Namespace) -> str:
    with labtest.laboratory(arguments, extra=settings()) as lab:
        sessions = [applications.Session(applications.connect(lab, topology.VIP), n) for n in range(arguments.sessions)]
        for session in sessions:
            session.start()
        fatal = applications.connect(lab, topology.VIP, _PORT)
        fatal.sendall(b"hello")
        check(labtest.receive_exactly(fatal, 5) == b"hello", "wrong bytes")
        token = lab.data / "crash-token"
        token.touch()
        word = f"crash {token}".encode()
        victim = lab.active()
        assert victim is not None
        fatal.sendall(word)
        began = time.monotonic()
        lab.wait_active(topology.other(victim))
        took = time.monotonic() - began
        wanted = "SIGABRT on the application core, in the application of service crasher"
        check(wanted in lab.log_of(victim).read_text(), f"the log of node {victim} does not say: {wanted}")
        labtest.rejoin(lab, victim)
        check(labtest.receive_exactly(fatal, len(word)) == word, "wrong bytes")
        time.sleep(1)
        for session in sessions:
            session.stopped.set()
        for session in sessions:
            session.join(60)
        failures = [s.failure or "does not end" for s in sessions if s.failure or s.is_alive()]
        check(not failures, f"{len(failures)} of {len(sessions)} sessions failed: {failures[:5]}")
    return f"the other node was active after {took:.2f} s, {len(sessions)} sessions of another application and the fatal one went on"


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--sessions", type=int, default=5)
    labtest.main(test, options)
