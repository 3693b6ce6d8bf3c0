"""Bugs planted into a copy of the sources: what the mutants of the simulation and those of the packet stories share.

A list is a TOML file of [[mutant]] tables with `name`, `file`, `old` and `new`; `old` stands exactly once in `file`.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load(path: pathlib.Path, only: str | None = None) -> list[dict]:
    """The mutants of a list; with `only` those whose name or file contains it."""
    mutants = tomllib.loads(path.read_text())["mutant"]
    return [m for m in mutants if only is None or only in m["name"] or only in m["file"]]


def pattern_of(text: str) -> re.Pattern[str]:
    """Matches `text` with any white space between its words, and around punctuation that a formatter may move."""
    return re.compile(r"\s*".join(re.escape(word) for word in re.findall(r"\w+|[^\w\s]", text)))


def mutated(text: str, mutant: dict) -> str | None:
    """`text` with the bug in it, or None when the mutant does not apply."""
    matches = list(pattern_of(mutant["old"]).finditer(text))
    if len(matches) != 1:
        return None
    begin, end = matches[0].span()
    return text[:begin] + mutant["new"] + text[end:]


class Copy:
    """A copy of the files and folders `names` in `directory`, with a build directory of its own."""

    def __init__(self, directory: pathlib.Path, names: tuple[str, ...], options: tuple[str, ...] = ()) -> None:
        self._directory, self._names, self._options = directory, names, options
        self._planted: tuple[pathlib.Path, str] | None = None

    @property
    def build_directory(self) -> pathlib.Path:
        return self._directory / "build"

    def refresh(self) -> None:
        """The copy becomes what the sources are. What has not changed keeps its time, and is not compiled again."""
        wanted = {path.relative_to(ROOT) for name in self._names for path in _files(ROOT / name)}
        for name in wanted:
            _write(self._directory / name, _adapted(name, self._names))
        for name in self._names:
            for path in _files(self._directory / name):
                if path.relative_to(self._directory) not in wanted:
                    path.unlink()

    def plant(self, mutant: dict) -> bool:
        """Puts the bug into the copy, in the place of the one before; False when it does not apply."""
        self.heal()
        path = self._directory / mutant["file"]
        original = path.read_text()
        changed = mutated(original, mutant)
        if changed is None:
            return False
        path.write_text(changed)
        self._planted = path, original
        return True

    def heal(self) -> None:
        """Takes the planted bug out."""
        if self._planted:
            path, original = self._planted
            path.write_text(original)
            self._planted = None

    def configure(self) -> None:
        if not (self.build_directory / "build.ninja").exists():
            subprocess.run(["meson", "setup", str(self.build_directory), str(self._directory), *self._options], check=True,
                           stdout=subprocess.DEVNULL)

    def build(self, targets: list[str], jobs: int) -> str:
        """Builds `targets`; returns the compiler's complaints, empty when it worked."""
        self.configure()
        done = subprocess.run(["ninja", "-C", str(self.build_directory), "-j", str(jobs), *targets],
                              capture_output=True, text=True, check=False)
        return "" if done.returncode == 0 else done.stdout[-2000:]


def dry_run(mutants: list[dict], names: tuple[str, ...]) -> int:
    """Names what no longer applies, and whether a copy of `names` can be configured; the exit status."""
    stale = [m for m in mutants if mutated((ROOT / m["file"]).read_text(), m) is None]
    for mutant in stale:
        print(f"{mutant['name']}: its old text is not exactly once in {mutant['file']}")
    ambiguous = len({m["name"] for m in mutants}) != len(mutants)
    if ambiguous:
        print("two mutants have the same name")
    with tempfile.TemporaryDirectory(prefix="planted-") as directory:
        copy = Copy(pathlib.Path(directory), names)
        copy.refresh()
        copy.configure()
    print(f"{len(mutants) - len(stale)} apply, {len(stale)} do not")
    return 1 if stale or ambiguous else 0


def _files(path: pathlib.Path) -> list[pathlib.Path]:
    if path.is_file():
        return [path]
    return [p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts]


def _adapted(name: pathlib.Path, names: tuple[str, ...]) -> bytes:
    """What the copy of `name` holds: the top meson.build has only the folders that are copied."""
    content = (ROOT / name).read_bytes()
    if name != pathlib.Path("meson.build"):
        return content

    def is_copied(folder: str) -> bool:
        return any(folder == n or folder.startswith(n + "/") for n in names)

    return re.sub(r"'((?:engine|tests)[^']*)',?", lambda named: named[0] if is_copied(named[1]) else "",
                  content.decode()).encode()


def _write(path: pathlib.Path, content: bytes) -> None:
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
