"""What the kernel knows of the endpoints' connections (ss -tin), by the kind of session they carry."""

from __future__ import annotations

import re
from dataclasses import dataclass

from labkit import nodeconf
from labkit.lab import Lab
from labkit.shell import in_namespace, run


@dataclass
class Flight:
    """How far the sessions of one kind have come, and what nobody has acknowledged to its sender yet."""

    up: int = 0  # bytes the client sent and has acknowledged
    down: int = 0  # bytes the client received
    unacknowledged_up: int = 0
    unacknowledged_down: int = 0


@dataclass(frozen=True)
class _Connection:
    state: str
    service: int
    sent: int  # acknowledged bytes
    received: int
    unacknowledged: int


def snapshot(lab: Lab) -> dict[str, Flight]:
    """One row a kind; download and upload are the largest of the web connections."""
    flights: dict[str, Flight] = {}
    for kind, each in _by_kind(_connections(lab, "client", "peer"), half_closed="client_closed", other="server_closed"):
        flight = flights.setdefault(kind, Flight())
        flight.up += each.sent
        flight.down += each.received
        flight.unacknowledged_up += each.unacknowledged
    server = _connections(lab, "server", "local")
    for kind, each in _by_kind(server, half_closed="server_closed", other="client_closed", turned=True):
        flights.setdefault(kind, Flight()).unacknowledged_down += each.unacknowledged
    return flights


def _by_kind(connections: list[_Connection], half_closed: str, other: str, turned: bool = False):
    """Pairs of kind and connection, seen from one end: half_closed is the kind in which this end has shut its side."""
    web = [each for each in connections if each.service == nodeconf.WEB_PORT]
    sender = max(web, key=lambda each: each.sent, default=None)
    receiver = max(web, key=lambda each: each.received, default=None)
    for each in connections:
        if each is sender:
            yield ("download" if turned else "upload"), each
        elif each is receiver:
            yield ("upload" if turned else "download"), each
        elif each.service == nodeconf.WEB_PORT:
            yield "http", each
        else:
            yield {"FIN-WAIT-1": half_closed, "FIN-WAIT-2": half_closed, "CLOSE-WAIT": other}.get(each.state, "idle"), each


def _connections(lab: Lab, place: str, service_side: str) -> list[_Connection]:
    found = []
    for line in run(*in_namespace(lab.names.of(place), "ss", "-tinHO")).splitlines():
        state, _receive_queue, send_queue, local, peer, *info = line.split()
        numbers = {name: int(value) for name, value in re.findall(r"\b(\w+):(\d+)\b", " ".join(info))}
        service = int((local if service_side == "local" else peer).rsplit(":", 1)[1])
        if service in (nodeconf.WEB_PORT, nodeconf.PEER_PORT) and "bytes_acked" in " ".join(info):
            found.append(_Connection(state, service, numbers["bytes_acked"], numbers.get("bytes_received", 0),
                                     max(0, int(send_queue) - numbers.get("notsent", 0))))
    return found
