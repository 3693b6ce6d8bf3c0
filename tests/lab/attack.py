#!/usr/bin/env python3
"""The same blind attacks on sessions between two Linux hosts and on sessions through Holdfast: these change no more often.

Somebody on the client's network, who sees nothing of others, speaks in the name of either end, with numbers guessed within
2^20 of the truth, drawn from a seed: RST, SYN, SYN-ACK, data, FIN, ACK, ICMP errors. Each kind meets new sessions in steady
state, direct and through Holdfast, with the same distances from the truth; and through Holdfast while the active is killed.
Every byte is compared. Every kind moves a counter of its own.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import time
from dataclasses import dataclass, field

import labtest
from labtest import check
from attacked import Session
from labkit import table, topology
from labkit.lab import Lab
from labkit.shell import in_namespace, run
from labkit.traffic import start_peer_server

_TCP = ("client.tcp.paws_dropped", "client.tcp.out_of_window", "client.tcp.ack_of_unsent", "client.tcp.ack_too_old")
_RST = ("client.tcp.rst_challenged", "client.tcp.rst_ignored")
_SYN = ("client.tcp.syn_challenged",)
_ICMP = ("client.proxy.icmp_error_blind",)
_COUNTERS = {"rst": _RST, "rst_ack": _RST, "syn": _SYN, "syn_ack": _SYN, "data": _TCP, "fin": _TCP, "ack": _TCP,
             "icmp_unreachable": _ICMP, "icmp_too_big": _ICMP, "mix": (*_TCP, *_RST, *_SYN, *_ICMP)}
_TRANSLATED = ("client.proxy.translated", "client.proxy.translate_implausible", "client.proxy.translate_not_credible",
               "client.proxy.takeover_probes")
_CAN_HIT = ("data", "fin", "ack", "mix")
_CHANCE_MIN = 0.001
_FATES = ("reset", "wrong bytes", "stalled", "closed")
_KINDS = ("idle", "chat", "stream")


@dataclass
class Outcome:
    """What one attack did in one arrangement."""

    attack: str
    arrangement: str
    frames: int
    fates: list[str]
    counted: dict[str, int] = field(default_factory=dict)

    def changed(self) -> int:
        return sum(fate != "" for fate in self.fates)

    def row(self) -> list[str]:
        return [f"{self.attack}, {self.arrangement}", str(self.frames), str(len(self.fates)), str(self.changed()),
                *(str(sum(fate == each for fate in self.fates)) for each in _FATES)]

    def counts(self) -> str:
        counts = ", ".join(f"{name.split('.', 1)[1]} {count}" for name, count in self.counted.items() if count)
        return f"{self.attack}, {self.arrangement}: {counts}"


class Attacker:
    """The program that attacks, between the client and whoever answers for the server on the client's network."""

    def __init__(self, lab: Lab, server_side_mac: str) -> None:
        program = labtest.build_directory() / "tests" / "lab" / "attack"
        client_mac = mac_of(lab.names.of("client"), topology.ENDPOINT_DEVICE)
        self._log = (lab.logs / "attack.log").open("a")
        self._child = subprocess.Popen(
            in_namespace(lab.names.attacker(), str(program), topology.ENDPOINT_DEVICE, lab.names.of("client"),
                         topology.ENDPOINT_DEVICE, client_mac, server_side_mac),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True)
        check(self._child.stdout.readline() == "ready\n", f"the attack does not start: see {self._log.name}")

    def __enter__(self) -> Attacker:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.stdin.close()
        try:
            self._child.wait(5)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._log.close()

    def begin(self, attack: str, sessions: list[Session], arguments: argparse.Namespace) -> None:
        print(attack, arguments.victim, arguments.seed, arguments.guesses, arguments.seconds, *(each.client for each in sessions),
              file=self._child.stdin, flush=True)

    def finish(self) -> int:
        """Wait for its end; how many frames left."""
        said = self._child.stdout.readline()
        check(said, f"the attack broke off: see {self._log.name}")
        return int(said)


def mac_of(namespace: str, device: str) -> str:
    return run(*in_namespace(namespace, "cat", f"/sys/class/net/{device}/address")).strip()


def counters(lab: Lab, node: str) -> dict[str, int]:
    return {f"{row['module']}.{row['name']}": row["value"] for row in lab.ask(node, "counters")}


def open_sessions(lab: Lab, addresses: tuple[str, ...], arguments: argparse.Namespace) -> list[Session]:
    """Sessions of all kinds and both families in turn, each past its first exchange."""
    sessions = [Session(lab, addresses[n // len(_KINDS) % len(addresses)], _KINDS[n % len(_KINDS)], n, arguments.stall)
                for n in range(arguments.sessions)]
    for each in sessions:
        each.start()
    return sessions


def end_sessions(sessions: list[Session]) -> list[str]:
    """Let each show that it still works; what became of each, "" for nothing."""
    for each in sessions:
        each.finish.set()
    for each in sessions:
        each.join(120)
        check(not each.is_alive(), "a session neither goes on nor fails")
    return [each.fate for each in sessions]


def attack_steady(lab: Lab, attacker: Attacker, attack: str, arrangement: str, addresses: tuple[str, ...],
                  arguments: argparse.Namespace) -> Outcome:
    node = lab.active()
    check(node, "no node is active")
    before = counters(lab, node)
    sessions = open_sessions(lab, addresses, arguments)
    attacker.begin(attack, sessions, arguments)
    frames = attacker.finish()
    outcome = Outcome(attack, arrangement, frames, end_sessions(sessions))
    if arrangement != "direct":
        after = counters(lab, node)
        outcome.counted = {name: after[name] - before[name] for name in _COUNTERS[attack]}
    return outcome


def attack_takeover(lab: Lab, attacker: Attacker, attack: str, addresses: tuple[str, ...],
                    arguments: argparse.Namespace) -> Outcome:
    """The active is killed in the middle; what the survivor counted."""
    sessions = open_sessions(lab, addresses, arguments)
    survivor = topology.other(lab.wait_ready())
    names = (*_TRANSLATED, *_COUNTERS[attack])
    before = counters(lab, survivor)
    attacker.begin(attack, sessions, arguments)
    time.sleep(arguments.seconds / 3)
    takeover = labtest.kill_active(lab)
    frames = attacker.finish()
    fates = end_sessions(sessions)
    after = counters(lab, survivor)
    labtest.rejoin(lab, takeover.victim)
    return Outcome(attack, "takeover", frames, fates, {name: after[name] - before[name] for name in names})


def chance(more: int, of: int, share: float) -> float:
    """The probability of so many or more of all changes, if each falls to this share by chance."""
    return sum(math.comb(of, k) * share ** k * (1 - share) ** (of - k) for k in range(more, of + 1))


def judge(outcomes: list[Outcome], victim: str) -> None:
    """Holdfast's sessions change no more often than Linux's own, and what they meet is counted.

    A guess that hits is as good as the truth, at either: of data, FINs and ACKs a few do. There the sums are compared, and
    what chance alone would hardly bring fails. Of all others none should.
    """
    direct = {each.attack: each for each in outcomes if each.arrangement == "direct"}
    for arrangement in {each.arrangement for each in outcomes} - {"direct"}:
        ours = [each for each in outcomes if each.arrangement == arrangement]
        for each in ours:
            check(each.attack in _CAN_HIT or each.changed() <= direct[each.attack].changed(), f"{each.attack}, "
                  f"{arrangement}: {each.changed()} of {len(each.fates)} sessions changed, direct {direct[each.attack].changed()}")
            check(victim == "client" or sum(each.counted.values()) > 0,
                  f"{each.attack}, {arrangement}: no counter moved: {each.counted}")
        changed = sum(each.changed() for each in ours)
        theirs = sum(direct[each.attack].changed() for each in ours)
        check(chance(changed, changed + theirs, 0.5) > _CHANCE_MIN, f"{arrangement}: {changed} sessions changed, direct "
              f"{theirs}: that is no chance")


def test(arguments: argparse.Namespace) -> str:
    check(set(arguments.takeovers) <= set(arguments.attacks), "--takeovers: give some of --attacks, to compare with")
    outcomes = list[Outcome]()
    paths = {"direct": (topology.SERVER_ADDRESS, topology.SERVER_ADDRESS6), "holdfast": (topology.VIP, topology.VIP6)}
    with labtest.laboratory(arguments) as lab:
        start_peer_server(lab)
        topology.put_router_in(lab.names)
        topology.put_attacker_in(lab.names)
        macs = {"direct": mac_of(lab.names.router(), "client"), "holdfast": topology.VIRTUAL_MAC["client"]}
        for arrangement, addresses in paths.items():
            with Attacker(lab, macs[arrangement]) as attacker:
                outcomes += [attack_steady(lab, attacker, attack, arrangement, addresses, arguments)
                             for attack in arguments.attacks]
                if arrangement == "holdfast":
                    outcomes += [attack_takeover(lab, attacker, attack, addresses, arguments)
                                 for attack in arguments.takeovers]
        labtest.check_nodes_have_no_sockets(lab)
    print(table.render([["attack", "frames", "sessions", "changed", *_FATES], *(each.row() for each in outcomes)]))
    print("\ncounted by Holdfast\n" + "\n".join(each.counts() for each in outcomes if each.arrangement != "direct"))
    judge(outcomes, arguments.victim)
    sums = {name: sum(each.changed() for each in outcomes if each.arrangement == name) for name in (*paths, "takeover")}
    in_takeovers = sum(each.changed() for each in outcomes if each.arrangement == "direct" and each.attack in arguments.takeovers)
    return (f"{sum(each.frames for each in outcomes):,} guesses within 2^20 of the truth, {len(arguments.attacks)} kinds, "
            f"{arguments.sessions} sessions each: changed direct {sums['direct']}, through Holdfast {sums['holdfast']}; of those "
            f"of {','.join(arguments.takeovers)} direct {in_takeovers}, in a takeover {sums['takeover']}")


def attacks(text: str) -> list[str]:
    found = text.split(",")
    if not set(found) <= set(_COUNTERS):
        raise argparse.ArgumentTypeError(f"{text}: give some of {','.join(_COUNTERS)}")
    return found


if __name__ == "__main__":
    options = labtest.parser(__doc__)
    options.add_argument("--attacks", type=attacks, default=list(_COUNTERS), metavar="KIND,...", help=",".join(_COUNTERS))
    options.add_argument("--takeovers", type=attacks, default=["mix"], metavar="KIND,...", help="with a kill each")
    options.add_argument("--victim", choices=("client", "server"), default="server", help="the end that the guesses are told to")
    options.add_argument("--sessions", type=int, default=12)
    options.add_argument("--guesses", type=int, default=400, help="for each session")
    options.add_argument("--seconds", type=float, default=0.5, help="over which the guesses of one attack are spread")
    options.add_argument("--stall", type=float, default=5, help="seconds without progress that count as a change")
    options.add_argument("--seed", type=int, default=1)
    labtest.main(test, options)
