#!/usr/bin/env python3
"""The client of the lab's workload: many sessions of mixed kinds, every byte compared, every pause timed.

It prints a line of JSON twice a second, reads `stop` (or the end of its input), lets each session end in its own
way, and prints a last line with a report on every session.

    http           keep-alive requests to nginx: a small file, or an echo of what was sent
    echo           small messages to the peer server
    upload         seeded bytes to a sink, paced            download   the same from a source
    both           both directions at once
    idle           one exchange, silence, one exchange at the end
    client_closed  the client shuts its side, the server goes on sending
    server_closed  the server shuts its side, the client goes on sending
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.dont_write_bytecode = True

import streaming  # noqa: E402
from seeded import Stream, Verifier  # noqa: E402

_ANSWER_TIMEOUT_S = 60  # far beyond any takeover: a session that takes longer is stuck
_STREAM_RATE = 300_000  # bytes per second of each stream
_BOTH_RATE = 2_000_000  # so fast that at any moment one of a few such sessions has bytes in flight


class WrongBytes(Exception):
    pass


@dataclass
class Report:
    kind: str
    number: int
    local_port: int = 0
    open: bool = False  # connected, and one exchange or the first bytes were right
    sent: int = 0
    received: int = 0
    messages: int = 0
    longest_pause_s: float = 0.0
    failure: str | None = None
    failed_at: float | None = None


@dataclass(frozen=True)
class Targets:
    vip: str
    web_port: int
    peer_port: int
    small_file: bytes
    run_id: int  # makes tokens and seeds differ between runs against one server


class Session:
    """One connection and its report; each kind says what it does on it."""

    def __init__(self, number: int, targets: Targets, stop: asyncio.Event, interval_s: float) -> None:
        self.report = Report(type(self).kind, number)
        self.targets = targets
        self.stop = stop
        self.interval_s = interval_s
        self.seed = targets.run_id * 100_000 + 2 * number
        self.token = f"t{self.seed}"
        self.random = random.Random(self.seed)
        self.pauses = streaming.Pauses()

    async def run(self) -> None:
        try:
            await self.converse()
        except WrongBytes as error:
            self._fail(f"wrong bytes: {error}")
        except ConnectionRefusedError:
            self._fail("refused")
        except ConnectionResetError:
            self._fail("reset")
        except asyncio.IncompleteReadError:
            self._fail("closed early")
        except TimeoutError:
            self._fail("stuck")
        except OSError as error:
            self._fail(str(error))
        self.report.longest_pause_s = self.pauses.longest_s

    async def converse(self) -> None:
        raise NotImplementedError

    # ---- what the kinds are made of ------------------------------------------------------------------------

    async def connect(self, port: int, rate: int = 0) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.wait_for(asyncio.open_connection(self.targets.vip, port), _ANSWER_TIMEOUT_S)
        streaming.prepare(writer, rate)
        self.report.local_port = writer.get_extra_info("sockname")[1]
        return reader, writer

    async def connect_peer(self, mode: str, rate: int = 0, **words: object):
        reader, writer = await self.connect(self.targets.peer_port, rate)
        pairs = {"token": self.token, "seed": self.seed, "rate": rate, **words}
        writer.write((mode + "".join(f" {key}={value}" for key, value in pairs.items()) + "\n").encode())
        return reader, writer

    async def ask_peer(self, mode: str) -> str:
        """One request on a connection of its own."""
        reader, writer = await self.connect_peer(mode)
        answer = await asyncio.wait_for(reader.readline(), _ANSWER_TIMEOUT_S)
        writer.close()
        return answer.decode()

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes) -> None:
        """Send to an echo and compare what comes back."""
        self.pauses.due()
        writer.write(message)
        answer = await asyncio.wait_for(reader.readexactly(len(message)), _ANSWER_TIMEOUT_S)
        self.pauses.done()
        self.compare(answer, message)
        self.count(len(message), len(answer))

    async def upload(self, writer: asyncio.StreamWriter) -> None:
        async for sent in streaming.send(writer, Stream(self.seed), self.stop):
            self.report.sent = sent

    async def download(self, reader: asyncio.StreamReader, seed: int) -> None:
        verifier = _Watching(Stream(seed), self.report)
        await streaming.receive(reader, verifier, self.pauses)

    async def sink_result(self) -> str:
        """What the sink says, asked on another connection once it has seen the end."""
        deadline = time.monotonic() + _ANSWER_TIMEOUT_S
        while True:
            answer = await self.ask_peer("result")
            result = json.loads(answer or "{}")
            if result.get("ended") or result.get("failure") or time.monotonic() > deadline:
                return answer
            await asyncio.sleep(0.1)

    def check_sink(self, answer: str) -> None:
        result = json.loads(answer or "{}")
        if result.get("failure"):
            raise ConnectionResetError(result["failure"])
        if result.get("wrong_at") is not None or result.get("received") != self.report.sent:
            raise WrongBytes(f"sent {self.report.sent}, the server says {answer.strip()}")
        self.pauses.longest_s = max(self.pauses.longest_s, result["longest_pause_s"])

    def compare(self, got: bytes, expected: bytes) -> None:
        if got != expected:
            at = next((i for i, pair in enumerate(zip(got, expected)) if pair[0] != pair[1]), min(len(got), len(expected)))
            raise WrongBytes(f"message {self.report.messages}, {len(got)} bytes for {len(expected)}, differ at {at}")

    def count(self, sent: int, received: int) -> None:
        self.report.sent += sent
        self.report.received += received
        self.report.messages += 1
        self.report.open = True

    async def between_messages(self) -> None:
        """The pause a person or program makes; ends early when the run does."""
        try:
            await asyncio.wait_for(self.stop.wait(), self.interval_s * self.random.uniform(0.5, 1.5))
        except TimeoutError:
            pass

    def _fail(self, text: str) -> None:
        self.report.failure = text
        self.report.failed_at = time.time()


class _Watching(Verifier):
    """A verifier that keeps the report up to date and stops at the first wrong byte."""

    def __init__(self, stream: Stream, report: Report) -> None:
        super().__init__(stream)
        self._report = report

    def take(self, data: bytes) -> None:
        super().take(data)
        self._report.received = self.offset
        self._report.open = True
        if self.wrong_at is not None:
            raise WrongBytes(f"at stream offset {self.wrong_at}")


class Http(Session):
    kind = "http"

    async def converse(self) -> None:
        reader, writer = await self.connect(self.targets.web_port)
        while not self.stop.is_set():
            if self.random.random() < 0.5:
                body, expected = b"", self.targets.small_file
                head = f"GET /small.bin?s={self.token}&m={self.report.messages} HTTP/1.1\r\nHost: lab\r\n\r\n"
            else:
                body = expected = self.random.randbytes(self.random.randrange(1, 2000))
                head = f"POST /echo?s={self.token} HTTP/1.1\r\nHost: lab\r\nContent-Length: {len(body)}\r\n\r\n"
            self.pauses.due()
            writer.write(head.encode() + body)
            answer = await asyncio.wait_for(_http_body(reader), _ANSWER_TIMEOUT_S)
            self.pauses.done()
            self.compare(answer, expected)
            self.count(len(head) + len(body), len(answer))
            await self.between_messages()
        writer.close()


async def _http_body(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    if " 200 " not in head.splitlines()[0]:
        raise WrongBytes(f"answer {head.splitlines()[0]}")
    for line in head.splitlines():
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            return await reader.readexactly(int(value))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body


class Echo(Session):
    kind = "echo"

    async def converse(self) -> None:
        reader, writer = await self.connect_peer("echo")
        while not self.stop.is_set():
            await self.exchange(reader, writer, self.random.randbytes(self.random.randrange(1, 3000)))
            await self.between_messages()
        writer.close()


class Idle(Session):
    kind = "idle"

    async def converse(self) -> None:
        reader, writer = await self.connect_peer("echo")
        await self.exchange(reader, writer, self.random.randbytes(200))
        await self.stop.wait()
        await self.exchange(reader, writer, self.random.randbytes(200))
        writer.close()


class Upload(Session):
    kind = "upload"

    async def converse(self) -> None:
        reader, writer = await self.connect_peer("sink", rate=_STREAM_RATE)
        self.report.open = True
        await self.upload(writer)
        writer.write_eof()
        self.check_sink((await asyncio.wait_for(reader.readline(), _ANSWER_TIMEOUT_S)).decode())
        writer.close()


class Download(Session):
    kind = "download"

    async def converse(self) -> None:
        reader, writer = await self.connect_peer("source", rate=_STREAM_RATE)
        receiving = asyncio.create_task(self.download(reader, self.seed))
        await self.finish_source(receiving)
        writer.close()

    async def finish_source(self, receiving: asyncio.Task) -> None:
        """When the run ends, the server is told to end its stream, and everything must arrive before its FIN."""
        stopping = asyncio.create_task(self.stop.wait())
        await asyncio.wait((stopping, receiving), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not receiving.done():
            await self.ask_peer("finish")
            await asyncio.wait_for(receiving, _ANSWER_TIMEOUT_S)
        elif not self.stop.is_set():
            await receiving
            raise asyncio.IncompleteReadError(b"", None)
        await receiving


class Both(Download):
    kind = "both"

    async def converse(self) -> None:
        reader, writer = await self.connect_peer("both", rate=_BOTH_RATE)
        receiving = asyncio.create_task(self.download(reader, self.seed + 1))
        await self.upload(writer)
        writer.write_eof()
        await self.finish_source(receiving)
        self.check_sink(await self.sink_result())
        writer.close()


class ClientClosed(Download):
    kind = "client_closed"

    async def converse(self) -> None:
        reader, writer = await self.connect_peer("source", rate=_STREAM_RATE // 2)
        writer.write_eof()
        receiving = asyncio.create_task(self.download(reader, self.seed))
        await self.finish_source(receiving)
        writer.close()


class ServerClosed(Session):
    kind = "server_closed"

    async def converse(self) -> None:
        reader, writer = await self.connect_peer("sink", rate=_STREAM_RATE // 2, fin=1)
        self.compare(await asyncio.wait_for(reader.read(), _ANSWER_TIMEOUT_S), b"ok\n")
        self.report.open = True
        await self.upload(writer)
        writer.close()
        await writer.wait_closed()
        self.check_sink(await self.sink_result())


KINDS = {kind.kind: kind for kind in (Http, Echo, Idle, Upload, Download, Both, ClientClosed, ServerClosed)}


def parse_mix(text: str) -> list[str]:
    """http=30,echo=20 as a list of kinds, well mixed."""
    kinds: list[str] = []
    for part in text.split(","):
        kind, _, count = part.partition("=")
        if kind not in KINDS or not count.isdigit():
            raise argparse.ArgumentTypeError(f"{part}: give KIND=COUNT with a kind out of {', '.join(KINDS)}")
        kinds += [kind] * int(count)
    random.Random(0).shuffle(kinds)
    return kinds


def parse_path(text: str) -> tuple[str, int, int]:
    vip, *ports = text.split(",")
    if len(ports) != 2 or not all(port.isdigit() for port in ports):
        raise argparse.ArgumentTypeError(f"{text}: give VIP,WEB_PORT,PEER_PORT")
    return vip, int(ports[0]), int(ports[1])


def _progress(sessions: list[Session]) -> str:
    table: dict[str, dict[str, int]] = {}
    for session in sessions:
        row = table.setdefault(session.report.kind, {"sessions": 0, "open": 0, "failed": 0, "messages": 0, "bytes": 0})
        row["sessions"] += 1
        row["open"] += session.report.open
        row["failed"] += session.report.failure is not None
        row["messages"] += session.report.messages
        row["bytes"] += session.report.sent + session.report.received
    return json.dumps({"progress": table})


async def _wait_for_stop(stop: asyncio.Event) -> None:
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    await commands.readline()
    stop.set()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", type=parse_path, required=True, action="append", metavar="VIP,WEB_PORT,PEER_PORT",
                        help="where to connect to; given several times, sessions take them in turn")
    parser.add_argument("--small-file", type=Path, required=True, help="what nginx serves as /small.bin")
    parser.add_argument("--run-id", type=int, default=1)
    parser.add_argument("--mix", type=parse_mix, required=True, metavar="KIND=COUNT,...")
    parser.add_argument("--interval", type=float, default=0.1, help="seconds between the messages of a session")
    arguments = parser.parse_args()

    targets = [Targets(*path, arguments.small_file.read_bytes(), arguments.run_id) for path in arguments.path]
    stop = asyncio.Event()
    sessions = [KINDS[kind](number, targets[number % len(targets)], stop, arguments.interval) for number, kind in enumerate(arguments.mix)]
    tasks = []
    commands = asyncio.create_task(_wait_for_stop(stop))
    for session in sessions:
        tasks.append(asyncio.create_task(session.run()))
        await asyncio.sleep(0.005)  # a burst of handshakes is another test
    while not all(task.done() for task in tasks):
        print(_progress(sessions), flush=True)
        await asyncio.wait(tasks, timeout=0.5)
    commands.cancel()
    print(json.dumps({"report": [asdict(session.report) for session in sessions]}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
