#!/usr/bin/env python3
"""The endpoints of part f, on Linux sockets; one process each.

    endpoint.py serve ADDRESS SINK_PORT ECHO_PORT     servers: one reads and says nothing, one says all of it back
    endpoint.py upload ADDRESS PORT SECONDS           writes as fast as it can, and reads what comes back
    endpoint.py exchange ADDRESS PORT SECONDS [--answered]   one small message at a time

A client prints what it found as JSON. When a byte was acknowledged the kernel says itself (SO_TIMESTAMPING).
"""

from __future__ import annotations

import argparse
import json
import select
import socket
import statistics
import struct
import sys
import threading
import time

_MESSAGE = bytes(64)
_BLOCK = 256 * 1024
_BYTES_ACKED = 120  # tcpi_bytes_acked in struct tcp_info (linux/tcp.h)
_SO_TIMESTAMPING = 37
# linux/net_tstamp.h: software timestamps of ACKs, without the data.
_TX_ACK, _SOFTWARE, _TSONLY = 1 << 9, 1 << 4, 1 << 11
_ANSWER_S = 5


def serve(address: str, sink_port: int, echo_port: int) -> None:
    threads = [threading.Thread(target=_accept, args=(address, port, talk)) for port, talk in ((sink_port, _sink), (echo_port, _echo))]
    for thread in threads:
        thread.start()


def _accept(address: str, port: int, talk) -> None:
    with socket.create_server((address, port), backlog=64) as listener:
        while True:
            threading.Thread(target=_talk, args=(listener.accept()[0], talk), daemon=True).start()


def _talk(connection: socket.socket, talk) -> None:
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            talk(connection)
        except OSError:
            pass  # a client that has measured enough resets


def _sink(connection: socket.socket) -> None:
    room = bytearray(_BLOCK)
    while connection.recv_into(room):
        pass


def _echo(connection: socket.socket) -> None:
    room = memoryview(bytearray(_BLOCK))
    while length := connection.recv_into(room):
        connection.sendall(room[:length])


def connect(address: str, port: int) -> socket.socket:
    """Its end is a RST: what is on its way then must not load the next measurement."""
    connection = socket.create_connection((address, port), timeout=_ANSWER_S)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def upload(address: str, port: int, seconds: float) -> dict[str, float]:
    with connect(address, port) as connection:
        connection.setblocking(False)
        block, room = bytes(_BLOCK), bytearray(_BLOCK)
        began = time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            readable, writable, _ = select.select([connection], [connection], [], began + seconds - now)
            if readable and not connection.recv_into(room):
                raise ConnectionError("closed by the other end")
            if writable:
                connection.send(block)
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return {"bits_per_second": struct.unpack_from("Q", info, _BYTES_ACKED)[0] * 8 / (time.monotonic() - began)}


def exchange(address: str, port: int, seconds: float, answered: bool) -> dict[str, dict[str, float]]:
    """Microseconds from the write until its bytes were acknowledged, and until the answer was read."""
    acknowledged: list[float] = []
    answers: list[float] = []
    with connect(address, port) as connection:
        connection.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, _TX_ACK | _SOFTWARE | _TSONLY)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.time_ns()
            connection.sendall(_MESSAGE)
            if answered:
                _receive_exactly(connection, len(_MESSAGE))
                answers.append((time.time_ns() - began) / 1e3)
            acknowledged.append((_acknowledged_at(connection) - began) / 1e3)
    return {"ack": _summary(acknowledged)} | ({"answer": _summary(answers)} if answered else {})


def _receive_exactly(connection: socket.socket, length: int) -> None:
    while length:
        part = connection.recv(length)
        if not part:
            raise ConnectionError("closed by the other end")
        length -= len(part)


def _acknowledged_at(connection: socket.socket) -> int:
    """Waits until the last byte written was acknowledged; the kernel's time of it, in ns since the epoch."""
    poller = select.poll()
    poller.register(connection, 0)  # POLLERR comes unasked
    if not poller.poll(_ANSWER_S * 1000):
        raise TimeoutError(f"not acknowledged within {_ANSWER_S} s")
    _, control, _, _ = connection.recvmsg(0, 512, socket.MSG_ERRQUEUE)
    stamp = next(data for level, kind, data in control if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPING))
    seconds, ns = struct.unpack_from("qq", stamp)
    return seconds * 1_000_000_000 + ns


def _summary(values: list[float]) -> dict[str, float]:
    return {"p50": statistics.median(values), "p99": sorted(values)[len(values) * 99 // 100], "count": len(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", choices=("serve", "upload", "exchange"))
    parser.add_argument("address")
    parser.add_argument("numbers", nargs="+", type=float)
    parser.add_argument("--answered", action="store_true", help="exchange: each message is answered by as many bytes")
    arguments = parser.parse_args()
    port, last = int(arguments.numbers[0]), arguments.numbers[1]
    if arguments.role == "serve":
        return serve(arguments.address, port, int(last))
    try:
        found = upload(arguments.address, port, last) if arguments.role == "upload" else \
            exchange(arguments.address, port, last, arguments.answered)
    except OSError as error:
        sys.exit(f"{arguments.role}: {error or type(error).__name__}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
