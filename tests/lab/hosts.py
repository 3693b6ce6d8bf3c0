#!/usr/bin/env python3
"""Gate host and standby: Linux clients upload to a process beside each node that writes files and confirms what is durable, and
others talk to one that echoes.

The processes are killed again and again, are stopped for longer than host_timeout_ms, and then the active node is killed. While
they are dead no kernel is told that another byte was acknowledged; what was acknowledged is in the files; and in the end each
file holds every byte of its client, at its place, and every byte of every echo was right.
"""

from __future__ import annotations

import argparse
import random
import signal
import socket
import struct
import threading
import time
from pathlib import Path

import labtest
from applications import Session
from labtest import check
from labkit import nodeconf, topology
from labkit.lab import Lab

_PORT = 8009
_SINK, _ECHO = "net_memif1", "net_memif2"
_BYTES_ACKED = 120  # of struct tcp_info
_ATTACH_S = 15


def settings() -> nodeconf.Table:
    def service(name: str, vip: str, device: str) -> nodeconf.Table:
        return {"name": name, "address": nodeconf.endpoint(vip, _PORT), "gate": ["host", "standby"], "host": device}

    return {"service": [service("sink", topology.VIP, _SINK), service("echo", topology.VIP6, _ECHO)]}


def connect(lab: Lab, vip: str) -> socket.socket:
    client = labtest.socket_in(lab.names.of("client"), socket.AF_INET6 if ":" in vip else socket.AF_INET)
    client.settimeout(60)
    client.connect((vip, _PORT))
    return client


class Upload(threading.Thread):
    """Sends bytes until it is stopped, then its end, and waits for the other one's."""

    def __init__(self, lab: Lab, seed: int) -> None:
        super().__init__(daemon=True)
        self.connection = connect(lab, topology.VIP)
        self.name = "{}:{}".format(*self.connection.getsockname())
        self.random = random.Random(seed)
        self.sent = bytearray()
        self.stopped = threading.Event()
        self.failure: str | None = None

    def run(self) -> None:
        try:
            while not self.stopped.is_set():
                more = self.random.randbytes(self.random.choice((1, 700, 4000, 12_000)))
                self.sent += more
                self.connection.sendall(more)
                time.sleep(0.02)
            self.connection.shutdown(socket.SHUT_WR)
            if rest := self.connection.recv(1):
                self.failure = f"{rest!r} came, and nothing should"
        except OSError as error:
            self.failure = f"after {len(self.sent)} bytes: {error or type(error).__name__}"

    def acknowledged(self) -> int:
        """The kernel's own count."""
        info = self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return struct.unpack_from("Q", info, _BYTES_ACKED)[0]


class Beside:
    """A process beside a node."""

    def __init__(self, lab: Lab, node: str, program: str, device: str, *arguments: str) -> None:
        self.lab, self.name = lab, f"{program}-{node}"
        path = nodeconf.host_socket(lab.directory, node, device)
        self.argv = [str(lab.build_directory / "engine" / program), str(path), *arguments]
        self.start()

    def start(self) -> None:
        self.process = self.lab.processes.spawn(self.name, self.argv, self.lab.logs / f"{self.name}.log",
                                                env={"RUNTIME_DIRECTORY": str(self.lab.directory)})

    def kill(self) -> None:
        self.process.signal(signal.SIGKILL)
        check(self.process.wait(5), f"{self.name} does not die")


def counter(lab: Lab, node: str, name: str) -> int:
    return next(row["value"] for row in lab.ask(node, "counters") if row["module"] == "host" and row["name"] == name)


def wait_for(lab: Lab, node: str, name: str, at_least: int) -> None:
    end = time.monotonic() + _ATTACH_S
    while counter(lab, node, name) < at_least:
        check(time.monotonic() < end, f"node {node}: counter host.{name} does not reach {at_least}")
        time.sleep(0.02)


def check_nothing_acknowledged(uploads: list[Upload]) -> None:
    """Nobody is there to confirm."""
    time.sleep(0.1)  # for ACKs on their way
    before = [upload.acknowledged() for upload in uploads]
    time.sleep(0.7)
    after = [upload.acknowledged() for upload in uploads]
    check(before == after, f"acknowledged while the process was dead: {[b - a for a, b in zip(before, after) if a != b]} bytes")


def check_durable(uploads: list[Upload], directory: Path) -> None:
    """What a kernel knows to be acknowledged is in the file. Linux counts the SYN."""
    for upload in uploads:
        acknowledged = upload.acknowledged() - 1
        path = directory / upload.name
        size = path.stat().st_size if path.exists() else 0
        check(acknowledged <= size, f"{upload.name}: {acknowledged} bytes are acknowledged and {size} in the file")


def kill_all(lab: Lab, node: str, processes: list[Beside], uploads: list[Upload], directory: Path) -> None:
    attached, lost = counter(lab, node, "attached"), counter(lab, node, "lost_link")
    for process in processes:
        process.kill()
    wait_for(lab, node, "lost_link", lost + len(processes))
    check_durable(uploads, directory)
    check_nothing_acknowledged(uploads)
    for process in processes:
        process.start()
    wait_for(lab, node, "attached", attached + len(processes))


def stop_all(lab: Lab, node: str, processes: list[Beside], uploads: list[Upload]) -> None:
    attached, lost = counter(lab, node, "attached"), counter(lab, node, "lost_silent")
    for each in processes:
        each.process.signal(signal.SIGSTOP)
    wait_for(lab, node, "lost_silent", lost + len(processes))
    check_nothing_acknowledged(uploads)
    for each in processes:
        each.process.signal(signal.SIGCONT)
    wait_for(lab, node, "attached", attached + len(processes))


def check_moves(uploads: list[Upload]) -> None:
    """Every client is acknowledged more."""
    before = [upload.acknowledged() for upload in uploads]
    end = time.monotonic() + 20
    while any(upload.acknowledged() <= was for upload, was in zip(uploads, before)):
        check(time.monotonic() < end, "uploads do not go on")
        time.sleep(0.1)


def check_events(lab: Lab, node: str) -> None:
    kinds = {row["event"] for row in lab.ask(node, "events")}
    for kind in ("host_attached", "host_lost"):
        check(kind in kinds, f"node {node} tells no event {kind}")


def check_files(uploads: list[Upload], directory: Path) -> None:
    for upload in uploads:
        check((directory / upload.name).read_bytes() == upload.sent, f"{upload.name}: the file is not what was sent")


def check_stop(lab: Lab, node: str) -> None:
    """Nothing that a process said was refused, and a node that stops has all its mbufs (R6)."""
    for name in ("frames_malformed", "confirms_refused", "hellos_refused"):
        check(counter(lab, node, name) == 0, f"node {node}: counter host.{name} is {counter(lab, node, name)}")
    lab.kill(node, signal.SIGTERM)
    check("mbufs still in use: mirror 0, client 0, server 0, host0 0, host1 0" in lab.log_of(node).read_text(),
          f"mbufs of node {node} are missing")


def end_all(sessions: list[Upload | Session]) -> None:
    for session in sessions:
        session.stopped.set()
    for session in sessions:
        session.join(90)
    failures = [f"{s.name}: {s.failure or 'does not end'}" for s in sessions if s.failure or s.is_alive()]
    check(not failures, f"{len(failures)} of {len(sessions)} sessions failed:\n  " + "\n  ".join(failures[:10]))


def test(arguments: argparse.Namespace) -> str:
    with labtest.laboratory(arguments, extra=settings()) as lab:
        directory = lab.data / "sink"
        directory.mkdir(parents=True)
        beside = {node: [Beside(lab, node, "host_sink", _SINK, str(directory)), Beside(lab, node, "host_echo", _ECHO)]
                  for node in topology.NODES}
        for node in topology.NODES:
            wait_for(lab, node, "attached", 2)
        uploads = [Upload(lab, seed) for seed in range(arguments.sessions)]
        echoes = [Session(connect(lab, topology.VIP6), seed) for seed in range(arguments.echoes)]
        for session in uploads + echoes:
            session.start()
        active = lab.active()
        for _ in range(arguments.kills):
            check_moves(uploads)
            kill_all(lab, active, beside[active], uploads, directory)
        check_moves(uploads)
        stop_all(lab, active, beside[active], uploads)
        check_moves(uploads)
        check_events(lab, active)
        again = counter(lab, active, "bytes_again")
        takeover = labtest.kill_active(lab)
        check_durable(uploads, directory)
        labtest.rejoin(lab, takeover.victim)
        check_moves(uploads)
        check_durable(uploads, directory)
        wait_for(lab, takeover.victim, "attached", 2)
        end_all(uploads + echoes)
        check_files(uploads, directory)
        labtest.check_nodes_have_no_sockets(lab)
        check_stop(lab, takeover.survivor)
    size, messages = sum(len(upload.sent) for upload in uploads), sum(echo.messages for echo in echoes)
    return (f"{size} bytes of {len(uploads)} uploads are in their files, each at its place, and {messages} messages of {len(echoes)} "
            f"sessions came back right, across {arguments.kills} SIGKILLs of the processes, a SIGSTOP and a SIGKILL of their node; "
            f"{again} bytes went to a process twice")


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--sessions", type=int, default=20)
    options.add_argument("--echoes", type=int, default=6, help="sessions of the echo")
    options.add_argument("--kills", type=int, default=5, help="of the processes")
    labtest.main(test, options)
