"""What the server and the client of the workload do alike: send and receive seeded bytes, and time the pauses."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator

from seeded import Stream, Verifier

CHUNK = 16 * 1024
_SO_MAX_PACING_RATE = 47
_NOTSENT_LOWAT = 32 * 1024


class Pauses:
    """The longest time between two signs of progress while progress was due."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._since: float | None = None

    def due(self) -> None:
        self._since = time.monotonic()

    def progress(self) -> None:
        now = time.monotonic()
        if self._since is not None:
            self.longest_s = max(self.longest_s, now - self._since)
        self._since = now

    def done(self) -> None:
        self.progress()
        self._since = None


def prepare(writer: asyncio.StreamWriter, rate: int = 0) -> None:
    """Small messages leave at once; a stream is spread evenly, so that it has bytes in flight at any moment."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _NOTSENT_LOWAT)
    if rate:
        sock.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, rate)
    writer.transport.set_write_buffer_limits(high=CHUNK)


async def send(writer: asyncio.StreamWriter, stream: Stream, until: asyncio.Event,
               limit: int | None = None) -> AsyncIterator[int]:
    """Send seeded bytes until told to stop, or up to a limit; yields how many were sent so far."""
    sent = 0
    while not until.is_set() and (limit is None or sent < limit):
        length = CHUNK if limit is None else min(CHUNK, limit - sent)
        writer.write(stream.at(sent, length))
        sent += length
        await writer.drain()
        await asyncio.sleep(0)  # drain() does not yield while there is room: others must have their turn
        yield sent


async def receive(reader: asyncio.StreamReader, verifier: Verifier, pauses: Pauses) -> None:
    """Receive and compare until the other end shuts its side."""
    pauses.due()
    while data := await reader.read(4 * CHUNK):
        pauses.progress()
        verifier.take(data)
    pauses.done()
