#!/usr/bin/env python3
"""The system's specification, statement by statement: each is shown by named tests, and fails without its mechanism.

claims.toml holds the statements, the tests of each, and the mechanism that is taken out: one line of a copy of the sources.
A statement is shown when all of its tests pass, and one of them fails without the mechanism. --lab runs the tests with Linux
peers, too. --dry-run only looks whether every name in the list exists and every mechanism can be taken out.
HOLDFAST_BUILD names the build directory (default: build); the copy is in its folder "claims", and is kept for the next run.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import subprocess
import sys
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))
sys.dont_write_bytecode = True

import planted  # noqa: E402

COPIED = ("meson.build", "meson_options.txt", "lib", "cores", "engine", "scripts", "tests/golden", "tests/rfc", "tests/script",
          "tests/sim", "tests/support", "tests/unit")
STORIES, SIMULATOR = "tests/script/script", "tests/sim/sim"
# What hangs has failed, too.
TIME_LIMIT_S = 120
LAB_TIME_LIMIT_S = 400


class Runner:
    """Runs tests of one build, each once."""

    def __init__(self, build: pathlib.Path) -> None:
        self._build = build
        self._results: dict[str, bool] = {}

    def passes(self, test: str) -> bool:
        if test not in self._results:
            self._results[test] = self._run(test)
        return self._results[test]

    def _run(self, test: str) -> bool:
        for families in families_of(test):
            try:
                done = subprocess.run(command_of(test, self._build), capture_output=True, check=False, cwd=ROOT,
                                      timeout=LAB_TIME_LIMIT_S if kind_of(test) == "lab" else TIME_LIMIT_S,
                                      env={**os.environ, "HOLDFAST_STORY_FAMILIES": families,
                                           "HOLDFAST_BUILD": str(self._build)})
            except subprocess.TimeoutExpired:
                return False
            if done.returncode != 0:
                return False
        return True


def kind_of(test: str) -> str:
    return test.split(" ", 1)[0]


def families_of(test: str) -> tuple[str, ...]:
    """Stories hold in IPv4 and in IPv6."""
    return ("44", "66") if kind_of(test) == "story" else ("44",)


def target_of(test: str) -> str:
    """What has to be built for it."""
    kind, what = test.split(" ", 1)
    return {"story": STORIES, "sim": SIMULATOR, "unit": "tests/unit/" + what.split(":", 1)[0], "lab": "engine/holdfast"}[kind]


def command_of(test: str, build: pathlib.Path) -> list[str]:
    kind, what = test.split(" ", 1)
    if kind == "story":
        return [str(build / STORIES), escaped(what)]
    if kind == "unit":
        return [str(build / target_of(test)), escaped(what.split(":", 1)[1])]
    if kind == "sim":
        return [str(build / SIMULATOR), *what.split()]
    return [sys.executable, *(str(ROOT / "tests/lab" / word) if word.endswith(".py") else word for word in what.split())]


def escaped(name: str) -> str:
    """A test's name as Catch2 takes it: commas separate, brackets are tags."""
    return "".join("\\" + c if c in "\\,[]" else c for c in name)


def names_in(program: pathlib.Path) -> set[str]:
    done = subprocess.run([str(program), "--list-test-names-only"], capture_output=True, text=True, check=False)
    return set(done.stdout.splitlines())


def faults(claims: list[dict], mechanisms: list[dict], build: pathlib.Path) -> list[str]:
    """What the list names and nothing has, and mechanisms that can not be taken out."""
    known: dict[str, set[str]] = {}
    found = [] if len(claims) == 1 or markdown(claims) in (ROOT / "README.md").read_text() else [
        "README.md has another table than claims.py --table prints"]
    found += [f"mechanism {m['name']}: its old text is not exactly once in {m['file']}" for m in mechanisms
             if planted.mutated((ROOT / m["file"]).read_text(), m) is None]
    named = {m["name"] for m in mechanisms}
    for claim in claims:
        found += [f"claim {claim['number']}: no mechanism {name}" for name in claim["without"] if name not in named]
        for test in claim["tests"] + claim.get("lab", []):
            kind, what = test.split(" ", 1)
            if kind == "lab" and not (ROOT / "tests/lab" / what.split()[0]).exists():
                found.append(f"claim {claim['number']}: no {what}")
            if kind not in ("story", "unit"):
                continue
            program = target_of(test)
            names = known.setdefault(program, names_in(build / program))
            if what.split(":", 1)[1 if kind == "unit" else 0] not in names and what not in names:
                found.append(f"claim {claim['number']}: {program} has no \"{what}\"")
    return found


def fails_without(claim: dict, copy: planted.Copy, runner: Runner, jobs: int) -> str:
    """Which of the claim's tests fails in the copy, from which a mechanism was taken; empty when none does."""
    for test in claim["tests"]:
        if complaints := copy.build([target_of(test)], jobs):
            sys.exit(f"{test}: without its mechanism it does not build:\n{complaints}")
        if not runner.passes(test):
            return test
    return ""


def markdown(claims: list[dict]) -> str:
    """The table as README.md has it."""
    def shown_by(claim: dict) -> str:
        kinds = {"story": "stories", "unit": "unit tests", "sim": "simulator", "lab": "lab"}
        found = dict.fromkeys(kinds[kind_of(test)] for test in claim["tests"] + claim.get("lab", []))
        return ", ".join(found)

    rows = [f"| {c['number']} | {c['text']} | {shown_by(c)} | {'; '.join(c['without'])} |" for c in claims]
    return "\n".join(["| | statement | shown by | fails without |", "|---|---|---|---|", *rows])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=int, help="this statement alone")
    parser.add_argument("--lab", action="store_true", help="tests with Linux peers, too")
    parser.add_argument("--keep-mechanisms", action="store_true", help="only run the tests: nothing is taken out")
    parser.add_argument("--jobs", type=int, default=2, help="how many files are compiled at once")
    parser.add_argument("--dry-run", action="store_true", help="only look whether the list fits the sources")
    parser.add_argument("--table", action="store_true", help="only print the table of README.md")
    arguments = parser.parse_args()
    listed = tomllib.loads((HERE / "claims.toml").read_text())
    claims = [c for c in listed["claim"] if arguments.only in (None, c["number"])]
    mechanisms = {m["name"]: m for m in listed["mechanism"]}
    if arguments.table:
        print(markdown(claims))
        return 0
    build = pathlib.Path(os.environ.get("HOLDFAST_BUILD", ROOT / "build")).resolve()
    if wrong := faults(claims, listed["mechanism"], build):
        print(*wrong, sep="\n")
        return 1
    if arguments.dry_run:
        print(f"{len(claims)} statements, {len(mechanisms)} mechanisms: all names exist")
        return 0

    runner = Runner(build)
    failing: dict[int, str] = {}
    for claim in claims:
        tests = claim["tests"] + (claim.get("lab", []) if arguments.lab else [])
        failing[claim["number"]] = next((t for t in tests if not runner.passes(t)), "")
    lost: dict[tuple[int, str], str] = {}
    if not arguments.keep_mechanisms:
        copy = planted.Copy(build / "claims", COPIED, ("-Dwerror=false", "-Ddebug=false", "-Doptimization=1"))
        copy.refresh()
        # Those of one mechanism stand together: it is taken out once.
        for name in dict.fromkeys(name for c in claims for name in c["without"]):
            copy.plant(mechanisms[name])
            without = Runner(copy.build_directory)
            for claim in (c for c in claims if name in c["without"]):
                lost[claim["number"], name] = fails_without(claim, copy, without, arguments.jobs)
                print(f"without {name}: {claim['number']} {lost[claim['number'], name] or 'NOTHING FAILS'}", flush=True)
        copy.heal()

    shown = 0
    for claim in claims:
        number = claim["number"]
        good = not failing[number] and (arguments.keep_mechanisms or all(lost[number, name] for name in claim["without"]))
        shown += 1 if good else 0
        print(f"{number:>2}  {'shown' if good else 'NOT SHOWN':<9}  {claim['text']}")
        if failing[number]:
            print(f"      fails: {failing[number]}")
        for name in claim["without"] if not arguments.keep_mechanisms else []:
            print(f"      without {name}: " + (f"fails: {lost[number, name]}" if lost[number, name] else "NOTHING FAILS"))
    print(f"{shown} passed, {len(claims) - shown} failed")
    return 0 if shown == len(claims) else 1


if __name__ == "__main__":
    sys.exit(main())
