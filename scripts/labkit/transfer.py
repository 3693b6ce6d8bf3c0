"""Large transfers with curl, and how steadily they grow."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import time
from pathlib import Path

from labkit import topology, webserver
from labkit.lab import Lab
from labkit.shell import in_namespace

_SAMPLE_S = 0.01


class Transfer:
    """One curl in the client's namespace; the file that it makes grow is watched."""

    def __init__(self, lab: Lab, name: str, source: Path, argv: list[str]) -> None:
        self.name = name
        self.source = source
        self.total = source.stat().st_size
        self.done = 0
        self.longest_pause_s = 0.0
        self._error_log = lab.logs / f"curl-{name}.log"
        self._child = subprocess.Popen(in_namespace(lab.names.of("client"), "curl", "-sS", "--fail", *argv),
                                       stdout=subprocess.DEVNULL, stderr=self._error_log.open("wb"))
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def grown(self) -> int:
        """Bytes at the receiving end so far."""
        raise NotImplementedError

    def arrived(self) -> Path:
        """The whole file at the receiving end."""
        raise NotImplementedError

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def verdict(self) -> str:
        """ok, or what is wrong."""
        if self.running:
            return "not finished"
        if self._child.returncode != 0:
            return f"curl ended with {self._child.returncode}: {self._error_log.read_text().strip()}"
        if _sha256(self.arrived()) != _sha256(self.source):
            return "SHA-256 differs"
        return "ok"

    def stop(self) -> None:
        if self.running:
            self._child.kill()
        self._child.wait()
        self._watcher.join(5)

    def _watch(self) -> None:
        grew_at = None
        while self.running:
            size, now = self.grown(), time.monotonic()
            if size > self.done:
                if grew_at is not None:
                    self.longest_pause_s = max(self.longest_pause_s, now - grew_at)
                self.done, grew_at = size, now
            time.sleep(_SAMPLE_S)
        self.done = max(self.done, self.grown())


class Download(Transfer):
    """Paced by nginx."""

    def __init__(self, lab: Lab, rate: int) -> None:
        self._target = lab.data / "download.bin"
        super().__init__(lab, "download", lab.data / "files" / webserver.BIG_FILE,
                         ["-o", str(self._target), f"http://{topology.VIP}/{webserver.BIG_FILE}?rate={rate}"])

    def grown(self) -> int:
        return _size(self._target)

    def arrived(self) -> Path:
        return self._target


class Upload(Transfer):
    """nginx can not pace what it receives, so curl paces what it sends."""

    def __init__(self, lab: Lab, rate: int) -> None:
        source = lab.data / "upload.bin"
        webserver.random_file(source, webserver.BIG_BYTES)
        self._target = lab.data / "uploads" / "upload.bin"
        self._arriving = lab.data / "body"
        super().__init__(lab, "upload", source, ["-T", str(source), "--limit-rate", str(rate),
                                                 f"http://{topology.VIP}/upload/upload.bin"])

    def grown(self) -> int:
        return max([_size(self._target), *(_size(path) for path in self._arriving.iterdir())])

    def arrived(self) -> Path:
        return self._target


def _size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _sha256(path: Path) -> str:
    if not path.exists():
        return f"no {path}"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
