#!/usr/bin/env python3
"""An end that stops reading for a while, across a takeover: the other end waits in persist, then all bytes arrive.

Both directions at once: a server that does not read an upload, and a client that does not read a download.
"""

from __future__ import annotations

import argparse
import socket
import threading
import time

import labtest
from labtest import check
from labkit import nodeconf
from labkit.lab import Lab
from labkit.shell import in_namespace, run
from labkit.traffic import start_peer_server
from seeded import Stream, Verifier

_BYTES = 24 << 20  # more than two kernels and the windows between them can hold
_CHUNK = 64 * 1024
_UP_SEED, _DOWN_SEED = 41, 42


class Uploader(threading.Thread):
    """Sends while the server takes; the server stops for a while early in the stream."""

    def __init__(self, lab: Lab, stall_s: float) -> None:
        super().__init__(daemon=True)
        self.sent = 0
        self.answer = ""
        self.error = ""
        self._connection = labtest.connect(lab, timeout_s=stall_s + 60)
        self._stall_s = stall_s

    def run(self) -> None:
        try:
            self._connection.sendall(f"sink token=up seed={_UP_SEED} stall_at=200000 stall_s={self._stall_s}\n".encode())
            stream = Stream(_UP_SEED)
            while self.sent < _BYTES:
                self._connection.sendall(stream.at(self.sent, _CHUNK))
                self.sent += _CHUNK
            self._connection.shutdown(socket.SHUT_WR)
            self.answer = self._connection.makefile().readline()
        except OSError as error:
            self.error = str(error) or type(error).__name__


def wait_for_persist(lab: Lab, place: str) -> None:
    """Wait until the sender at that end probes a closed window."""
    deadline = time.monotonic() + 20
    while "(persist" not in run(*in_namespace(lab.names.of(place), "ss", "-Htno")):
        check(time.monotonic() < deadline, f"no sender at the {place} is in persist: the window did not close")
        time.sleep(0.2)


def test(arguments: argparse.Namespace) -> str:
    with labtest.laboratory(arguments) as lab:
        start_peer_server(lab)
        began = time.monotonic()
        upload = Uploader(lab, arguments.stall)
        upload.start()
        download = labtest.connect(lab, timeout_s=60)
        download.sendall(f"source token=down seed={_DOWN_SEED} bytes={_BYTES}\n".encode())
        wait_for_persist(lab, "client")
        wait_for_persist(lab, "server")

        takeover = labtest.kill_active(lab)
        labtest.rejoin(lab, takeover.victim)
        check(upload.sent < _BYTES, "the upload ended while the server did not read")
        time.sleep(max(0.0, began + arguments.stall - time.monotonic()))

        verifier = Verifier(Stream(_DOWN_SEED))
        try:
            while data := download.recv(_CHUNK):
                verifier.take(data)
        except OSError as error:
            raise labtest.Failure(f"download after the stall, at offset {verifier.offset}: {error}") from None
        check(verifier.wrong_at is None and verifier.offset == _BYTES,
              f"download: {verifier.offset} of {_BYTES} bytes, wrong at {verifier.wrong_at}")
        upload.join(60)
        check(not upload.is_alive() and not upload.error, f"upload after the stall, {upload.sent} bytes handed over: "
                                                          f"{upload.error or 'stuck'}")
        check(f'"received": {_BYTES}' in upload.answer and '"wrong_at": null' in upload.answer,
              f"upload: the server says {upload.answer.strip()}")
        labtest.check_no_reneging(lab)
    return f"windows closed for {arguments.stall:g} s across a takeover, {_BYTES >> 20} MiB whole in both directions"


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--stall", type=float, default=60, help="seconds without reading")
    labtest.main(test, options)
