#!/usr/bin/env python3
"""Kill the active node between a client's SYN and the end of the handshake.

Packet filters at the endpoints hold the handshake at one packet, the active node dies, the filters go: each
connection is then complete and usable, or refused; never half alive at either end.
"""

from __future__ import annotations

import argparse
import errno
import selectors
import socket
import time
from dataclasses import dataclass

import labtest
from labtest import check
from labkit import nodeconf, topology
from labkit.lab import Lab
from labkit.shell import in_namespace, run
from labkit.traffic import start_peer_server

_SETTLE_S = 30  # Linux repeats a SYN after 1, 3, 7 and 15 s


@dataclass(frozen=True)
class Phase:
    """The packet that does not arrive: at which endpoint it is dropped, and how it is known."""

    name: str
    place: str
    hook: str
    match: str


_PORT = nodeconf.PEER_PORT
PHASES = (
    Phase("SYN to the server", "server", "input", f"tcp dport {_PORT} tcp flags & (syn|ack) == syn"),
    Phase("SYN-ACK of the server", "server", "output", f"tcp sport {_PORT} tcp flags & (syn|ack) == (syn|ack)"),
    Phase("SYN-ACK to the client", "client", "input", f"tcp sport {_PORT} tcp flags & (syn|ack) == (syn|ack)"),
    Phase("final ACK of the client", "client", "output", f"tcp dport {_PORT} tcp flags & (syn|ack) == ack"),
    Phase("final ACK to the server", "server", "input", f"tcp dport {_PORT} tcp flags & (syn|ack) == ack"),
)


def hold(lab: Lab, phase: Phase) -> None:
    rules = (f"table inet holding {{ chain stop_here {{ type filter hook {phase.hook} priority 0; "
             f"{phase.match} counter drop; }}; }}\n")
    run(*in_namespace(lab.names.of(phase.place), "nft", "-f", "-"), stdin=rules)


def release(lab: Lab, phase: Phase) -> int:
    """Let packets through again; how many had been held."""
    nft = in_namespace(lab.names.of(phase.place), "nft")
    rules = run(*nft, "list", "table", "inet", "holding")
    run(*nft, "delete", "table", "inet", "holding")
    return int(rules.split("packets ")[1].split()[0])


def begin(lab: Lab, count: int) -> list[socket.socket]:
    """Connections under way; nobody waits for them."""
    started = []
    for number in range(count):
        vip = (topology.VIP, topology.VIP6)[number % 2]
        client = labtest.socket_in(lab.names.of("client"), socket.AF_INET6 if ":" in vip else socket.AF_INET)
        client.setblocking(False)
        client.connect_ex((vip, _PORT))
        started.append(client)
    return started


def outcome(client: socket.socket, deadline: float) -> str:
    """complete or refused; anything else fails the test."""
    with selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_WRITE)
        if not selector.select(max(0.0, deadline - time.monotonic())):
            raise labtest.Failure(f"half alive: a connect() did not end within {_SETTLE_S} s")
    error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error in (errno.ECONNREFUSED, errno.ECONNRESET):
        return "refused"
    check(error == 0, f"connect() ended with {errno.errorcode.get(error, error)}")
    client.settimeout(max(1.0, deadline - time.monotonic()))
    try:
        client.sendall(b"echo\n" + b"x" * 100)
        labtest.receive_exactly(client, 100)
    except (ConnectionResetError, BrokenPipeError):
        return "refused"
    except TimeoutError:
        raise labtest.Failure(f"half alive: connected, but no answer within {_SETTLE_S} s") from None
    return "complete"


def kill_in(lab: Lab, phase: Phase, connections: int) -> list[str]:
    """One kill in one phase; what became of each connection."""
    hold(lab, phase)
    clients = begin(lab, connections)
    time.sleep(0.3)
    takeover = labtest.kill_active(lab)
    held = release(lab, phase)
    check(held > 0, f"no packet was held in phase «{phase.name}»: the handshake never came so far")
    deadline = time.monotonic() + _SETTLE_S
    outcomes = []
    for client in clients:
        try:
            outcomes.append(outcome(client, deadline))
        except labtest.Failure as failure:
            raise labtest.Failure(f"{phase.name}: port {client.getsockname()[1]}: {failure}") from None
        client.close()
    while left := labtest.server_connections(lab):
        check(time.monotonic() < deadline + _SETTLE_S, f"{phase.name}: {left} connections are still open at the server "
                                                       "though their clients are gone")
        time.sleep(0.2)
    labtest.rejoin(lab, takeover.victim)
    return outcomes


def test(arguments: argparse.Namespace) -> str:
    shown = []
    with labtest.laboratory(arguments) as lab:
        start_peer_server(lab)
        for phase in PHASES:
            outcomes = [each for _ in range(arguments.rounds) for each in kill_in(lab, phase, arguments.connections)]
            shown.append(f"{phase.name} {outcomes.count('complete')}/{outcomes.count('refused')}")
    return f"{arguments.rounds} kills per phase, connections complete/refused: " + ", ".join(shown)


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--rounds", type=int, default=20, help="kills per phase")
    options.add_argument("--connections", type=int, default=10, help="connections under way at each kill")
    labtest.main(test, options)
