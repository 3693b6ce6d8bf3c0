"""What the endpoints do: bulk streams, requests and connections, all on CPU 0."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from labkit import topology, webserver
from labkit.lab import Lab
from labkit.shell import LabError, in_namespace, run

ENDPOINT_CPU = 0
BULK_PORT = 5201
TINY_FILE = "tiny.bin"
TINY_BYTES = 128


@dataclass(frozen=True)
class Load:
    """One way to load the wire; `measure` gives its rate and how much was done at all."""

    name: str
    unit: str
    kind: str  # up, down, requests or connections
    parallel: int

    def measure(self, lab: Lab, address: str, seconds: float) -> tuple[float, float]:
        if self.kind in ("up", "down"):
            return _bulk(lab, address, seconds, self.parallel, down=self.kind == "down")
        return _requests(lab, address, seconds, self.parallel, close=self.kind == "connections")


BULK = [Load("bulk up, 1 stream", "Gbit/s", "up", 1), Load("bulk down, 1 stream", "Gbit/s", "down", 1),
        Load("bulk up, 8 streams", "Gbit/s", "up", 8), Load("bulk down, 8 streams", "Gbit/s", "down", 8)]
REQUESTS = [Load("requests, 1 connection", "1/s", "requests", 1), Load("requests, 64 connections", "1/s", "requests", 64)]
CONNECTIONS = Load("connections, 32 at a time", "1/s", "connections", 32)
ALL = [*BULK, *REQUESTS, CONNECTIONS]


def prepare(lab: Lab) -> None:
    """The servers; nginx runs in every lab."""
    webserver.random_file(lab.data / "files" / TINY_FILE, TINY_BYTES)
    lab.spawn("iperf3", "server", ["taskset", "-c", str(ENDPOINT_CPU), "iperf3", "-s", "-B", topology.SERVER_ADDRESS,
                                   "-p", str(BULK_PORT)])


def _on_client(lab: Lab, seconds: float, *argv: str) -> str:
    """A command on the client, with its exit status left to the caller: both tools say more in words."""
    return run(*in_namespace(lab.names.of("client"), "taskset", "-c", str(ENDPOINT_CPU), *argv),
               timeout=seconds + 20, check=False)


def _bulk(lab: Lab, address: str, seconds: float, streams: int, down: bool) -> tuple[float, float]:
    said = _on_client(lab, seconds, "iperf3", "-J", "-c", address, "-p", str(BULK_PORT), "-t", str(seconds),
                      "-P", str(streams), "--connect-timeout", "3000", *(["-R"] if down else []))
    try:
        received = json.loads(said)["end"]["sum_received"]
    except (ValueError, KeyError):
        raise LabError(f"iperf3 to {address}: {said.strip()[-300:]}") from None
    return received["bits_per_second"] / 1e9, received["bytes"]


def _requests(lab: Lab, address: str, seconds: float, connections: int, close: bool) -> tuple[float, float]:
    # Without the blank after the colon wrk keeps the connection alive all the same.
    header = ["-H", "Connection: close"] if close else []
    said = _on_client(lab, seconds, "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", *header,
                      f"http://{address}/{TINY_FILE}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    count = re.search(r"(\d+) requests in", said)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+)", said)
    if not rate or not count or int(count[1]) == 0 or "Non-2xx" in said or (errors and any(map(int, errors.groups()))):
        raise LabError(f"wrk to {address}: {said.strip()[-300:]}")
    return float(rate[1]), float(count[1])
