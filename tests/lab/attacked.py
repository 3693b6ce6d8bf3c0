"""A session that is attacked: it compares every byte, and says at the end what became of it."""

from __future__ import annotations

import random
import socket
import threading

import labtest
from labkit import nodeconf
from labkit.lab import Lab
from seeded import Stream, Verifier

_MESSAGE = 2000
_CHUNK = 32 * 1024
_LAST_BYTES = 512 * 1024  # more than the windows in which a guess may have left something
_STREAM_RATE = 400_000


class Session(threading.Thread):
    """`idle` is silent while it is attacked, `chat` exchanges messages, `stream` receives.

    `fate` is "" as long as nothing changed, else "reset", "wrong bytes", "stalled" or "closed". A session that can not
    even be opened raises in the constructor.
    """

    def __init__(self, lab: Lab, address: str, kind: str, number: int, stall_s: float) -> None:
        super().__init__(daemon=True)
        self.finish = threading.Event()
        self.fate = ""
        self._kind = kind
        self._random = random.Random(number)
        self._verifier = Verifier(Stream(number))
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = labtest.socket_in(lab.names.of("client"), family)
        self._socket.settimeout(20)
        self._socket.connect((address, nodeconf.PEER_PORT))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.client = nodeconf.endpoint(*self._socket.getsockname()[:2])
        self._open(number)
        self._socket.settimeout(stall_s)

    def run(self) -> None:
        try:
            if self._kind == "stream":
                self._receive_to_the_end()
            else:
                self._exchange_to_the_end()
        except TimeoutError:
            self.fate = "stalled"
        except (ConnectionResetError, BrokenPipeError):
            self.fate = "reset"
        except _Changed as change:
            self.fate = str(change)
        except OSError:
            self.fate = "reset"  # by an ICMP error
        self._socket.close()

    def _open(self, number: int) -> None:
        if self._kind == "stream":
            self._socket.sendall(f"source token=s{id(self)} seed={number} rate={_STREAM_RATE}\n".encode())
            self._receive()
        else:
            self._socket.sendall(b"echo\n")
            self._exchange(_MESSAGE)

    def _receive_to_the_end(self) -> None:
        end = None
        while end is None or self._verifier.offset < end:
            self._receive()
            if end is None and self.finish.is_set():
                end = self._verifier.offset + _LAST_BYTES

    def _receive(self) -> None:
        data = self._socket.recv(_CHUNK)
        if not data:
            raise _Changed("closed")
        self._verifier.take(data)
        if self._verifier.wrong_at is not None:
            raise _Changed("wrong bytes")

    def _exchange_to_the_end(self) -> None:
        while not self.finish.wait(0.02):
            if self._kind == "chat":
                self._exchange(_MESSAGE)
        for _ in range(_LAST_BYTES // _CHUNK):
            self._exchange(_CHUNK)

    def _exchange(self, length: int) -> None:
        message = self._random.randbytes(length)
        self._socket.sendall(message)
        answer = b""
        while len(answer) < length:
            part = self._socket.recv(length - len(answer))
            if not part:
                raise _Changed("closed")
            answer += part
        if answer != message:
            raise _Changed("wrong bytes")


class _Changed(Exception):
    pass
