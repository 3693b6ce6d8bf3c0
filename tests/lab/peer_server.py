#!/usr/bin/env python3
"""The TCP server of the lab's workload, beside nginx.

A client says on the first line of a connection what it wants, as `MODE key=value ...`:

    echo                     every byte comes back, until the client shuts its side
    sink   token seed        the client sends seeded bytes, which are checked; the answer to its end is one line of
                             JSON. stall_at=BYTES stall_s=S: stop reading there, for that long. fin=1: the server
                             shuts its own side first, and the answer is fetched by `result`
    source token seed        the server sends seeded bytes; rate=BYTES_PER_S; bytes=N, or until `finish`
    both   token seed        sink and source at once; the source's seed is seed + 1
    finish token             ends the source of that token
    result token             one line of JSON on the sink of that token
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
import sys

sys.dont_write_bytecode = True

import streaming  # noqa: E402
from seeded import Stream, Verifier  # noqa: E402

Words = dict[str, str]


class PeerServer:
    def __init__(self) -> None:
        self._results: dict[str, dict] = {}
        self._finish: dict[str, asyncio.Event] = {}
        self._modes = {"echo": self._echo, "sink": self._sink, "source": self._source, "both": self._both,
                       "finish": self._end_source, "result": self._result}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        token = ""
        try:
            mode, *pairs = (await reader.readline()).decode().split()
            words = dict(pair.split("=", 1) for pair in pairs)
            token = words.get("token", "")
            streaming.prepare(writer, int(words.get("rate", 0)))
            await self._modes[mode](words, reader, writer)
            writer.close()
            await writer.wait_closed()
        except (OSError, ValueError, KeyError) as error:
            if token:
                self._results.setdefault(token, {})["failure"] = f"server: {error or type(error).__name__}"
            writer.transport.abort()

    async def _echo(self, _words: Words, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(streaming.CHUNK):
            writer.write(data)
            await writer.drain()

    async def _sink(self, words: Words, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if words.get("fin"):
            writer.write(b"ok\n")
            writer.write_eof()
        result = await self._take(words, reader)
        if not words.get("fin"):
            writer.write(json.dumps(result).encode() + b"\n")

    async def _source(self, words: Words, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._give(words, int(words["seed"]), writer)

    async def _both(self, words: Words, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.gather(self._take(words, reader), self._give(words, int(words["seed"]) + 1, writer))

    async def _end_source(self, words: Words, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._event(words["token"]).set()
        writer.write(b"ok\n")

    async def _result(self, words: Words, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(json.dumps(self._results.get(words["token"], {})).encode() + b"\n")

    async def _take(self, words: Words, reader: asyncio.StreamReader) -> dict:
        verifier = Verifier(Stream(int(words["seed"])))
        pauses = streaming.Pauses()
        result = self._results[words["token"]] = {"ended": False}
        if "stall_at" in words:
            while verifier.offset < int(words["stall_at"]):
                verifier.take(await reader.read(1024))
            await asyncio.sleep(float(words["stall_s"]))
        await streaming.receive(reader, verifier, pauses)
        result.update(ended=True, received=verifier.offset, wrong_at=verifier.wrong_at,
                      longest_pause_s=pauses.longest_s)
        return result

    async def _give(self, words: Words, seed: int, writer: asyncio.StreamWriter) -> None:
        limit = int(words["bytes"]) if "bytes" in words else None
        async for _ in streaming.send(writer, Stream(seed), self._event(words["token"]), limit):
            pass
        if writer.can_write_eof():
            writer.write_eof()

    def _event(self, token: str) -> asyncio.Event:
        return self._finish.setdefault(token, asyncio.Event())


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", nargs="+", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ready", type=Path, required=True, help="made once the server listens")
    arguments = parser.parse_args()
    server = await asyncio.start_server(PeerServer().serve, arguments.address, arguments.port, backlog=4096,
                                        limit=64 * 1024)
    arguments.ready.touch()
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
