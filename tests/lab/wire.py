#!/usr/bin/env python3
"""The lossy wire does what it was told, with real ping, iperf3 and curl.

Some go from the client to an address that its switch has for that time, so that only the wire is measured; others through
the proxy. --load carries 500 Mbit/s each way for so long and says what it took; the shared machine makes that no verdict.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator

import labtest
import tagged
from labtest import check
from labkit import topology, webserver
from labkit.lab import Lab
from labkit.shell import LabError, in_namespace, run
from labkit.traffic import start_peer_server
from labkit.wire import DIRECTIONS, Wire

_SWITCH = "10.77.1.1"
_LATE_MS = 8  # how late this shared machine may be; a median over many
_FILE_BYTES = 2 << 20


# ---- what is measured with ---------------------------------------------------------------------------------


@contextlib.contextmanager
def switch_address(lab: Lab) -> Iterator[None]:
    """An address of the client network at the switch itself, behind the wire."""
    switch = lab.names.switch("client")
    run("ip", "-n", switch, "address", "add", f"{_SWITCH}/24", "dev", "br0")
    try:
        run(*in_namespace(lab.names.of("client"), "ping", "-c", "1", "-W", "5", _SWITCH))  # both know each other's MAC
        yield
    finally:
        run("ip", "-n", switch, "address", "delete", f"{_SWITCH}/24", "dev", "br0")


def ping(lab: Lab, *options: str) -> str:
    return run(*in_namespace(lab.names.of("client"), "ping", *options, _SWITCH), timeout=60, check=False)


def round_trips_ms(lab: Lab, count: int = 60) -> list[float]:
    """Sorted."""
    found = sorted(float(each) for each in re.findall(r"time=([\d.]+) ms", ping(lab, "-c", str(count), "-i", "0.02")))
    check(len(found) == count, f"{count - len(found)} of {count} pings without an answer on a wire without loss")
    return found


def iperf(lab: Lab, seconds: float, *options: str) -> dict:
    """iperf3 from the client to the switch; its report."""
    server = subprocess.Popen(in_namespace(lab.names.switch("client"), "iperf3", "-s", "-1"), stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 5
        while not run(*in_namespace(lab.names.switch("client"), "ss", "-Hltn", "sport", "= :5201")):
            check(time.monotonic() < deadline, "the iperf3 server does not listen")
            time.sleep(0.02)
        return json.loads(run(*in_namespace(lab.names.of("client"), "iperf3", "-c", _SWITCH, "-t", f"{seconds:g}", "-J",
                                            *options), timeout=seconds + 20))
    finally:
        server.kill()
        server.wait()


def hardware(lab: Lab) -> tuple[str, str]:
    """MAC and addresses of the client's device."""
    link = json.loads(run("ip", "-n", lab.names.of("client"), "-j", "address", "show", "dev", topology.ENDPOINT_DEVICE))[0]
    return link["address"], " ".join(sorted(each["local"] for each in link["addr_info"]))


def check_no_fault(place: Wire) -> None:
    for direction, counts in place.counters().items():
        for name in ("store_full", "missed", "oversized", "unfinished", "send_failed"):
            check(counts[name] == 0, f"{direction}: {name} {counts[name]}")


# ---- the tests ---------------------------------------------------------------------------------------------


def delays(lab: Lab, place: Wire) -> str:
    place.set({"delay": 20})
    found = round_trips_ms(lab)
    median = found[len(found) // 2]
    check(found[0] >= 40 and median < 40 + _LATE_MS, f"20 ms one way: round trips {found[0]} to {found[-1]} ms")
    place.set({"delay": 5, "jitter": 20})
    found = round_trips_ms(lab)
    check(found[0] >= 10 and found[-1] - found[0] > 10, f"jitter 20 ms: round trips {found[0]} to {found[-1]} ms")
    return f"RTT {median:.2f} for 40 ms"


def losses(lab: Lab, place: Wire) -> str:
    place.set({"loss": 10, "dup": 10, "seed": 5})
    before = place.counters()
    said = ping(lab, "-f", "-c", "2000", "-q")
    now = place.counters()
    counts = {direction: {name: now[direction][name] - before[direction][name] for name in now[direction]}
              for direction in now}
    for direction, each in counts.items():
        for name in ("lost", "duplicated"):
            # A copy is made of what was not lost, and is asked and answered for itself.
            of = each["received"] - (each["lost"] if name == "duplicated" else 0)
            deviation = (of * 0.1 * 0.9) ** 0.5
            check(abs(each[name] - 0.1 * of) < 5 * deviation, f"{direction}: 10 % {name}, and it was {each[name]} of {of}")
    check("duplicates" in said, f"copies, and ping saw none: {said}")
    # An echo comes if its request or a copy of it, and an answer to one of them, is not lost.
    percent = float(re.search(r"([\d.]+)% packet loss", said)[1])
    check(13 < percent < 22, f"10 % loss each way, and ping lost {percent} %")
    return f"loss {100 * counts['to_switch']['lost'] / counts['to_switch']['received']:.1f} of 10 %"


def rates(lab: Lab, place: Wire) -> str:
    place.set({"rate": 50})
    full = place.counters()["to_switch"]["queue_full"]
    mbit = iperf(lab, 2)["end"]["sum_received"]["bits_per_second"] / 1e6
    check(25 < mbit < 50, f"rate 50 Mbit/s, and iperf3 got {mbit:.1f}")
    place.set({"rate": 50, "queue": 16})
    iperf(lab, 1, "-u", "-b", "100M", "-l", "1000")
    check(place.counters()["to_switch"]["queue_full"] > full, "twice the rate, and the queue never was full")
    place.set({"reorder": 5, "reorder-by": 5})
    iperf(lab, 1, "-u", "-b", "20M", "-l", "1000")
    counts = place.counters()["to_switch"]
    check(counts["reordered"] > 20, f"5 % held back, and {counts['reordered']} of {counts['passed']} reordered")
    return f"{mbit:.1f} of 50 Mbit/s"


def tags(lab: Lab, place: Wire) -> None:
    place.set({"vlan": 7})
    with tagged.Responder(lab.names.switch("client"), "wire") as switch:
        run("ip", "-n", lab.names.of("client"), "neighbour", "flush", "dev", topology.ENDPOINT_DEVICE)
        run(*in_namespace(lab.names.of("client"), "ping", "-c", "1", "-W", "1", tagged.ADDRESS), check=False)
        seen = switch.finish()
        neighbour = run("ip", "-n", lab.names.of("client"), "neighbour", "show", tagged.ADDRESS)
    check(seen == {7}, f"frames at the switch with VLAN {seen or 'none'} instead of 7")
    check(tagged.MAC in neighbour, f"the tagged answer did not arrive: {neighbour or 'nothing'}")
    check(place.counters()["to_host"]["other_vlan"] > 0, "an untagged answer was not dropped")


def in_and_out(lab: Lab) -> None:
    """Established connections outlive every change."""
    start_peer_server(lab)
    connection = labtest.open_echo(lab)
    before = hardware(lab)
    for endpoint in topology.ENDPOINTS:
        place = Wire(lab, endpoint)
        place.set({})
        labtest.echo(connection, f"a wire put in at the {endpoint}")
        place.set({"delay": 10})
        labtest.echo(connection, f"a wire changed at the {endpoint}")
    check(hardware(lab) == before, f"the client's device was {before}, and is {hardware(lab)}")
    for endpoint in topology.ENDPOINTS:
        Wire(lab, endpoint).remove()
        labtest.echo(connection, f"a wire taken out at the {endpoint}")
    check(hardware(lab) == before, f"the client's device was {before}, and is {hardware(lab)}")
    connection.close()


def through_the_proxy(lab: Lab) -> None:
    """A file over two bad wires is the same file."""
    for seed, endpoint in enumerate(topology.ENDPOINTS):
        Wire(lab, endpoint).set({"loss": 1, "delay": 3, "jitter": 1, "reorder": 1, "dup": 1, "rate": 100, "seed": seed})
    got = lab.data / "got.bin"
    run(*in_namespace(lab.names.of("client"), "curl", "-sf", "-m", "50", "-r", f"0-{_FILE_BYTES - 1}", "-o", str(got),
                      f"http://{topology.VIP}/{webserver.BIG_FILE}"), timeout=60)
    with (lab.data / "files" / webserver.BIG_FILE).open("rb") as file:
        check(got.read_bytes() == file.read(_FILE_BYTES), "other bytes arrived than were sent")
    for endpoint in topology.ENDPOINTS:
        counts = Wire(lab, endpoint).counters()
        check(sum(each["lost"] for each in counts.values()) > 0, f"no frame was lost at the {endpoint}")
        check_no_fault(Wire(lab, endpoint))


def refusals(lab: Lab) -> None:
    for values, word in (({"loss": 101}, "--loss"), ({"delay": -1}, "--delay"), ({"vlan": 4095}, "--vlan"),
                         ({"rate": 0.01}, "--rate"), ({"rate": 9000, "delay": 2000}, "--delay"), ({"seed": 1.5}, "--seed")):
        try:
            Wire(lab, "client").set(values)
        except LabError as error:
            check(word in str(error) and "give" in str(error), f"{values}: the refusal does not say what to do: {error}")
        else:
            raise labtest.Failure(f"{values} was not refused")


def load(lab: Lab, place: Wire, seconds: float) -> str:
    """CPU time of the wire's program; it includes what the kernel does for both ends while a frame is handed over."""
    place.set({"rate": 500, "queue": 1000})
    process = lab.processes.find("wire-client")

    def on_cpu_s() -> float:
        with open(f"/proc/{process.pid}/schedstat") as file:
            return int(file.read().split()[0]) / 1e9

    before, began = on_cpu_s(), place.counters()
    iperf(lab, seconds, "-u", "-b", "480M", "-l", "1472", "--bidir")
    now = place.counters()
    share = 100 * (on_cpu_s() - before) / seconds
    mbit = [8e-6 * (now[each]["passed_bytes"] - began[each]["passed_bytes"]) / seconds for each in DIRECTIONS]
    missed = sum(each["missed"] for each in now.values())
    return f"{mbit[0]:.0f} and {mbit[1]:.0f} Mbit/s with {share:.0f} % of a CPU, {missed} frames missed"


def test(arguments: argparse.Namespace) -> str:
    with labtest.laboratory(arguments) as lab:
        refusals(lab)
        check(not Wire(lab, "client").present(), "a refused wire was put in")
        in_and_out(lab)
        place = Wire(lab, "client")
        place.set({})
        with switch_address(lab):
            said = [delays(lab, place), losses(lab, place), rates(lab, place)]
            check_no_fault(place)
            if arguments.load:
                said.append(load(lab, place, arguments.load))
        tags(lab, place)
        through_the_proxy(lab)
        lab.processes.find("wire-server").signal(signal.SIGKILL)
        processes = [lab.processes.find(f"wire-{endpoint}") for endpoint in topology.ENDPOINTS]
        namespaces = lab.names.existing()
    check(len(namespaces) == 8, f"the lab had the namespaces {namespaces}")
    check(not lab.names.existing(), f"namespaces left: {lab.names.existing()}")
    check(not any(each and each.alive() for each in processes), "a wire's program outlived its lab")
    check(not lab.directory.exists(), f"{lab.directory} left")
    return "; ".join(said) + "; VLAN tags; put in and taken out below an open connection; nothing left behind"


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--load", type=float, default=0, metavar="S")
    labtest.main(test, options)
