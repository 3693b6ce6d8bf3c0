"""Processes the lab started, remembered on disk so that a later command, or one after a crash, can end them.

A record holds the process id and its start time: a process id alone may belong to somebody else by now.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path


_statuses: dict[int, int] = {}  # how our own children ended, by process id


@dataclass(frozen=True)
class Process:
    """One process, identified beyond the reuse of its id."""

    pid: int
    started: int  # clock ticks after boot

    def alive(self) -> bool:
        self._reap()
        return _identify(self.pid) == self

    def ending(self) -> str:
        """How it ended, as far as this program can know: only a parent is told."""
        deadline = time.monotonic() + 2  # the last of its threads may still be writing a core file
        while not self._reap():
            if time.monotonic() > deadline:
                return "ended"
            time.sleep(0.05)
        code = os.waitstatus_to_exitcode(_statuses[self.pid])
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"

    def _reap(self) -> bool:
        """A dead child of ours stays a zombie until it is waited for; true once its status is known."""
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return self.pid in _statuses
        if pid:
            _statuses[pid] = status
        return pid != 0

    def signal(self, number: int) -> None:
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass

    def end(self, grace_s: float = 5) -> None:
        """SIGTERM, and SIGKILL if that did not help; a stopped process is continued so that it can listen."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        if not self.wait(grace_s):
            self.signal(signal.SIGKILL)
            self.wait(5)

    def wait(self, timeout_s: float) -> bool:
        """True as soon as the process is gone."""
        deadline = time.monotonic() + timeout_s
        while self.alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True


def _identify(pid: int) -> Process | None:
    """The process that has this id now; None if there is none, or only a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else Process(pid, int(fields[18]))


def of_pid(pid: int) -> Process | None:
    return _identify(pid)


class ProcessTable:
    """The records of one lab, a small file each."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def spawn(self, name: str, argv: list[str], log: Path, env: dict[str, str] | None = None) -> Process:
        """Start a process in a session of its own, its output appended to a log."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                     start_new_session=True, env={**os.environ, **(env or {})})
        process = _identify(child.pid) or Process(child.pid, 0)
        child.returncode = 0  # its end is watched by Process; keep Popen from warning about it
        self._directory.mkdir(parents=True, exist_ok=True)
        self._path(name).write_text(json.dumps(asdict(process)))
        return process

    def find(self, name: str) -> Process | None:
        """The process of that name if it still runs."""
        process = self.recorded(name)
        return process if process and process.alive() else None

    def recorded(self, name: str) -> Process | None:
        """The last process of that name, dead or alive."""
        try:
            return Process(**json.loads(self._path(name).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def end(self, name: str, grace_s: float = 5) -> None:
        process = self.find(name)
        if process:
            process.end(grace_s)
        self._path(name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        return sorted(path.stem for path in self._directory.glob("*.json"))

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"
