#!/usr/bin/env python3
"""A journal whose disk is full: nothing that was acknowledged is lost, what its clients send stays in their kernels'
send queues, counter and event say why; when there is room it goes on, and in the end every stream is whole.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import journal
import labtest
from labtest import check
from applications import unacknowledged
from labkit import nodeconf, topology
from labkit.lab import Lab

_DISK = 8 << 20
_FILLER = 6 << 20


@contextlib.contextmanager
def small_disks() -> Iterator[Path]:
    """A tmpfs for each node, most of it filled."""
    root = Path(tempfile.mkdtemp(prefix="holdfast-disks-", dir="/var/tmp"))
    try:
        for node in topology.NODES:
            (root / node).mkdir()
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", root / node], check=True)
            (root / node / "filler").write_bytes(bytes(_FILLER))
        yield root
    finally:
        for node in topology.NODES:
            subprocess.run(["umount", root / node], check=False)
        shutil.rmtree(root, ignore_errors=True)


def settings(root: Path) -> nodeconf.Table:
    service = {"name": "sink", "address": nodeconf.endpoint(topology.VIP, journal.PORT), "gate": ["app", "standby"],
               "application": "journal", "journal_dir": str(root / "{node}" / "log")}
    return {"service": [service]}


def wait_until(what: str, holds: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        check(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(0.1)


def told(lab: Lab, node: str, kind: str) -> bool:
    return any(row["event"] == kind for row in lab.ask(node, "events"))


def test(arguments: argparse.Namespace) -> str:
    with small_disks() as root, labtest.laboratory(arguments, extra=settings(root)) as lab:
        active = lab.active()
        check(active is not None, "no node is active")
        writers = [journal.Writer(journal.connect(lab, topology.VIP), n, 10_000_000) for n in range(arguments.writers)]
        for writer in writers:
            writer.start()
        wait_until("the journal says that it holds", lambda: told(lab, active, "journal_holds"))
        check(journal.counter(lab, active, "disk_failures") > 0, "no failure of the disk is counted")
        time.sleep(1)
        acknowledged = [writer.acknowledged() for writer in writers]
        time.sleep(2)
        check([writer.acknowledged() for writer in writers] == acknowledged, "bytes are acknowledged while the disk is full")
        check(all(unacknowledged(writer.connection) > 0 for writer in writers), "a writer has nothing unacknowledged")
        held = [journal.Journal(root / active / "log")]
        for writer, at_least in zip(writers, acknowledged):
            journal.compare(writer, held, at_least, whole=False)
        for writer in writers:
            writer.stopped.set()
        # As much as they have said fits now: the filler is gone, and the tmpfs larger.
        for node in topology.NODES:
            (root / node / "filler").unlink()
            subprocess.run(["mount", "-o", f"remount,size={_DISK * 16}", root / node], check=True)
        wait_until("the journal says that it goes on", lambda: told(lab, active, "journal_goes_on"))
        for writer in writers:
            writer.join(60)
        failures = [f"{w.name}: {w.failure or 'does not end'}" for w in writers if w.failure or w.is_alive()]
        check(not failures, "writers failed:\n  " + "\n  ".join(failures))
        for node in topology.NODES:
            for writer in writers:
                journal.compare(writer, [journal.Journal(root / node / "log")], writer.said, whole=True)
    return (f"{sum(acknowledged)} bytes of {len(writers)} writers were acknowledged when the disks were full, and not one more until "
            f"there was room; in the end all {sum(w.said for w in writers)} were in both journals")


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--writers", type=int, default=6)
    labtest.main(test, options)
