"""Figures, and how they are shown."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit import table


@dataclass(frozen=True)
class Row:
    """One figure: the median over the rounds of a run."""

    part: str  # a to f
    what: str
    value: float
    unit: str
    aim: str = ""
    note: str = ""


def median(values: list[float]) -> float:
    return statistics.median(values)


def succeeded(values: list[float]) -> float:
    """The median of the rounds that did; nan stands for one that failed."""
    good = [value for value in values if value == value]
    return median(good) if good else float("nan")


def median_ratio(numerators: list[float], denominators: list[float]) -> float:
    """Of the rounds in which both succeeded."""
    return succeeded([n / d for n, d in zip(numerators, denominators)])


def machine() -> dict[str, str]:
    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "?")
    return {"cpu": f"{os.cpu_count()} x {model}", "kernel": platform.release(),
            "load average": " ".join(f"{load:.1f}" for load in os.getloadavg())}


def show(rows: list[Row]) -> str:
    heading = ["figure", "value", "unit", "aim", "note"]
    lines = [[f"{row.part}  {row.what}", number(row.value), row.unit, row.aim, row.note] for row in rows]
    return table.render([heading, *lines])


def number(value: float) -> str:
    """Three digits that matter."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def as_json(rows: list[Row], about: dict[str, str]) -> dict[str, object]:
    return {"machine": about, "rows": [asdict(row) for row in rows]}
