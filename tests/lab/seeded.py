"""Byte streams that both ends know: the byte at an offset follows from the seed alone."""

from __future__ import annotations

import random

_PERIOD = 131_101  # a prime, so that no packet or window size hides a shift


class Stream:
    """Seeded bytes by offset."""

    def __init__(self, seed: int) -> None:
        block = random.Random(seed).randbytes(_PERIOD)
        self._twice = memoryview(block + block)

    def at(self, offset: int, length: int) -> memoryview:
        """Up to _PERIOD bytes from an offset."""
        assert length <= _PERIOD
        start = offset % _PERIOD
        return self._twice[start:start + length]


class Verifier:
    """Compares what arrives with what the stream holds at that place."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.offset = 0
        self.wrong_at: int | None = None

    def take(self, data: bytes) -> None:
        if self.wrong_at is None and self._stream.at(self.offset, len(data)) != data:
            expected = self._stream.at(self.offset, len(data))
            self.wrong_at = self.offset + next(i for i, byte in enumerate(data) if byte != expected[i])
        self.offset += len(data)
