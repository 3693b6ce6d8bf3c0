#!/usr/bin/env python3
"""Plants each bug of mutants.toml into a copy of the sources and runs the simulation until a seed fails.

--dry-run only looks whether every mutant still applies to the sources, and whether their copy can be configured.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
sys.dont_write_bytecode = True

import planted  # noqa: E402

COPIED = ("meson.build", "meson_options.txt", "lib", "cores", "tests/sim", "tests/support/memory_store.hpp",
          "tests/support/memory_link.hpp")
TARGET = "tests/sim/sim"


def run(copy, seeds, jobs, applications=()):
    """Runs seeds 1.., or takeovers of applications (the words of a mutant's `run`), until one fails; returns (seed, why) or None."""
    what = [f"--{applications[0]}", *applications[1:], "--every", "3"] if applications else ["--seeds", f"1..{seeds}"]
    command = [str(copy.build_directory / TARGET), *what, "--stop-after", "1", "--jobs", str(jobs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"^seed (\d+): (.*)$", done.stdout, re.MULTILINE)
    return (int(found[1]), found[2]) if found else None


def try_mutant(copy, mutant, arguments):
    """One line of the report, and whether the mutant was caught."""
    if not copy.plant(mutant):
        return "DOES NOT APPLY: its old text is not exactly once in " + mutant["file"], False
    complaints = copy.build([TARGET], arguments.jobs)
    if complaints:
        return "DOES NOT BUILD\n" + complaints, False
    applications = mutant.get("run", "").split()
    found = run(copy, arguments.seeds, arguments.jobs, applications)
    if found is None:
        return "SURVIVES all takeovers" if applications else f"SURVIVES {arguments.seeds} seeds", False
    return f"caught by seed {found[0]}: {found[1][:110]}", True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds may be needed")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", help="mutants whose name contains this")
    parser.add_argument("--no-baseline", action="store_true", help="do not first run the sources as they are")
    parser.add_argument("--dry-run", action="store_true", help="only look whether all mutants apply")
    arguments = parser.parse_args()
    mutants = planted.load(HERE / "mutants.toml", arguments.only)
    if arguments.dry_run:
        sys.exit(planted.dry_run(mutants, COPIED))
    with tempfile.TemporaryDirectory(prefix="sim-mutants-") as directory:
        copy = planted.Copy(pathlib.Path(directory), COPIED, ("-Dwerror=false", "-Ddebug=false", "-Doptimization=2"))
        copy.refresh()
        complaints = copy.build([TARGET], arguments.jobs)
        if complaints:
            sys.exit("the sources do not build:\n" + complaints)
        if not arguments.no_baseline and (found := run(copy, 100, arguments.jobs)):
            sys.exit(f"the sources fail by themselves, seed {found[0]}: {found[1]}")
        missed = 0
        for mutant in mutants:
            line, caught = try_mutant(copy, mutant, arguments)
            missed += 0 if caught else 1
            print(f"{mutant['name']:<42} {line}", flush=True)
    print(f"{len(mutants) - missed} caught, {missed} not")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
