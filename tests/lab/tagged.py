"""A neighbour in a VLAN, behind the wire: the kernel here has no VLAN devices, so it is a packet socket."""

from __future__ import annotations

import socket
import struct
import threading
import time

import labtest

ADDRESS = "10.77.1.9"
MAC = "02:48:46:00:00:09"
_ETH_P_ARP, _ETH_P_8021Q, _ETH_P_ALL = 0x0806, 0x8100, 3
_SOL_PACKET, _PACKET_AUXDATA, _PACKET_IGNORE_OUTGOING = 263, 8, 23
_VLAN_VALID = 1 << 4
_REQUEST, _REPLY = 1, 2


class Responder:
    """Answers ARP for ADDRESS: first untagged and with a wrong MAC, which must not arrive, then with the tag of the question."""

    def __init__(self, namespace: str, device: str) -> None:
        self._socket = labtest.socket_in(namespace, socket.AF_PACKET, socket.SOCK_RAW)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        self._socket.bind((device, _ETH_P_ALL))
        self._socket.settimeout(0.1)
        self._seen: set[int] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def __enter__(self) -> Responder:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()
        self._socket.close()

    def finish(self) -> set[int]:
        """The VLAN identifiers that were asked with; 0 for no tag."""
        time.sleep(0.2)
        self._over.set()
        self._thread.join(5)
        return self._seen

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                frame, extra, _, _ = self._socket.recvmsg(2048, 64)
            except TimeoutError:
                continue
            if len(frame) < 42 or frame[12:14] != struct.pack("!H", _ETH_P_ARP):
                continue
            operation, = struct.unpack_from("!H", frame, 20)
            if operation != _REQUEST or frame[38:42] != socket.inet_aton(ADDRESS):
                continue
            vlan = _vlan_of(extra)
            self._seen.add(vlan)
            self._answer(frame, b"", "02:48:46:00:00:66")
            self._answer(frame, struct.pack("!HH", _ETH_P_8021Q, vlan) if vlan else b"", MAC)

    def _answer(self, request: bytes, tag: bytes, mac: str) -> None:
        own = bytes.fromhex(mac.replace(":", ""))
        arp = request[14:20] + struct.pack("!H", _REPLY) + own + socket.inet_aton(ADDRESS) + request[22:32]
        self._socket.send(request[6:12] + own + tag + struct.pack("!H", _ETH_P_ARP) + arp)


def _vlan_of(extra: list) -> int:
    """The tag, which the kernel takes out of the frame."""
    for level, kind, data in extra:
        if (level, kind) == (_SOL_PACKET, _PACKET_AUXDATA):
            status, _, _, _, _, tag, _ = struct.unpack_from("=IIIHHHH", data)
            return tag & 0xfff if status & _VLAN_VALID else 0
    return 0
