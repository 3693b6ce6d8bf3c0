"""The workload as one thing: the peer server, the client with its sessions, and what they report."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

from labkit import nodeconf, topology, webserver
from labkit.lab import REPOSITORY, Lab
from labkit.shell import LabError, in_namespace

_PROGRAMS = REPOSITORY / "tests" / "lab"
FINISH_TIMEOUT_S = 90


@dataclass(frozen=True)
class SessionReport:
    """The report of one session; see workload.py."""

    kind: str
    number: int
    local_port: int
    open: bool
    sent: int
    received: int
    messages: int
    longest_pause_s: float
    failure: str | None
    failed_at: float | None


def start_peer_server(lab: Lab) -> None:
    """The TCP server beside nginx; once per lab."""
    if lab.processes.find("peer-server"):
        return
    ready = lab.directory / "peer-server.ready"
    ready.unlink(missing_ok=True)
    process = lab.spawn("peer-server", "server", [
        sys.executable, str(_PROGRAMS / "peer_server.py"), "--address", topology.SERVER_ADDRESS,
        topology.SERVER_ADDRESS6, "--port", str(nodeconf.PEER_PORT), "--ready", str(ready)])
    deadline = time.monotonic() + 10
    while not ready.exists():
        if not process.alive() or time.monotonic() > deadline:
            raise LabError(f"the peer server did not start: see {lab.logs / 'peer-server.log'}")
        time.sleep(0.02)


class Workload:
    """Sessions that run until finish(). Use as a context manager: it never outlives the block."""

    _next_run_id = 1

    def __init__(self, lab: Lab, mix: dict[str, int], interval_s: float = 0.1) -> None:
        start_peer_server(lab)
        run_id = int(time.time()) % 100_000 * 10 + Workload._next_run_id
        Workload._next_run_id += 1
        paths = nodeconf.paths(lab.options()[0].mtu)
        argv = [sys.executable, str(_PROGRAMS / "workload.py"),
                *(f"--path={path.vip},{path.web_port},{path.peer_port}" for path in paths),
                "--small-file", str(lab.data / "files" / webserver.SMALL_FILE), "--run-id", str(run_id),
                "--mix", ",".join(f"{kind}={count}" for kind, count in mix.items() if count),
                "--interval", str(interval_s)]
        self._log = lab.logs / "workload.log"
        self._child = subprocess.Popen(in_namespace(lab.names.of("client"), *argv), stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=self._log.open("ab"), text=True)
        self.progress: dict[str, dict[str, int]] = {}
        self._report: list[SessionReport] | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Workload:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()
        self._reader.join(5)

    def total(self, what: str) -> int:
        """The sum over all kinds of sessions, open, failed, messages or bytes."""
        return sum(row[what] for row in self.progress.values())

    def wait_open(self, timeout_s: float = 20) -> None:
        """Wait until every session has got something right through the proxy."""
        deadline = time.monotonic() + timeout_s
        while not self.progress or self.total("open") < self.total("sessions"):
            failed = self.total("failed")
            if failed or self._child.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"not all sessions opened within {timeout_s:g} s ({failed} failed): {self.progress}; "
                               f"log: {self._log}{self._first_failures()}")
            time.sleep(0.1)

    def finish(self) -> list[SessionReport]:
        """Let every session end in its own way; the report on each."""
        try:
            self._child.stdin.write("stop\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            pass  # it ended before, and has reported
        self._reader.join(FINISH_TIMEOUT_S)
        if self._report is None:
            raise LabError(f"the workload gave no report within {FINISH_TIMEOUT_S} s: {self.progress}; log: {self._log}")
        return self._report

    def _read(self) -> None:
        for line in self._child.stdout:
            table = json.loads(line)
            self.progress = table.get("progress", self.progress)
            if "report" in table:
                self._report = [SessionReport(**row) for row in table["report"]]

    def _first_failures(self) -> str:
        failures = [f"{row.kind} {row.number}: {row.failure}" for row in self._report or [] if row.failure]
        return "".join("\n  " + each for each in failures[:5])
