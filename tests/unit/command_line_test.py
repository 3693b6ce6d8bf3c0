#!/usr/bin/env python3
"""Wrong words on command lines, answered by name and with exit status 2: command_line_test.py HOLDFAST HOLDFASTCTL HOLDFAST-JOURNAL."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

ROOT = Path(__file__).resolve().parents[2]
SHELL_SCRIPTS = ("check", "fuzz", "install", "model", "sanitize", "sim", "test")
SCRIPTS = (*SHELL_SCRIPTS, "bench", "lab", "lint", "mutants", "rfc-report", "run")
_HOLDFAST = _HOLDFASTCTL = _HOLDFAST_JOURNAL = ""


def run(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=60)


class Holdfastctl(unittest.TestCase):
    def refused(self, *words: str) -> str:
        done = run(_HOLDFASTCTL, *words)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        return done.stderr.strip()

    def test_wrong_words_are_named(self) -> None:
        commands = "status, sessions, backends, drain, counters, events, mirror, guard, cores"
        help_ = ". See holdfastctl --help"
        self.assertEqual(self.refused("frob"), f"holdfastctl: unknown command frob; one of {commands}{help_}")
        self.assertEqual(self.refused(), f"holdfastctl: no command; give one of {commands}{help_}")
        self.assertEqual(self.refused("status", "a"), f"holdfastctl: unknown word a after the command; leave it out{help_}")
        self.assertEqual(self.refused("status", "--jsn"), f"holdfastctl: unknown option --jsn{help_}")
        self.assertIn("--socket", self.refused("status", "--socket"))

    def test_help_is_no_error(self) -> None:
        for words in (["--help"], ["status", "--help"], ["--version"]):
            done = run(_HOLDFASTCTL, *words)
            self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_node_that_is_not_there_is_status_1(self) -> None:
        self.assertEqual(run(_HOLDFASTCTL, "status", "--socket", "/nonexistent/socket").returncode, 1)


class Holdfast(unittest.TestCase):
    def test_forgotten_dashes_are_named(self) -> None:
        done = run(_HOLDFAST, "-l", "0-3", "--config", "a.toml")
        self.assertEqual(done.returncode, 2)
        self.assertIn('unknown option -l; EAL options stand before a lone "--"', done.stderr)

    def test_a_configuration_that_is_refused_is_status_1(self) -> None:
        done = run(_HOLDFAST, "--check-config", "--config", "/nonexistent")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr, "/nonexistent:1: file: can not be read: No such file or directory; give an existing "
                                      "file with --config\n")

    def test_ports_are_printed_for_programs(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            key = Path(directory) / "key"
            key.touch(mode=0o600)
            key.write_bytes(bytes(32))
            file = Path(directory) / "a.toml"
            file.write_text((ROOT / "scripts/example.toml").read_text().replace("/etc/holdfast/key", str(key)))
            done = run(_HOLDFAST, "--print-devices", "--config", file)
        self.assertEqual(done.stdout, "client net_af_xdp0 1500\nserver net_af_xdp1 1500\nmirror net_af_xdp2 1500\n")


class HoldfastJournal(unittest.TestCase):
    def test_an_empty_directory_is_an_empty_log(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            done = run(_HOLDFAST_JOURNAL, "verify", directory)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("sound: 0 records", done.stdout)
            done = run(_HOLDFAST_JOURNAL, "read", directory, "0")
            self.assertEqual(done.returncode, 1)
            self.assertIn("there is no session 0", done.stderr)

    def test_what_is_no_log_is_named_with_status_1(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            (Path(directory) / "00000000000000000000.seg").write_bytes(b"x" * 100)
            done = run(_HOLDFAST_JOURNAL, "verify", directory)
        self.assertEqual(done.returncode, 1)
        self.assertIn("00000000000000000000.seg: its header does not check", done.stderr)

    def test_wrong_words(self) -> None:
        self.assertEqual(run(_HOLDFAST_JOURNAL).returncode, 2)
        self.assertEqual(run(_HOLDFAST_JOURNAL, "verify", "/nonexistent").returncode, 2)


class Scripts(unittest.TestCase):
    """Each has --help, and starts nothing on a word that it does not know."""

    def test_unknown_words(self) -> None:
        for script in SCRIPTS:
            with self.subTest(script):
                done = run(ROOT / "scripts" / script, "--ful")
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn("usage", done.stderr.lower())

    def test_help(self) -> None:
        for script in SCRIPTS:
            with self.subTest(script):
                done = run(ROOT / "scripts" / script, "--help")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("usage", done.stdout.lower())


if __name__ == "__main__":
    _HOLDFAST, _HOLDFASTCTL, _HOLDFAST_JOURNAL = sys.argv[1:4]
    unittest.main(argv=sys.argv[:1] + sys.argv[4:])
