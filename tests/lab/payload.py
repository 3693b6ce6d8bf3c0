#!/usr/bin/env python3
"""Small requests and answers that are lost with the active: how long their client waits, with and without mirrored payload.

A moment before the kill nothing more reaches the far host, so what the active has taken is lost with it. Without a mirror
of the payload the sender notices by its retransmission timer, after the takeover; with it the standby has sent it by then.
"""

from __future__ import annotations

import argparse
import socket
import threading
import time
from dataclasses import dataclass

import labtest
from labtest import check
from labkit import nodeconf, topology
from labkit.lab import Lab
from labkit.shell import in_namespace, run
from labkit.traffic import start_peer_server

_PORT = nodeconf.PEER_PORT
_REQUEST = 200  # bytes
_LOST = {"request": ("server", f"tcp dport {_PORT}"), "answer": ("client", f"tcp sport {_PORT}")}


def settings(mirror_payload: str) -> nodeconf.Table:
    """A detection longer than what Linux does of its own: a probe after 200 ms, its first timeout after 400."""
    def service(name: str, vip: str, server: str) -> nodeconf.Table:
        return {"name": name, "address": nodeconf.endpoint(vip, _PORT), "backends": [nodeconf.endpoint(server, _PORT)],
                "gate": ["peer"], "mirror_payload": mirror_payload}

    return {"service": [service("peer", topology.VIP, topology.SERVER_ADDRESS),
                        service("peer-66", topology.VIP6, topology.SERVER_ADDRESS6)],
            "guard": {"lease_ms": 400, "lease_margin_ms": 50}}


def hold(lab: Lab, lost: str) -> None:
    place, match = _LOST[lost]
    run(*in_namespace(lab.names.of(place), "nft", "-f", "-"),
        stdin=f"table inet lost {{ chain in {{ type filter hook input priority 0; {match} counter drop; }}; }}\n")


def release(lab: Lab, lost: str) -> int:
    """How many segments were dropped."""
    nft = in_namespace(lab.names.of(_LOST[lost][0]), "nft")
    rules = run(*nft, "list", "table", "inet", "lost")
    run(*nft, "delete", "table", "inet", "lost")
    return int(rules.split("packets ")[1].split()[0])


class Exchange(threading.Thread):
    """One request, and when its answer was whole."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(daemon=True)
        self.connection, self.answered_at, self.failure = connection, 0.0, ""
        self.message = bytes(n % 251 for n in range(_REQUEST))
        connection.sendall(self.message)

    def run(self) -> None:
        try:
            answer = labtest.receive_exactly(self.connection, _REQUEST)
            self.answered_at = time.time()
            if answer != self.message:
                self.failure = "wrong bytes"
        except (OSError, labtest.Failure) as error:
            self.failure = str(error) or type(error).__name__


@dataclass(frozen=True)
class Pause:
    """Milliseconds, of the exchange that waited longest."""

    since_kill: float
    detection: float

    @property
    def beyond(self) -> float:
        return max(0.0, self.since_kill - self.detection)


def one_kill(lab: Lab, connections: list[socket.socket], lost: str) -> Pause:
    for number, connection in enumerate(connections):
        labtest.echo(connection, f"session {number} before the kill", _REQUEST)
    victim = lab.active()
    check(victim, "no node is active")
    survivor = topology.other(victim)
    hold(lab, lost)
    exchanges = [Exchange(connection) for connection in connections]
    for each in exchanges:
        each.start()
    time.sleep(0.01)  # the records of it are at the standby after a millisecond
    killed_at = lab.kill(victim)
    dropped = release(lab, lost)
    check(dropped >= len(connections), f"{dropped} segments of {len(connections)} sessions were lost with the active")
    for each in exchanges:
        each.join(30)
    failures = [each.failure or "no answer" for each in exchanges if each.failure or not each.answered_at]
    check(not failures, f"{len(failures)} of {len(exchanges)} exchanges failed: {failures[:5]}")
    detection = (lab.wait_active(survivor).get("last_takeover") or {}).get("detect_ms", 0)
    pause = Pause(1000 * (max(each.answered_at for each in exchanges) - killed_at), detection)
    labtest.rejoin(lab, victim)
    return pause


def pauses(arguments: argparse.Namespace, mirror_payload: str) -> dict[str, list[Pause]]:
    with labtest.laboratory(arguments, extra=settings(mirror_payload)) as lab:
        start_peer_server(lab)
        connections = [connect(lab, (topology.VIP, topology.VIP6)[n % 2]) for n in range(arguments.sessions)]
        found = {lost: [one_kill(lab, connections, lost) for _ in range(arguments.kills)] for lost in _LOST}
        labtest.check_nodes_have_no_sockets(lab)
        sent = sum(row["value"] for node in topology.NODES for row in lab.ask(node, "counters")
                   if row["name"] == "payload_sent")
        if mirror_payload == "none":
            check(sent == 0, f"{sent} segments of payload that was not mirrored")
    return found


def connect(lab: Lab, vip: str) -> socket.socket:
    client = labtest.socket_in(lab.names.of("client"), socket.AF_INET6 if ":" in vip else socket.AF_INET)
    client.settimeout(30)
    client.connect((vip, _PORT))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(b"echo\n")
    return client


def test(arguments: argparse.Namespace) -> str:
    without, with_it = pauses(arguments, "none"), pauses(arguments, "tails")
    lines = []
    for lost in _LOST:
        slow, fast = (max(found[lost], key=lambda pause: pause.beyond) for found in (without, with_it))
        least = min(pause.beyond for pause in without[lost])
        lines.append(f"lost {lost}: {fast.since_kill:.0f} ms with mirrored payload ({fast.beyond:.0f} ms beyond the detection), "
                     f"{slow.since_kill:.0f} ms without ({slow.beyond:.0f} ms beyond)")
        check(least > 4 * max(fast.beyond, 1), f"mirrored payload saves too little, {lines[-1]}")
    return f"{arguments.sessions} sessions, {arguments.kills} kills each; " + "; ".join(lines)


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--sessions", type=int, default=10)
    options.add_argument("--kills", type=int, default=1, help="for each direction, with and without")
    labtest.main(test, options)
