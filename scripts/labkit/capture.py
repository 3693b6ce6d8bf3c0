"""Captures at one device each: a tcpdump that loses nothing, or says how much it lost."""

from __future__ import annotations

import re
import time
from pathlib import Path

from labkit.process import ProcessTable
from labkit.shell import LabError, in_namespace

_PREFIX = "capture-"
_LAG_S = 1.5  # the kernel hands packets over in blocks, a second late at most; what it still holds at the end is lost


def start(processes: ProcessTable, namespace: str, device: str, file: Path, expression: str = "tcp",
          direction: str = "inout") -> None:
    """Capture into file until stop(); returns once tcpdump listens. Its report lies beside, in file.report."""
    name = _PREFIX + file.stem
    if processes.find(name):
        raise LabError(f"a capture named {file.stem} runs already: stop it first (capture stop)")
    file.parent.mkdir(parents=True, exist_ok=True)
    report = report_of(file)
    report.unlink(missing_ok=True)
    # The headers and the first bytes of the payload are enough, and the buffer covers a busy disk. No change of
    # user: the file belongs to whoever captures.
    argv = ["tcpdump", "-i", device, "-w", str(file), "-s", "160", "-B", "65536", "-n", "-Z", "root",
            "-Q", direction, "--time-stamp-precision=nano", expression]
    process = processes.spawn(name, in_namespace(namespace, *argv), report)
    deadline = time.monotonic() + 5
    while "listening on" not in report.read_text():
        if not process.alive() or time.monotonic() > deadline:
            raise LabError(f"tcpdump did not start in {namespace}: {report.read_text().strip()}")
        time.sleep(0.02)


def stop(processes: ProcessTable, name: str | None = None) -> None:
    """End one capture, or all of them, and let each write its report."""
    wanted = [_PREFIX + name] if name else [each for each in processes.names() if each.startswith(_PREFIX)]
    if wanted:
        time.sleep(_LAG_S)
    for each in wanted:
        processes.end(each, grace_s=10)


def running(processes: ProcessTable) -> bool:
    return any(name.startswith(_PREFIX) for name in processes.names())


def report_of(file: Path) -> Path:
    return file.with_suffix(file.suffix + ".report")


def counts(file: Path) -> tuple[int, int]:
    """Packets captured and packets the kernel dropped, from tcpdump's report."""
    report = report_of(file).read_text() if report_of(file).exists() else ""
    captured = re.search(r"(\d+) packets? captured", report)
    dropped = re.search(r"(\d+) packets? dropped by kernel", report)
    if not captured or not dropped:
        raise LabError(f"{report_of(file)} holds no final report: the capture did not end in order")
    return int(captured[1]), int(dropped[1])
