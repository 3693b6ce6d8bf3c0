#!/usr/bin/env python3
"""The journal, gate app and standby, under Linux clients and SIGKILLs: what a client's kernel knows to be acknowledged
can be read back from the survivor's files, in order, complete, and once.

While writers write, the active is killed in turn with the node that came back. Right after each kill each writer's
kernel is asked how many bytes were acknowledged (TCP_INFO), and the survivor's files are read by holdfast-journal. In
the end every writer closes, waits for the journal's FIN, and both nodes' files must hold every stream whole.
"""

from __future__ import annotations

import argparse
import random
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import labtest
from labtest import check
from labkit import nodeconf, topology
from labkit.lab import Lab

PORT = 8009
_VIPS = (topology.VIP, topology.VIP6)
_BYTES_ACKED = 120  # tcpi_bytes_acked in struct tcp_info (linux/tcp.h)
_BLOCK = 8192


def directory(lab: Lab, node: str) -> Path:
    return lab.data / f"journal-{node}"


def settings(lab_data: Path, standby: str) -> nodeconf.Table:
    def service(name: str, vip: str) -> nodeconf.Table:
        return {"name": name, "address": nodeconf.endpoint(vip, PORT), "gate": ["app", "standby"], "application": "journal",
                "journal_dir": str(lab_data / "journal-{node}" / name), "journal_standby": standby}

    return {"service": [service("sink", topology.VIP), service("sink6", topology.VIP6)]}


class Stream:
    """Bytes that follow from a seed."""

    def __init__(self, seed: int) -> None:
        self._random, self._bytes = random.Random(seed), bytearray()

    def until(self, end: int) -> memoryview:
        while len(self._bytes) < end:
            self._bytes += self._random.randbytes(_BLOCK)
        return memoryview(self._bytes)[:end]


class Writer(threading.Thread):
    """Says a stream at some rate until it is stopped, then closes it and waits for the journal's FIN."""

    def __init__(self, connection: socket.socket, seed: int, rate: int) -> None:
        super().__init__(daemon=True)
        self.connection, self.stream, self.rate = connection, Stream(seed), rate
        self.name = connection.getsockname()[0] + ":" + str(connection.getsockname()[1])
        self.chance = random.Random(-seed)
        self.stopped = threading.Event()
        self.failure: str | None = None
        self.said = 0

    def run(self) -> None:
        try:
            while not self.stopped.is_set():
                size = self.chance.choice((1, 100, 1448, _BLOCK))
                piece = bytes(self.stream.until(self.said + size)[self.said:])
                self.connection.sendall(piece)
                self.said += size
                time.sleep(size / self.rate)
            self.connection.shutdown(socket.SHUT_WR)
            if rest := self.connection.recv(1):
                self.failure = f"{rest!r} came back from a journal"
        except OSError as error:
            self.failure = f"after {self.said} bytes: {error or type(error).__name__}"

    def acknowledged(self) -> int:
        """Bytes of the stream that this kernel knows to be acknowledged; its SYN is counted there, too."""
        info = self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 192)
        return max(0, struct.unpack_from("Q", info, _BYTES_ACKED)[0] - 1)


class Journal:
    """A node's files, as holdfast-journal reads them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sound = self._tool("verify").decode()
        rows = [line.split() for line in self._tool("list").decode().splitlines()[1:]]
        self.sessions = {row[1].replace("[", "").replace("]", ""): (int(row[0]), int(row[3]), row[4]) for row in rows}

    def _tool(self, command: str, *words: str) -> bytes:
        done = subprocess.run([labtest.build_directory() / "engine" / "holdfast-journal", command, self.path, *words],
                              capture_output=True)
        check(done.returncode == 0, f"holdfast-journal {command} {self.path}: {done.stderr.decode()}")
        return done.stdout

    def read(self, number: int) -> bytes:
        return self._tool("read", str(number))


def journals(lab: Lab, node: str) -> list[Journal]:
    return [Journal(directory(lab, node) / service) for service in ("sink", "sink6")]


def compare(writer: Writer, held: list[Journal], at_least: int, whole: bool) -> None:
    sessions = [(journal, *journal.sessions[writer.name]) for journal in held if writer.name in journal.sessions]
    check(len(sessions) == 1 or (not sessions and at_least == 0), f"{writer.name} is in {len(sessions)} sessions of the journal")
    for journal, number, size, state in sessions:
        held_bytes = journal.read(number)
        check(len(held_bytes) >= size, f"{writer.name}: list said {size} bytes, read gives {len(held_bytes)}")
        check(len(held_bytes) >= at_least,
              f"{writer.name}: {at_least} bytes were acknowledged, and the journal has {len(held_bytes)}")
        check(held_bytes == bytes(writer.stream.until(len(held_bytes))), f"{writer.name}: wrong bytes in the journal")
        if whole:
            check(size == writer.said and state == "ended", f"{writer.name}: {size} of {writer.said} bytes, {state}")


def connect(lab: Lab, vip: str) -> socket.socket:
    client = labtest.socket_in(lab.names.of("client"), socket.AF_INET6 if ":" in vip else socket.AF_INET)
    client.settimeout(60)
    client.connect((vip, PORT))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def counter(lab: Lab, node: str, name: str) -> int:
    return sum(row["value"] for row in lab.ask(node, "counters") if re.match(r"journal\.", row["module"]) and row["name"] == name)


def judge_kill(lab: Lab, writers: list[Writer], how: int) -> labtest.Takeover:
    takeover = labtest.kill_active(lab, how)
    # No standby is in sync: from here on nothing more is acknowledged, until one is.
    acknowledged = [writer.acknowledged() for writer in writers]
    held = journals(lab, takeover.survivor)
    for writer, at_least in zip(writers, acknowledged):
        compare(writer, held, at_least, whole=False)
    check(sum(acknowledged) > 0, "nothing was acknowledged before the kill: it shows nothing")
    return takeover


def test(arguments: argparse.Namespace) -> str:
    name = labtest.lab_name()
    data = Lab(name).data
    again = 0
    with labtest.laboratory(arguments, name=name, extra=settings(data, arguments.standby)) as lab:
        writers = [Writer(connect(lab, _VIPS[n % 2]), n, arguments.rate) for n in range(arguments.writers)]
        for writer in writers:
            writer.start()
        for _ in range(arguments.kills):
            time.sleep(arguments.seconds)
            takeover = judge_kill(lab, writers, signal.Signals["SIG" + arguments.signal])
            labtest.rejoin(lab, takeover.victim)
            check(counter(lab, takeover.victim, "set_aside") == 0,
                  "what a standby in sync did not have counts as acknowledged where it is cut")
            again += counter(lab, takeover.survivor, "held_again")
        time.sleep(arguments.seconds)
        for writer in writers:
            writer.stopped.set()
        for writer in writers:
            writer.join(60)
        failures = [f"{w.name}: {w.failure or 'does not end'}" for w in writers if w.failure or w.is_alive()]
        check(not failures, f"{len(failures)} of {len(writers)} writers failed:\n  " + "\n  ".join(failures[:10]))
        for node in topology.NODES:
            held = journals(lab, node)
            for writer in writers:
                compare(writer, held, writer.said, whole=True)
    size = sum(writer.said for writer in writers)
    return (f"{size} bytes of {len(writers)} writers across {arguments.kills} kills are whole and once in both nodes' journals; "
            f"after each kill the survivor had all that was acknowledged; {again} bytes came again and were there")


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--writers", type=int, default=20)
    options.add_argument("--kills", type=int, default=3)
    options.add_argument("--seconds", type=float, default=2, help="before and after each kill")
    options.add_argument("--rate", type=int, default=100_000, help="bytes per second of each writer")
    options.add_argument("--signal", choices=("KILL", "TERM"), default="KILL", help="TERM: planned stops")
    options.add_argument("--standby", choices=("memory", "durable"), default="memory", help="journal_standby")
    labtest.main(test, options)
