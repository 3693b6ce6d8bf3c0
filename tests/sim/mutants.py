#!/usr/bin/env python3
"""Plants each bug of mutants.toml into a copy of the sources and runs the simulation until a seed fails.

--dry-run only looks whether every mutant still applies to the sources, and whether their copy can be configured.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COPIED = ("meson.build", "meson_options.txt", "lib", "cores", "tests/sim")


def pattern_of(text):
    """Matches `text` with any white space between its words, and around punctuation that a formatter may move."""
    return re.compile(r"\s*".join(re.escape(word) for word in re.findall(r"\w+|[^\w\s]", text)))


def mutated(text, mutant):
    """`text` with the bug in it, or None when the mutant does not apply."""
    matches = list(pattern_of(mutant["old"]).finditer(text))
    if len(matches) != 1:
        return None
    begin, end = matches[0].span()
    return text[:begin] + mutant["new"] + text[end:]


def plant(tree, mutant):
    """Changes the copy; returns the original text of the file, or None when the mutant does not apply."""
    path = tree / mutant["file"]
    original = path.read_text()
    changed = mutated(original, mutant)
    if changed is not None:
        path.write_text(changed)
    return None if changed is None else original


def dry_run(mutants):
    """Names what no longer applies; every mutant must, and under a name of its own."""
    stale = [m for m in mutants if mutated((ROOT / m["file"]).read_text(), m) is None]
    for mutant in stale:
        print(f"{mutant['name']}: its old text is not exactly once in {mutant['file']}")
    names = {m["name"] for m in mutants}
    if len(names) != len(mutants):
        print("two mutants have the same name")
    with tempfile.TemporaryDirectory(prefix="sim-mutants-") as directory:
        copy_sources(pathlib.Path(directory))
        configure(pathlib.Path(directory))
    print(f"{len(mutants) - len(stale)} apply, {len(stale)} do not")
    return 1 if stale or len(names) != len(mutants) else 0


def copy_sources(tree):
    for name in COPIED:
        source, target = ROOT / name, tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)
    # The folders that were not copied are not built.
    meson = tree / "meson.build"
    meson.write_text(re.sub(r"'((?:engine|tests)[^']*)',?",
                            lambda named: named[0] if (tree / named[1]).is_dir() else "", meson.read_text()))


def configure(tree):
    subprocess.run(["meson", "setup", str(tree / "build"), str(tree), "-Dwerror=false", "-Ddebug=false",
                    "-Doptimization=2"], check=True, stdout=subprocess.DEVNULL)


def build(tree, jobs):
    """Builds the simulation; returns the compiler's complaints, empty when it worked."""
    target = tree / "build"
    if not target.exists():
        configure(tree)
    done = subprocess.run(["ninja", "-C", str(target), "-j", str(jobs), "tests/sim/sim"],
                          capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout[-2000:]


def run(tree, seeds, jobs):
    """Runs seeds 1.. until one fails; returns (seed, why) or None."""
    command = [str(tree / "build/tests/sim/sim"), "--seeds", f"1..{seeds}", "--stop-after", "1", "--jobs", str(jobs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"^seed (\d+): (.*)$", done.stdout, re.MULTILINE)
    return (int(found[1]), found[2]) if found else None


def try_mutant(tree, mutant, arguments):
    """One line of the report, and whether the mutant was caught."""
    original = plant(tree, mutant)
    if original is None:
        return "DOES NOT APPLY: its old text is not exactly once in " + mutant["file"], False
    try:
        complaints = build(tree, arguments.jobs)
        if complaints:
            return "DOES NOT BUILD\n" + complaints, False
        found = run(tree, arguments.seeds, arguments.jobs)
    finally:
        (tree / mutant["file"]).write_text(original)
    if found is None:
        return f"SURVIVES {arguments.seeds} seeds", False
    return f"caught by seed {found[0]}: {found[1][:110]}", True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds may be needed")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", help="mutants whose name contains this")
    parser.add_argument("--no-baseline", action="store_true", help="do not first run the sources as they are")
    parser.add_argument("--dry-run", action="store_true", help="only look whether all mutants apply")
    arguments = parser.parse_args()
    mutants = tomllib.loads((HERE / "mutants.toml").read_text())["mutant"]
    if arguments.only:
        mutants = [m for m in mutants if arguments.only in m["name"]]
    if arguments.dry_run:
        sys.exit(dry_run(mutants))
    with tempfile.TemporaryDirectory(prefix="sim-mutants-") as directory:
        tree = pathlib.Path(directory)
        copy_sources(tree)
        complaints = build(tree, arguments.jobs)
        if complaints:
            sys.exit("the sources do not build:\n" + complaints)
        if not arguments.no_baseline and (found := run(tree, 100, arguments.jobs)):
            sys.exit(f"the sources fail by themselves, seed {found[0]}: {found[1]}")
        missed = 0
        for mutant in mutants:
            line, caught = try_mutant(tree, mutant, arguments)
            missed += 0 if caught else 1
            print(f"{mutant['name']:<42} {line}", flush=True)
    print(f"{len(mutants) - missed} caught, {missed} not")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
