#!/usr/bin/env python3
"""Backends: nginx is told by the PROXY header who its client is, on sessions that outlive a kill, too; a port that
refuses is replaced unnoticed and found by the checks; a drained backend gets no new sessions."""

from __future__ import annotations

import argparse
import socket
import time
from pathlib import Path

import labtest
from labtest import check
from labkit import nodeconf, topology
from labkit.lab import Lab
from labkit.shell import run

_TELLING = (8081, 8082)  # nginx says who connected, as the PROXY header has it
_REFUSES = 8089          # nobody listens
_TEXT, _BINARY, _MIXED = 8001, 8002, 8003  # the services' ports: PROXY version 1, version 2, version 2 with two backends more
_SERVICES = (_TEXT, _BINARY)

_NGINX = """\
daemon off;
user root;
worker_processes 1;
pid {data}/telling.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_timeout 3600;
    client_header_timeout 600;
    client_body_temp_path {data}/unused;
    proxy_temp_path {data}/unused;
    fastcgi_temp_path {data}/unused;
    uwsgi_temp_path {data}/unused;
    scgi_temp_path {data}/unused;
    default_type text/plain;
    server {{
        {listens}
        location / {{ return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_port $server_port"; }}
    }}
}}
"""


def start_nginx(lab: Lab) -> None:
    listens = "\n        ".join(f"listen {nodeconf.endpoint(address, port)} proxy_protocol;" for port in _TELLING
                               for address in (topology.SERVER_ADDRESS, topology.SERVER_ADDRESS6))
    configuration = lab.data / "telling.conf"
    configuration.write_text(_NGINX.format(data=lab.data, listens=listens))
    log = lab.logs / "telling.log"
    lab.spawn("telling", "server", ["nginx", "-p", str(lab.data), "-c", str(configuration), "-e", str(log)], log)


def settings() -> nodeconf.Table:
    def service(name: str, vip: str, port: int, backends: list[str], version: int) -> nodeconf.Table:
        return {"name": name, "address": nodeconf.endpoint(vip, port), "backends": backends, "gate": ["peer"],
                "proxy_protocol": version}

    def telling(address: str, number: int = 0) -> str:
        return nodeconf.endpoint(address, _TELLING[number])

    v4, v6 = topology.SERVER_ADDRESS, topology.SERVER_ADDRESS6
    mixed = service("mixed", topology.VIP, _MIXED, [nodeconf.endpoint(v4, _REFUSES), telling(v4), telling(v4, 1)], 2)
    return {"service": [
        service("text", topology.VIP, _TEXT, [telling(v4)], 1),
        service("binary", topology.VIP, _BINARY, [telling(v4)], 2),
        service("text6", topology.VIP6, _TEXT, [telling(v6)], 1),
        service("binary6", topology.VIP6, _BINARY, [telling(v4)], 2),
        mixed | {"health_interval_ms": 1000, "health_timeout_ms": 500, "health_fall": 3, "health_rise": 1}]}


def connect(lab: Lab, vip: str, port: int) -> socket.socket:
    client = labtest.socket_in(lab.names.of("client"), socket.AF_INET6 if ":" in vip else socket.AF_INET)
    client.settimeout(20)
    client.connect((vip, port))
    return client


def ask(connection: socket.socket) -> list[str]:
    """Client address and port, service port and nginx's own port, as nginx has them."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n")
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = connection.recv(4096)
        check(part, f"closed after {answer!r}")
        answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    check(head.startswith(b"HTTP/1.1 200"), f"nginx answered {head!r}")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return (body + labtest.receive_exactly(connection, length - len(body))).decode().split()


def check_told(connection: socket.socket, what: str) -> None:
    told = ask(connection)
    address, port = connection.getsockname()[:2]
    check(told[:3] == [address, str(port), str(connection.getpeername()[1])],
          f"{what}: nginx was told {told}, and the client is {address} {port}")


def open_all(lab: Lab, each: int) -> list[socket.socket]:
    return [connect(lab, vip, port) for vip in (topology.VIP, topology.VIP6) for port in _SERVICES for _ in range(each)]


def states(lab: Lab, node: str) -> dict[str, str]:
    return {row["backend"]: row["state"] for row in lab.ask(node, "backends") if row["service"] == "mixed"}


def wait_state(lab: Lab, node: str, backend: str, wanted: str, timeout_s: float = 15) -> None:
    end = time.monotonic() + timeout_s
    while (now := states(lab, node)).get(backend) != wanted:
        check(time.monotonic() < end, f"after {timeout_s:g} s {backend} is not {wanted}: {now}")
        time.sleep(0.1)


def wait_event(lab: Lab, node: str, event: str, timeout_s: float = 5) -> None:
    """The node looks for news of its backends now and then, so an event follows the state that it tells of."""
    end = time.monotonic() + timeout_s
    while not any(row["event"] == event for row in lab.ask(node, "events")):
        check(time.monotonic() < end, f"after {timeout_s:g} s no event {event}")
        time.sleep(0.05)


def backend_ports(lab: Lab, count: int) -> set[str]:
    ports = set()
    for _ in range(count):
        with connect(lab, topology.VIP, _MIXED) as connection:
            ports.add(ask(connection)[3])
    return ports


def drain(lab: Lab, node: str, backend: str, word: str) -> None:
    run(*lab.ctl_argv(node, "drain", "mixed", backend, word))


def test(arguments: argparse.Namespace) -> str:
    with labtest.laboratory(arguments, extra=settings()) as lab:
        Path(lab.data / "unused").mkdir(parents=True, exist_ok=True)
        start_nginx(lab)
        time.sleep(1)
        node = lab.active() or "a"

        # The first sessions meet the port that refuses, before the checks have found it.
        check(backend_ports(lab, 6) == {str(port) for port in _TELLING}, "a session met the backend that refuses")
        refusing, *telling = [nodeconf.endpoint(topology.SERVER_ADDRESS, port) for port in (_REFUSES, *_TELLING)]
        wait_state(lab, node, refusing, "down")
        check([state for backend, state in states(lab, node).items() if backend != refusing] == ["up", "up"],
              f"{states(lab, node)}")
        wait_event(lab, node, "backend_down")

        with connect(lab, topology.VIP, _MIXED) as kept:
            first = ask(kept)[3]
            drained = telling[_TELLING.index(int(first))]
            drain(lab, node, drained, "on")
            check(states(lab, node)[drained] == "drained", f"{states(lab, node)}")
            check(first not in backend_ports(lab, 6), "a drained backend got a new session")
            check(ask(kept)[3] == first, "its session moved")
            drain(lab, node, drained, "off")

        asked, silent = open_all(lab, arguments.sessions), open_all(lab, arguments.sessions)
        for number, connection in enumerate(asked):
            check_told(connection, f"session {number} before the kill")
        takeover = labtest.kill_active(lab)
        for number, connection in enumerate(asked + silent):
            check_told(connection, f"session {number} after the kill")
        for number, connection in enumerate(open_all(lab, 1)):
            check_told(connection, f"new session {number} after the kill")
        wait_state(lab, takeover.survivor, refusing, "down")
        for connection in asked + silent:
            connection.close()
    return (f"{2 * len(asked)} sessions with PROXY headers went on over a kill ({len(asked)} of them had said nothing), "
            "a refusing backend was replaced and found by both nodes, a drained one got no session")


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--sessions", type=int, default=5, help="of each kind")
    labtest.main(test, options)
