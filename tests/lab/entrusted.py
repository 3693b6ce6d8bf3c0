#!/usr/bin/env python3
"""Transfers both ways with gate "standby" alone, across kills of the active: every byte comes back, and nobody is reset.

What is acknowledged the far end need not have: when the active dies, the standby sends it from its memory.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import socket
import threading
import time

import labtest
from labtest import check
from labkit import nodeconf, topology
from labkit.lab import Lab
from labkit.traffic import start_peer_server

_PORT = nodeconf.PEER_PORT
_PIECE = 16 * 1024


def settings() -> nodeconf.Table:
    def service(name: str, vip: str, server: str) -> nodeconf.Table:
        return {"name": name, "address": nodeconf.endpoint(vip, _PORT), "backends": [nodeconf.endpoint(server, _PORT)],
                "gate": ["standby"], "mirror_payload": "all"}

    return {"service": [service("peer", topology.VIP, topology.SERVER_ADDRESS),
                        service("peer-66", topology.VIP6, topology.SERVER_ADDRESS6)]}


class Transfer:
    """Bytes to a server that sends them back, paced so that a transfer outlasts the kills."""

    def __init__(self, lab: Lab, number: int, size: int, pause: float) -> None:
        vip = (topology.VIP, topology.VIP6)[number % 2]
        self.connection = labtest.socket_in(lab.names.of("client"), socket.AF_INET6 if ":" in vip else socket.AF_INET)
        self.connection.settimeout(30)
        self.connection.connect((vip, _PORT))
        self.connection.sendall(b"echo\n")
        self.size, self.pause, self.failure = size, pause, ""
        self.sent, self.returned = hashlib.sha256(), hashlib.sha256()
        self.bytes = random.Random(number)
        self.threads = [threading.Thread(target=self.guarded, args=(work,), daemon=True) for work in (self.send, self.receive)]
        for thread in self.threads:
            thread.start()

    def guarded(self, work) -> None:
        try:
            work()
        except OSError as error:
            self.failure = self.failure or str(error) or type(error).__name__

    def send(self) -> None:
        for at in range(0, self.size, _PIECE):
            piece = self.bytes.randbytes(min(_PIECE, self.size - at))
            self.sent.update(piece)
            self.connection.sendall(piece)
            time.sleep(self.pause)

    def receive(self) -> None:
        left = self.size
        while left > 0:
            piece = self.connection.recv(min(left, 1 << 16))
            if not piece:
                raise OSError(f"the answer ended {left} bytes early")
            self.returned.update(piece)
            left -= len(piece)

    def finish(self) -> str:
        for thread in self.threads:
            thread.join(120)
        if any(thread.is_alive() for thread in self.threads):
            return "stands still"
        self.connection.close()
        return self.failure or ("" if self.sent.digest() == self.returned.digest() else "other bytes came back")


def test(arguments: argparse.Namespace) -> str:
    with labtest.laboratory(arguments, extra=settings()) as lab:
        start_peer_server(lab)
        size = arguments.kilobytes * 1024
        transfers = [Transfer(lab, n, size, 0.05) for n in range(arguments.sessions)]
        for _ in range(arguments.kills):
            time.sleep(1)
            victim = lab.active()
            check(victim, "no node is active")
            lab.kill(victim)
            lab.wait_active(topology.other(victim))
            labtest.rejoin(lab, victim)
        failures = [failure for failure in (transfer.finish() for transfer in transfers) if failure]
        check(not failures, f"{len(failures)} of {len(transfers)} transfers failed: {failures[:5]}")
        resumed, short = (sum(row["value"] for node in topology.NODES for row in lab.ask(node, "counters")
                              if row["name"] == name) for name in ("sessions_resumed", "sessions_stored_short"))
        check(resumed > 0, "no session was taken over while it was under way")
        check(short == 0, f"{short} sessions were reset")
        labtest.check_nodes_have_no_sockets(lab)
    return f"{arguments.sessions} transfers of {arguments.kilobytes} KiB there and back, {arguments.kills} kills; " \
           f"every byte came back"


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--sessions", type=int, default=8)
    options.add_argument("--kills", type=int, default=2)
    options.add_argument("--kilobytes", type=int, default=4096)
    labtest.main(test, options)
