#!/usr/bin/env python3
"""Echo on the appliance, gate app and standby, with Linux clients that check every byte of every reply across SIGKILLs.

After a kill the gate holds until the other node is back: what a client sends meanwhile stays unacknowledged in its kernel's
send queue, and goes when the standby is in sync.
"""

from __future__ import annotations

import argparse
import fcntl
import random
import socket
import struct
import termios
import threading
import time

import labtest
from labtest import check
from labkit import nodeconf, topology
from labkit.lab import Lab

_PORT = 8007
_VIPS = (topology.VIP, topology.VIP6)


def settings() -> nodeconf.Table:
    def service(name: str, vip: str) -> nodeconf.Table:
        return {"name": name, "address": nodeconf.endpoint(vip, _PORT), "gate": ["app", "standby"], "application": "echo"}

    return {"service": [service("echo", topology.VIP), service("echo6", topology.VIP6)]}


def connect(lab: Lab, vip: str, port: int = _PORT) -> socket.socket:
    client = labtest.socket_in(lab.names.of("client"), socket.AF_INET6 if ":" in vip else socket.AF_INET)
    client.settimeout(40)
    client.connect((vip, port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def unacknowledged(connection: socket.socket) -> int:
    """Bytes in the kernel's send queue: sent or not, the other end has not acknowledged them."""
    return struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0" * 4))[0]


class Session(threading.Thread):
    """Says messages of all sizes and compares each answer, until it is stopped."""

    def __init__(self, connection: socket.socket, seed: int) -> None:
        super().__init__(daemon=True)
        self.connection, self.random = connection, random.Random(seed)
        self.stopped = threading.Event()
        self.failure: str | None = None
        self.bytes = self.messages = 0
        self.longest_pause_s = 0.0

    def run(self) -> None:
        try:
            while not self.stopped.is_set():
                self.exchange()
            self.connection.shutdown(socket.SHUT_WR)
            if rest := self.connection.recv(1):
                self.failure = f"{rest!r} after the last answer"
        except (OSError, labtest.Failure) as error:
            self.failure = f"after {self.messages} messages: {error or type(error).__name__}"

    def exchange(self) -> None:
        message = self.random.randbytes(self.random.choice((1, 100, 1448, 5000, 20_000)))
        began = time.monotonic()
        self.connection.sendall(message)
        answer = labtest.receive_exactly(self.connection, len(message))
        self.longest_pause_s = max(self.longest_pause_s, time.monotonic() - began)
        if answer != message:
            raise labtest.Failure("wrong bytes")
        self.bytes += len(message)
        self.messages += 1
        time.sleep(0.02)


def check_held(lab: Lab, connection: socket.socket, node: str) -> None:
    """No standby: bytes stay with their sender."""
    connection.sendall(bytes(3000))
    for _ in range(5):
        time.sleep(0.1)
        queue = unacknowledged(connection)
        check(queue == 3000, f"{queue} of 3000 bytes are unacknowledged while no standby is in sync")
    waits = sum(row["value"] for row in lab.ask(node, "counters") if row["module"] == "app" and row["name"] == "gate_waits")
    check(waits > 0, "the node did not count that its gate waits")


def check_released(connection: socket.socket) -> None:
    check(labtest.receive_exactly(connection, 3000) == bytes(3000), "wrong bytes")
    end = time.monotonic() + 5
    while unacknowledged(connection) != 0:
        check(time.monotonic() < end, "the answer is here and the bytes are not acknowledged")
        time.sleep(0.05)


def test(arguments: argparse.Namespace) -> str:
    with labtest.laboratory(arguments, extra=settings()) as lab:
        sessions = [Session(connect(lab, _VIPS[n % 2]), n) for n in range(arguments.sessions)]
        held = connect(lab, topology.VIP)
        for session in sessions:
            session.start()
        for _ in range(arguments.kills):
            time.sleep(arguments.seconds)
            takeover = labtest.kill_active(lab)
            check_held(lab, held, takeover.survivor)
            labtest.rejoin(lab, takeover.victim)
            check_released(held)
        time.sleep(arguments.seconds)
        for session in sessions:
            session.stopped.set()
        for session in sessions:
            session.join(60)
        failures = [f"session {n}: {s.failure or 'does not end'}" for n, s in enumerate(sessions) if s.failure or s.is_alive()]
        check(not failures, f"{len(failures)} of {len(sessions)} sessions failed:\n  " + "\n  ".join(failures[:10]))
        labtest.check_nodes_have_no_sockets(lab)
    messages, size = sum(s.messages for s in sessions), sum(s.bytes for s in sessions)
    return (f"{messages} messages of {size} bytes on {len(sessions)} sessions came back right across {arguments.kills} kills; "
            f"longest pause {max(s.longest_pause_s for s in sessions):.1f} s, most of it until the other node was back")


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--sessions", type=int, default=20)
    options.add_argument("--kills", type=int, default=2)
    options.add_argument("--seconds", type=float, default=2, help="before and after each kill")
    labtest.main(test, options)
