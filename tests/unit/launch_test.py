#!/usr/bin/env python3
"""The launch scripts with --dry-run: what they would start, and what they refuse: launch_test.py HOLDFAST."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from labkit import nodeconf, topology  # noqa: E402

_HOLDFAST = ""
ALL_PORTS = ("--client", "lo", "--server", "lo", "--mirror", "lo")


class Launch(unittest.TestCase):
    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.directory = Path(temporary.name)
        self.config = self.directory / "a.toml"
        key = self.directory / "key"
        key.touch(mode=0o600)
        key.write_bytes(bytes(32))
        self.write((ROOT / "scripts/example.toml").read_text().replace("/etc/holdfast/key", str(key)))
        self.programs = self.directory / "bin"
        self.programs.mkdir()
        self.program("nproc", "echo 2")

    def write(self, text: str) -> None:
        self.config.write_text(text)

    def program(self, name: str, body: str) -> None:
        """A stand-in for a program of the machine."""
        file = self.programs / name
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)

    def launch(self, kind: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([ROOT / "scripts" / f"launch-{kind}", *words], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "HOLDFAST": _HOLDFAST, "PATH": f"{self.programs}:{os.environ['PATH']}"})

    def dry_run(self, kind: str, *words: str) -> subprocess.CompletedProcess[str]:
        return self.launch(kind, "--config", str(self.config), "--dry-run", *words)

    def command(self, *words: str) -> list[str]:
        """The command line that launch-lab prints last."""
        done = self.dry_run("lab", *words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return shlex.split(done.stdout.splitlines()[-1])

    def refused(self, kind: str, *words: str, status: int = 1) -> str:
        done = self.dry_run(kind, *words)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stderr

    def test_the_lab_and_launch_lab_start_a_node_alike(self) -> None:
        for ports in ("af_xdp", "af_packet"):
            for mtu in ("1500", "9000"):
                with self.subTest(ports=ports, mtu=mtu):
                    options = nodeconf.NodeOptions(ports, "veth", topology.Mtu.parse(mtu), "peer")
                    table = nodeconf.settings("a", options, self.directory)
                    self.write(nodeconf.to_toml(table))
                    wanted = nodeconf.eal_options("hf", "a", options, Path("memif.sock"))
                    started = self.command(*ALL_PORTS)
                    self.assertEqual(values_of("--lcores", started), values_of("--lcores", wanted))
                    self.assertEqual(values_of("-m", started), values_of("-m", wanted))
                    self.assertEqual([without_interface(device) for device in values_of("--vdev", started)],
                                     [without_interface(device) for device in values_of("--vdev", wanted)])

    def test_devices_are_read_as_holdfast_reads_them(self) -> None:
        text = self.config.read_text()
        self.write(text.replace("[port.client]", "[ port.client ]").replace('"net_af_xdp0"', "'net_af_xdp0'"))
        self.assertIn("net_af_xdp0,iface=lo,force_copy=1", self.command(*ALL_PORTS))

    def test_launch_lab_wants_an_interface_or_a_device_for_each_port(self) -> None:
        self.assertIn("nothing says what net_af_xdp0, the client port, is; give --client IFACE", self.refused("lab"))
        self.assertIn("the mirror port", self.refused("lab", *ALL_PORTS[:4]))
        self.assertIn("the mirror port", self.refused("lab", *ALL_PORTS[:4], "--", "--vdev", "net_memif0,id=0"))
        for device in (["--vdev", "net_af_xdp2,iface=lo"], ["--vdev=net_af_xdp2,iface=lo"]):
            self.assertIn("-- --config", shlex.join(self.command(*ALL_PORTS[:4], "--", *device)))

    def test_launch_lab_names_what_is_not_there(self) -> None:
        self.assertIn("there is no network namespace nowhere", self.refused("lab", *ALL_PORTS, "--netns", "nowhere"))
        self.assertIn("there is no interface nothing0", self.refused("lab", *ALL_PORTS[2:], "--client", "nothing0"))

    def test_an_option_without_a_value_is_a_wrong_command_line(self) -> None:
        for kind in ("intel", "mellanox", "lab"):
            for option in ("--lcores", "--config"):
                self.assertIn(f"launch-{kind}: {option} needs a value", self.refused(kind, option, status=2))
            self.assertIn("unknown option --frob", self.refused(kind, "--frob", status=2))
            self.assertEqual(self.launch(kind, "--help").returncode, 0)
        for option in ("--client", "--netns", "--runtime"):
            self.assertIn(f"{option} needs a value", self.refused("lab", option, "--server", status=2))

    def test_a_configuration_that_is_refused_starts_nothing(self) -> None:
        self.write(self.config.read_text().replace("id = 0", "id = 2"))
        self.assertIn("node.id: 2 is out of range", self.refused("lab", *ALL_PORTS))

    def test_libraries_are_found_however_many_there_are(self) -> None:
        self.program("ldconfig", "echo libmlx5.so.1; echo librte_net_mlx5.so.23; "
                                 "i=0; while [ $i -lt 5000 ]; do echo lib$i.so; i=$((i+1)); done")
        for _ in range(5):
            self.assertIn("no PCI address", self.refused("mellanox"))
        self.program("ldconfig", "echo libc.so.6")
        self.assertIn("libmlx5 is missing", self.refused("mellanox"))

    def test_a_device_that_is_no_card_is_named(self) -> None:
        self.assertIn('port.client.device is "net_af_xdp0", no PCI address', self.refused("intel"))


def values_of(option: str, words: list[str]) -> list[str]:
    return [value for word, value in zip(words, words[1:], strict=False) if word == option]


def without_interface(device: str) -> list[str]:
    return [part for part in device.split(",") if not part.startswith("iface=")]


if __name__ == "__main__":
    _HOLDFAST = sys.argv[1]
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
