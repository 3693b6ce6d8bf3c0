#!/usr/bin/env python3
"""A flood of SYNs from sources that nobody has, on the link and off it, while real clients connect: they get through.

Backends see next to nothing of it, and the node's memory does not grow. The rates are printed as measured: generator, node,
clients and servers share the machine's two CPUs.
"""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path

import labtest
from labtest import check
from labkit import nodeconf, topology
from labkit.lab import Lab
from labkit.shell import in_namespace, run
from labkit.traffic import start_peer_server

_HALF_OPEN = 256
_CLIENTS = 24  # threads
_ON_LINK = "10.77.1"
_MEMORY_MB = 4
_SESSION_MB = 0.0025  # of tables, touched for the first time by a real session
_SUCCESS = 0.99


class Clients:
    """Opens connections at a rate, one exchange each."""

    def __init__(self, lab: Lab, per_second: float, seconds: float) -> None:
        self.opened, self.failures = 0, list[str]()
        self.slowest_s = 0.0
        self._lab, self._interval = lab, 1 / per_second
        self._total = int(per_second * seconds)
        self._begin = time.monotonic()
        self._next = 0
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(_CLIENTS)]
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        deadline = time.monotonic() + self._total * self._interval + 60
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        check(not any(thread.is_alive() for thread in self._threads), "clients still wait a minute after the flood")

    def rate(self) -> float:
        return self.opened / (time.monotonic() - self._begin)

    def _work(self) -> None:
        while (number := self._turn()) is not None:
            time.sleep(max(0.0, self._begin + number * self._interval - time.monotonic()))
            began = time.monotonic()
            try:
                labtest.open_echo(self._lab, timeout_s=20).close()
                failure = ""
            except (OSError, labtest.Failure) as error:
                failure = str(error) or type(error).__name__
            with self._lock:
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                if failure:
                    self.failures.append(failure)
                else:
                    self.opened += 1

    def _turn(self) -> int | None:
        with self._lock:
            if self._next == self._total:
                return None
            self._next += 1
            return self._next - 1


def count_syns(lab: Lab) -> int:
    """SYNs that the servers have seen since the first call."""
    server = in_namespace(lab.names.of("server"), "nft")
    if "table inet flood" not in run(*server, "list", "tables"):
        run(*server, "add table inet flood; add chain inet flood in { type filter hook input priority 0; }; "
                     "add rule inet flood in tcp flags & (syn | ack) == syn counter")
    words = run(*server, "list", "table", "inet", "flood").split()
    return int(words[words.index("packets") + 1])


def memory_mb(lab: Lab, node: str) -> float:
    process = lab.node_process(node)
    check(process, f"node {node} is gone")
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS:"))) / 1024


def counters(lab: Lab, node: str) -> dict[str, int]:
    return {f"{row['module']}.{row['name']}": row["value"] for row in lab.ask(node, "counters")}


def test(arguments: argparse.Namespace) -> str:
    extra = {"limits": {"half_open": _HALF_OPEN}, "port": {"client": {"gateway": topology.CLIENT_ADDRESS}}}
    with labtest.laboratory(arguments, extra=extra) as lab:
        start_peer_server(lab)
        node = lab.wait_ready()
        for _ in range(20):
            labtest.open_echo(lab).close()
        count_syns(lab)
        before, memory, syns = counters(lab, node), memory_mb(lab, node), count_syns(lab)

        began = time.monotonic()
        log = lab.logs / "flood.log"
        flood = lab.spawn("flood", "client", [
            str(labtest.build_directory() / "tests" / "lab" / "flood"), topology.ENDPOINT_DEVICE, topology.VIRTUAL_MAC["client"],
            f"{topology.VIP}:{nodeconf.PEER_PORT}", _ON_LINK, str(arguments.seconds), str(arguments.rate)], log)
        time.sleep(0.5)
        clients = Clients(lab, arguments.clients, arguments.seconds - 1)
        clients.wait()
        rate = clients.rate()
        deadline = time.monotonic() + 20
        while flood.alive():
            check(time.monotonic() < deadline, "the flood does not end")
            time.sleep(0.1)
        lasted = min(time.monotonic() - began, arguments.seconds)

        after = counters(lab, node)
        grown = {name: value - before.get(name, 0) for name, value in after.items()}
        sent = int(log.read_text())
        cookies, opened = grown["client.proxy.cookies_sent"], grown["client.proxy.sessions_opened"]
        tried = clients.opened + len(clients.failures)
        seen = count_syns(lab) - syns
        check(lab.active() == node, "the flood changed who is active")
        check(cookies > 0 and grown["client.proxy.cookies_accepted"] > 0, "no cookie was needed: this shows nothing")
        check(clients.opened >= _SUCCESS * tried, f"only {clients.opened} of {tried} clients got through: {clients.failures[:3]}")
        # What was let through before the bound was met, and again each time that such sessions were given up.
        rounds = 1 + int(arguments.seconds / 30)
        check(seen <= 2 * (tried + 2 * rounds * _HALF_OPEN), f"the servers saw {seen} SYNs for {tried} clients")
        check(opened <= tried + rounds * _HALF_OPEN, f"{opened} sessions were opened for {tried} clients")
        grew = memory_mb(lab, node) - memory
        check(grew < _MEMORY_MB + _SESSION_MB * tried, f"the node's memory grew by {grew:.1f} MB")
        asked = grown["client.net.arp_requests_sent"]
        check(asked < 10 * rounds * _HALF_OPEN, f"{asked} neighbours were looked up")
    return (f"{sent / lasted:,.0f} SYN/s sent, {cookies / lasted:,.0f} cookies/s given; {clients.opened} of {tried} clients got "
            f"through at {rate:.0f}/s, the slowest in {clients.slowest_s:.1f} s; servers saw {seen} SYNs; memory +{grew:.1f} MB")


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--seconds", type=float, default=8)
    options.add_argument("--rate", type=float, default=100_000, help="SYNs a second that are aimed at")
    options.add_argument("--clients", type=float, default=200, help="real connections a second")
    labtest.main(test, options)
