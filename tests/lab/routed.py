#!/usr/bin/env python3
"""Clients and servers behind a router, over a link that carries less than both ends: static routes, and path MTU by the
router's ICMP errors, in both families, before and after a takeover."""

from __future__ import annotations

import argparse
import itertools
import socket
import threading
import time

import labtest
from labtest import check
from labkit import nodeconf, topology
from labkit.lab import Lab
from seeded import Stream, Verifier

_PORT = 8200
_FAMILIES = (4, 6)
_NARROW_MTU = 1400
_CHUNK = 64 * 1024


class End:
    """One end of a connection: sends its stream while it compares what comes with the other's."""

    def __init__(self, connection: socket.socket, own: int, theirs: int, length: int) -> None:
        self.connection, self.length = connection, length
        self.own, self.theirs = Stream(own), Verifier(Stream(theirs))
        self.failures: list[str] = []
        self.threads = [threading.Thread(target=self._guarded, args=[each], daemon=True) for each in (self._send, self._receive)]

    def start(self) -> None:
        for each in self.threads:
            each.start()

    def finish(self, timeout_s: float) -> None:
        for each in self.threads:
            each.join(timeout_s)
        check(not any(each.is_alive() for each in self.threads), f"a transfer hangs at {self.theirs.offset} of {self.length} bytes")
        check(not self.failures, f"a transfer failed: {self.failures}")
        check(self.theirs.wrong_at is None, f"a wrong byte at {self.theirs.wrong_at}")
        check(self.theirs.offset == self.length, f"{self.theirs.offset} of {self.length} bytes came")

    def _guarded(self, what) -> None:
        try:
            what()
        except OSError as error:
            self.failures.append(str(error))

    def _send(self) -> None:
        sent = 0
        while sent < self.length:
            part = self.own.at(sent, min(_CHUNK, self.length - sent))
            self.connection.sendall(part)
            sent += len(part)
        self.connection.shutdown(socket.SHUT_WR)

    def _receive(self) -> None:
        while part := self.connection.recv(_CHUNK):
            self.theirs.take(part)


def settings() -> nodeconf.Table:
    """Routes to the networks behind the router, and a service in each pair of families with its backend there."""
    def routes(endpoint: str) -> list[nodeconf.Table]:
        return [{"to": topology.narrow_network(endpoint, family), "via": topology.router_address(endpoint, family)}
                for family in _FAMILIES]

    services = [{"name": f"far-{near}{far}", "address": nodeconf.endpoint(vip(near), _PORT + far), "gate": ["peer"],
                 "backends": [nodeconf.endpoint(topology.narrow_address("server", far), _PORT)]}
                for near, far in itertools.product(_FAMILIES, _FAMILIES)]
    return {"service": services, "port": {endpoint: {"routes": routes(endpoint)} for endpoint in topology.ENDPOINTS}}


def vip(family: int) -> str:
    return topology.VIP if family == 4 else topology.VIP6


def inside(lab: Lab, endpoint: str, family: int) -> socket.socket:
    """A socket at the endpoint's address behind the router."""
    found = labtest.socket_in(lab.names.of(endpoint), socket.AF_INET if family == 4 else socket.AF_INET6)
    found.settimeout(60)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind((topology.narrow_address(endpoint, family), _PORT if endpoint == "server" else 0))
    return found


def open_pair(lab: Lab, listener: socket.socket, near: int, far: int, length: int) -> list[End]:
    client = inside(lab, "client", near)
    client.connect((vip(near), _PORT + far))
    server, _ = listener.accept()
    server.settimeout(60)
    ends = [End(client, 10 * near + far, 100 + 10 * near + far, length), End(server, 100 + 10 * near + far, 10 * near + far, length)]
    for each in ends:
        each.start()
    return ends


def wait_for_a_quarter(ends: list[End]) -> None:
    deadline = time.monotonic() + 60
    while any(end.theirs.offset * 4 < end.length and not end.failures for end in ends):
        check(time.monotonic() < deadline, f"a quarter of every transfer takes over a minute: {[end.theirs.offset for end in ends]}")
        time.sleep(0.01)


def lowered(lab: Lab, node: str) -> dict[str, int]:
    return {side: next(row["value"] for row in lab.ask(node, "counters")
                       if row["module"] == f"{side}.tcp" and row["name"] == "path_mtu_lowered") for side in topology.ENDPOINTS}


def test(arguments: argparse.Namespace) -> str:
    length = int(arguments.megabytes * 1_000_000)
    counts = []
    with labtest.laboratory(arguments, extra=settings()) as lab:
        topology.put_router_in(lab.names)
        topology.put_narrow_networks_in(lab.names, _NARROW_MTU)
        listeners = {family: inside(lab, "server", family) for family in _FAMILIES}
        for listener in listeners.values():
            listener.listen()
        ends = [end for near, far in itertools.product(_FAMILIES, _FAMILIES)
                for end in open_pair(lab, listeners[far], near, far, length)]
        wait_for_a_quarter(ends)
        counts.append(lowered(lab, lab.active()))
        under_way = sum(end.theirs.offset < length for end in ends)
        takeover = labtest.kill_active(lab)
        for end in ends:
            end.finish(60)
        # What was learnt is a node's own: new sessions learn it of the new one.
        for near, far in itertools.product(_FAMILIES, _FAMILIES):
            for end in open_pair(lab, listeners[far], near, far, _CHUNK * 4):
                end.finish(60)
        counts.append(lowered(lab, takeover.survivor))
        labtest.check_no_reneging(lab)
    check(under_way > 0, "every transfer was over before the kill: give more --megabytes")
    for node, sides in zip(("first active", "survivor"), counts):
        for side, count in sides.items():
            check(count >= 2, f"at the {node} {count} path MTUs were lowered on the {side} side")
    return f"{len(ends)} streams behind a router, {under_way} under way at the kill; path MTUs lowered: {counts[0]}, then {counts[1]}"


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--megabytes", type=float, default=24, help="of each stream, two to a connection")
    labtest.main(test, options)
