"""Parts that need no lab: programs in one process with virtual time (a, e)."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from pathlib import Path

from labkit.lab import REPOSITORY
from labkit.shell import LabError, run

from benchkit.result import Row

_MEASURED = "holdfast::bench::(anonymous namespace)::Relay::timed(holdfast::Side)"
_BEGIN = "holdfast::bench::(anonymous namespace)::Relay::round()"


def relay_cycles(rounds: int) -> list[Row]:
    """Cycles per data segment and its ACK on both cores, and as a ratio to two macswaps."""
    rows = []
    for ports in ("virtio", "ring"):
        found = _run("relay_cycles", 512, "--ports", ports, "--rounds", str(rounds))
        kind = found["ports"]
        for case in found["cases"]:
            frames = f"{case['frames_out']:.2f} frames out a segment"
            rows.append(Row("a", f"{case['case']} ({kind})", case["relay"], "cycles", note=frames))
            # net_ring moves nothing: no work at all could be done in twice its time.
            aim = "at most 2" if ports == "virtio" else ""
            rows.append(Row("a", "    to macswap of the same frames", case["ratio"], "ratio", aim,
                            f"macswap {case['floor']} cycles"))
    return rows


def relay_instructions(case: int = 0, shown: int = 25) -> list[Row]:
    """Instructions per segment under callgrind, which are repeatable, and the functions they are spent in."""
    with tempfile.TemporaryDirectory() as directory:
        profile = Path(directory) / "callgrind.out"
        found = _run("relay_cycles", 256, "--ports", "ring", "--once", str(case), wrapper=[
            "valgrind", "-q", "--tool=callgrind", "--collect-atstart=no", f"--toggle-collect={_MEASURED}",
            f"--zero-before={_BEGIN}", f"--callgrind-out-file={profile}"])
        costs, calls = _self_costs(profile.read_text())
    segments = found["segments"]
    rows = [Row("a", f"{found['case']}: instructions a segment and its ACK", sum(costs.values()) / segments, "instructions")]
    for name, cost in costs.most_common(shown):
        short = re.sub(r"\(anonymous namespace\)::|holdfast::", "", name)
        rows.append(Row("a", "    " + re.sub(r"\(.*", "", short), cost / segments, "instructions",
                        note=f"{calls[name] / segments:.2f} calls"))
    return rows


def session_memory() -> list[Row]:
    """Resident memory per session, and as a ratio to the aim."""
    found = _run("session_memory", 2048)
    sizes = f"leg {found['leg']} B and cell {found['cell']} B, twice; record {found['record']} B"
    waiting = f"inherited {found['inherited']} B, twice; record {found['record']} B; no leg before a takeover"
    rows = []
    for role, aim, note in (("active", 1024, sizes), ("standby", 384, waiting)):
        grown = found[f"resident_growth_{role}"]
        verb = "opened" if role == "active" else "learned"
        rows.append(Row("e", f"{role}: resident growth per session {verb}", grown, "bytes", f"at most {aim}", note))
        rows.append(Row("e", "    to the aim", grown / aim, "ratio", "at most 1"))
    rows.append(Row("e", "in memory from the start, per slot, either role", found["resident_per_slot_at_start"], "bytes",
                    note="flow tables, wheels and lists, whether used or not"))
    rows.append(Row("e", "address space reserved at start, per slot", found["reserved_per_slot"], "bytes",
                    note="nothing is allocated later"))
    return rows


def build_directory() -> Path:
    return REPOSITORY / os.environ.get("HOLDFAST_BUILD", "build")


def _run(program: str, megabytes: int, *arguments: str, wrapper: list[str] | None = None) -> dict:
    binary = build_directory() / "tests" / "bench" / program
    if not binary.exists():
        raise LabError(f"{binary} does not exist: meson setup build && ninja -C build (HOLDFAST_BUILD names another one)")
    cpu = max(os.sched_getaffinity(0))
    eal = ["--no-huge", "--no-pci", "--no-shconf", "--no-telemetry", "-m", str(megabytes), "--log-level=3", "-l", str(cpu)]
    return json.loads(run(*(wrapper or []), str(binary), *eal, "--", *arguments, timeout=3600))


def _self_costs(profile: str) -> tuple[Counter[str], Counter[str]]:
    """Own cost and number of calls of each function, from callgrind's file."""
    names: dict[str, str] = {}
    costs: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    here = there = ""
    cost_of_call = False
    for line in profile.splitlines():
        if match := re.match(r"(c?)fn=\((\d+)\)(?: (.*))?$", line):
            names.setdefault(match[2], match[3] or "?")
            if match[1]:
                there = names[match[2]]
            else:
                here = names[match[2]]
        elif line.startswith("calls="):
            calls[there] += int(line[6:].split()[0])
            cost_of_call = True
        elif re.match(r"[+\-*\d]", line):
            if not cost_of_call and here:
                costs[here] += int(line.split()[1])
            cost_of_call = False
    return costs, calls
