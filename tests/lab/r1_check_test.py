#!/usr/bin/env python3
"""Tests of the R1 checker on captures made up here: r1_check_test.py PATH_OF_R1_CHECK."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
ADDRESSES = {4: ("10.77.1.10", "10.77.1.100", "10.77.2.100", "10.77.2.20"),
             6: ("fd77:1::10", "fd77:1::100", "fd77:2::100", "fd77:2::20")}
_CHECKER = ""


class Capture:
    """A pcap file with nanoseconds, and tcpdump's report beside it."""

    def __init__(self, file: Path, dropped: int | None = 0) -> None:
        self._packets = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 128, 1)]
        self._file = file
        self._dropped = dropped

    def add(self, at_ms: float, source: tuple[str, int], target: tuple[str, int], flags: int, seq: int, ack: int,
            payload: bytes, options: bytes = b"") -> None:
        tcp = struct.pack("!HHIIBBHHH", source[1], target[1], seq % 2**32, ack % 2**32, (5 + len(options) // 4) << 4,
                          flags, 1000, 0, 0) + options
        length = len(tcp) + len(payload)
        ends = _address(source[0]) + _address(target[0])
        ip, kind = (struct.pack("!IHBB", 0x60000000, length, 6, 64), b"\x86\xdd") if ":" in source[0] else \
            (struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, 6, 0), b"\x08\x00")
        frame = bytes(12) + kind + ip + ends + tcp + payload
        nanoseconds = int(at_ms * 1e6)
        seen = frame[:128]
        self._packets.append(struct.pack("<IIII", nanoseconds // 10**9, nanoseconds % 10**9, len(seen), len(frame)) + seen)

    def write(self) -> Path:
        self._file.write_bytes(b"".join(self._packets))
        if self._dropped is not None:
            Path(f"{self._file}.report").write_text(f"9 packets captured\n{self._dropped} packets dropped by kernel\n")
        return self._file


def _address(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


class Run:
    """Both captures of one run, and a session's packets by name. Offsets count from the SYN, which has 0."""

    def __init__(self, directory: Path, dropped: int | None = 0) -> None:
        self.client = Capture(directory / "client.pcap")
        self.server = Capture(directory / "server.pcap", dropped)
        self.directory = directory

    def session(self, port: int = 4000, isn: int = 1000, families: tuple[int, int] = (4, 4)) -> Session:
        return Session(self, port, isn, families)

    def check(self, *options: str, client: str = "client.pcap", acks: int = 1) -> tuple[int, dict]:
        self.client.write()
        self.server.write()
        done = subprocess.run([_CHECKER, self.directory / client, self.directory / "server.pcap", "--json", "--min-acks",
                               str(acks), *options], capture_output=True, text=True)
        return done.returncode, json.loads(done.stdout) if done.stdout else {}


class Session:
    def __init__(self, run: Run, port: int, isn: int, families: tuple[int, int]) -> None:
        self._run = run
        client, vip, _, _ = ADDRESSES[families[0]]
        _, _, snat, server = ADDRESSES[families[1]]
        self._client, self._vip = (client, port), (vip, 80)
        self._snat, self._server = (snat, port + 10_000), (server, 80)
        self._isn = {"client": isn, "vip": isn + 7_777, "snat": isn + 99, "server": isn + 123_456}

    # Each takes a time, the offset of its first byte, the offset it acknowledges up to, and payload.
    def client_sends(self, at: float, seq: int, ack: int, payload: bytes = b"", flags: int = ACK) -> None:
        self._add(self._run.client, at, "client", "vip", flags, seq, ack, payload)

    def client_gets(self, at: float, seq: int, ack: int, payload: bytes = b"", flags: int = ACK,
                    sack: tuple[int, int] | None = None) -> None:
        self._add(self._run.client, at, "vip", "client", flags, seq, ack, payload, sack)

    def server_sends(self, at: float, seq: int, ack: int, payload: bytes = b"", flags: int = ACK) -> None:
        self._add(self._run.server, at, "server", "snat", flags, seq, ack, payload)

    def server_gets(self, at: float, seq: int, ack: int, payload: bytes = b"", flags: int = ACK) -> None:
        self._add(self._run.server, at, "snat", "server", flags, seq, ack, payload)

    def opens(self, at: float = 0) -> Session:
        self.client_sends(at + 0, 0, 0, flags=SYN)
        self.server_gets(at + 1, 0, 0, flags=SYN)
        self.server_sends(at + 2, 0, 1, flags=SYN | ACK)
        self.client_gets(at + 3, 0, 1, flags=SYN | ACK)
        self.client_sends(at + 4, 1, 1)
        self.server_gets(at + 5, 1, 1)
        return self

    def uploads(self, at: float, seq: int, payload: bytes) -> Session:
        """A segment and its acknowledgment, as they should be."""
        self.client_sends(at, seq, 1, payload)
        self.server_gets(at + 1, seq, 1, payload)
        self.server_sends(at + 2, 1, seq + len(payload))
        self.client_gets(at + 3, 1, seq + len(payload))
        return self

    def _add(self, capture: Capture, at: float, source: str, target: str, flags: int, seq: int, ack: int,
             payload: bytes, sack: tuple[int, int] | None = None) -> None:
        ends = {"client": self._client, "vip": self._vip, "snat": self._snat, "server": self._server}
        acknowledged = self._isn[target] + ack if flags & ACK else 0
        edges = [(self._isn[target] + edge) % 2**32 for edge in sack or ()]
        options = b"\x01\x01\x05\x0a" + struct.pack("!II", *edges) if sack else b""
        capture.add(at, ends[source], ends[target], flags, self._isn[source] + seq, acknowledged, payload, options)


class R1Check(unittest.TestCase):
    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.directory = Path(holder.name)
        self.run_ = Run(self.directory)

    def assert_violations(self, count: int, *options: str, **named) -> dict:
        status, verdict = self.run_.check(*options, **named)
        self.assertEqual(verdict["violations"], count, verdict)
        self.assertEqual(status, 1 if count else 0, verdict)
        return verdict

    def test_withheld_acknowledgments_pass(self) -> None:
        self.run_.session().opens().uploads(10, 1, b"a" * 100)
        verdict = self.assert_violations(0)
        self.assertEqual((verdict["acks"], verdict["sessions"], verdict["peak_withheld"]), (4, 1, 0))

    def test_an_early_acknowledgment_fails(self) -> None:
        session = self.run_.session().opens()
        session.client_sends(10, 1, 1, b"a" * 100)
        session.client_gets(11, 1, 101)
        session.server_gets(12, 1, 1, b"a" * 100)
        session.server_sends(13, 1, 101)
        self.assert_violations(1)

    def test_an_early_acknowledgment_to_the_server_fails(self) -> None:
        session = self.run_.session().opens()
        session.server_sends(10, 1, 1, b"b" * 50)
        session.client_gets(11, 1, 1, b"b" * 50)
        session.server_gets(12, 1, 51)
        session.client_sends(13, 1, 51)
        self.assert_violations(1)

    def test_each_pair_of_families_is_judged_alike(self) -> None:
        for number, families in enumerate(((4, 6), (6, 4), (6, 6))):
            self.run_.session(4001 + number, 1000 * number, families).opens().uploads(10, 1, b"%d" % number * 100)
        verdict = self.assert_violations(0)
        self.assertEqual((verdict["acks"], verdict["sessions"]), (12, 3))
        session = self.run_.session(5000, 70_000, (6, 6)).opens(40)
        session.client_sends(50, 1, 1, b"a" * 100)
        session.client_gets(51, 1, 101)
        self.assert_violations(1)

    def test_one_byte_too_many_fails(self) -> None:
        session = self.run_.session().opens().uploads(10, 1, b"a" * 100)
        session.client_sends(20, 101, 1, b"c" * 10)
        session.client_gets(21, 1, 102)
        self.assert_violations(1)

    def test_sequence_numbers_wrap(self) -> None:
        session = self.run_.session(isn=2**32 - 60).opens()
        for number in range(10):
            session.uploads(10 + 10 * number, 1 + 100 * number, b"%d" % number * 100)
        self.assert_violations(0)

    def test_a_fin_is_an_offset_like_a_byte(self) -> None:
        session = self.run_.session().opens().uploads(10, 1, b"a" * 100)
        session.client_sends(20, 101, 1, flags=FIN | ACK)
        session.client_gets(21, 1, 102)
        self.assert_violations(1)

    def test_a_fin_passes_once_the_other_end_has_it(self) -> None:
        session = self.run_.session().opens().uploads(10, 1, b"a" * 100)
        session.client_sends(20, 101, 1, flags=FIN | ACK)
        session.server_gets(21, 101, 1, flags=FIN | ACK)
        session.server_sends(22, 1, 102)
        session.client_gets(23, 1, 102)
        self.assert_violations(0)

    def test_the_servers_syn_ack_waits_for_the_client(self) -> None:
        session = self.run_.session()
        session.client_sends(0, 0, 0, flags=SYN)
        session.server_gets(1, 0, 0, flags=SYN)
        session.server_sends(2, 0, 1, flags=SYN | ACK)
        session.server_gets(3, 1, 1)
        session.client_gets(4, 0, 1, flags=SYN | ACK)
        session.client_sends(5, 1, 1)
        self.assert_violations(1)

    def test_a_syn_ack_without_any_server_fails(self) -> None:
        session = self.run_.session()
        session.client_sends(0, 0, 0, flags=SYN)
        session.client_gets(1, 0, 1, flags=SYN | ACK)
        status, verdict = self.run_.check()
        self.assertEqual(status, 1)
        self.assertIn("no server leg", verdict["faults"][0])

    def test_a_refused_connection_is_no_fault(self) -> None:
        self.run_.session().opens().uploads(10, 1, b"a" * 100)
        refused = self.run_.session(port=5000)
        refused.client_sends(20, 0, 0, flags=SYN)
        refused.client_gets(21, 0, 1, flags=RST | ACK)
        self.assert_violations(0)

    def test_sessions_are_told_apart_by_their_content(self) -> None:
        sessions = [self.run_.session(port=4000 + number, isn=1000 * number) for number in range(5)]
        for session in sessions:
            session.opens()
        for number, session in enumerate(sessions):
            session.uploads(10 + number * 10, 1, b"session %d" % number * 10)
        self.assertEqual(self.assert_violations(0)["sessions"], 5)

    def test_what_was_in_flight_at_a_moment(self) -> None:
        session = self.run_.session().opens().uploads(10, 1, b"a" * 100)
        session.client_sends(20, 101, 1, b"b" * 30)
        session.server_sends(20, 1, 101, b"c" * 40)
        session.client_sends(30, 131, 1, b"b" * 5)
        moment = self.assert_violations(0, "--at", "0.025")["moments"][0]
        self.assertEqual((moment["client_bytes"], moment["server_bytes"]), (30, 40))

    def test_one_raised_acknowledgment_is_found(self) -> None:
        session = self.run_.session().opens()
        for number in range(100):
            session.uploads(10 + 10 * number, 1 + 100 * number, b"%d" % (number % 10) * 100)
        self.assert_violations(0)
        self.run_.check("--corrupt", str(self.directory / "corrupt.pcap"))
        self.assert_violations(1, "--no-reports", client="corrupt.pcap")

    def test_an_ack_inside_a_reported_range_is_reneging(self) -> None:
        session = self.run_.session().opens()
        session.client_sends(10, 1, 1, b"a" * 300)
        session.client_gets(11, 1, 1, sack=(101, 301))
        session.server_gets(12, 1, 1, b"a" * 300)
        session.server_sends(13, 1, 301)
        session.client_gets(14, 1, 101)
        session.client_gets(15, 1, 301)
        reneged = self.assert_violations(0)["reneged"]
        self.assertEqual([each["offset"] for each in reneged], [101])

    def test_an_ack_beyond_a_reported_range_is_none(self) -> None:
        session = self.run_.session().opens()
        session.client_sends(10, 1, 1, b"a" * 300)
        session.client_gets(11, 1, 1, sack=(101, 201))
        session.server_gets(12, 1, 1, b"a" * 300)
        session.server_sends(13, 1, 301)
        session.client_gets(14, 1, 51)
        session.client_gets(15, 1, 201)
        self.assertEqual(self.assert_violations(0)["reneged"], [])

    def test_too_few_acknowledgments_fail(self) -> None:
        self.run_.session().opens().uploads(10, 1, b"a" * 100)
        status, verdict = self.run_.check(acks=10_000)
        self.assertEqual(status, 1)
        self.assertIn("only 4 ACKs", verdict["faults"][0])

    def test_dropped_packets_fail(self) -> None:
        for dropped, words in ((3, "3 packets dropped"), (None, "does not say")):
            with self.subTest(dropped=dropped):
                run = Run(self.directory, dropped)
                run.session().opens().uploads(10, 1, b"a" * 100)
                Path(f"{self.directory}/server.pcap.report").unlink(missing_ok=True)
                status, verdict = run.check()
                self.assertEqual(status, 1)
                self.assertIn(words, verdict["faults"][0])


if __name__ == "__main__":
    _CHECKER = sys.argv.pop(1)
    unittest.main()
