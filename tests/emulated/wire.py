"""The board's network line without a network: the test writes packets itself, so that it can probe every port.

A scan through the gateway would see forwarded ports only. Here each probe is one packet on the line and each answer is
read from it: TCP by SYN (SYN-ACK: open, RST: closed), UDP by a datagram (ICMP port unreachable: closed). Packets that
the board sends without a probe are kept.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterable

from provisioning import fair_time
from renode.gateway import DEVICE_ADDRESS, HOST_ADDRESS
from renode.lines import send_all
from renode.slip import SlipDecoder, slip_encode

ICMP, TCP, UDP = 1, 6, 17
SYN, RST, ACK = 0x02, 0x04, 0x10
PORTS = range(1, 65536)
_OURS = 40_000  # source port of the probes; no service of the test has it
_BATCH = 24  # packets on the way at once; the board's pool holds 40
_QUIET_S = 0.3
_ANSWERS_S = 60.0  # for a board on a machine that has little time for it


def _sum16(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _packet(protocol: int, content: bytes) -> bytes:
    head = bytearray(b"\x45\0" + (20 + len(content)).to_bytes(2, "big") + b"\0\1\0\0\x40")
    head += bytes([protocol]) + b"\0\0" + socket.inet_aton(HOST_ADDRESS) + socket.inet_aton(DEVICE_ADDRESS)
    head[10:12] = _sum16(bytes(head)).to_bytes(2, "big")
    return bytes(head) + content


def _with_sum(protocol: int, content: bytes, at: int) -> bytes:
    pseudo = socket.inet_aton(HOST_ADDRESS) + socket.inet_aton(DEVICE_ADDRESS) + bytes([0, protocol])
    value = _sum16(pseudo + len(content).to_bytes(2, "big") + content)
    return content[:at] + value.to_bytes(2, "big") + content[at + 2 :]


def tcp(port: int, flags: int, sequence: int = 1) -> bytes:
    head = _OURS.to_bytes(2, "big") + port.to_bytes(2, "big") + sequence.to_bytes(4, "big") + bytes(4)
    head += bytes([0x50, flags]) + (1024).to_bytes(2, "big") + bytes(4)
    return _packet(TCP, _with_sum(TCP, head, 16))


def udp(port: int, data: bytes = b"\0" * 12) -> bytes:
    head = _OURS.to_bytes(2, "big") + port.to_bytes(2, "big") + (8 + len(data)).to_bytes(2, "big") + bytes(2)
    return _packet(UDP, _with_sum(UDP, head + data, 6))


def ping() -> bytes:
    head = b"\x08\0\0\0\0\1\0\1firstboot"
    return _packet(ICMP, head[:2] + _sum16(head).to_bytes(2, "big") + head[4:])


class Wire:
    """Replaces renode.gateway.Gateway of one board."""

    def __init__(self) -> None:
        self._line: socket.socket | None = None
        self._is_mux = False
        self._decoder = SlipDecoder()
        self.own_packets: list[tuple[int, str, int]] = []  # (protocol, destination, port) without a probe

    # the methods that a Board calls on its gateway
    def start(self) -> None:
        pass

    def attach(self, line: socket.socket, *, is_mux: bool) -> None:
        self._line, self._is_mux = line, is_mux

    def detach(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def close(self) -> None:
        self.detach()

    # probes
    def send(self, *packets: bytes) -> None:
        assert self._line is not None, "the board is off"
        send_all(self._line, b"".join(slip_encode(packet) for packet in packets), is_mux=self._is_mux)

    def receive(self, quiet_s: float = _QUIET_S) -> list[bytes]:
        """Return the board's packets, until none came for `quiet_s`; unsolicited ones are kept apart."""
        assert self._line is not None, "the board is off"
        found = []
        while select.select([self._line], [], [], quiet_s)[0]:
            data = self._line.recv(65536)
            assert data, "the board went off"
            found += [packet for packet in self._decoder.feed(data) if not self._is_own(packet)]
        return found

    def _is_own(self, packet: bytes) -> bool:
        if packet[9] == ICMP or len(packet) < 24:
            return False
        if int.from_bytes(packet[22:24], "big") == _OURS:
            return False
        self.own_packets.append(
            (packet[9], socket.inet_ntoa(packet[16:20]), int.from_bytes(packet[22:24], "big"))
        )
        return True

    def _scan(
        self,
        ports: Iterable[int],
        probe: Callable[[int], bytes],
        verdict: Callable[[bytes], tuple[int, bool] | None],
    ) -> set[int]:
        """Return the open ports. Each port is probed until the board answers for it."""
        waiting, is_open = list(ports), set()
        end_s = fair_time.now() + _ANSWERS_S
        while fair_time.now() < end_s:
            answered: set[int] = set()
            for start in range(0, len(waiting), _BATCH):
                batch = waiting[start : start + _BATCH]
                self.send(*(probe(port) for port in batch))
                pending = set(batch)
                while pending:
                    verdicts = [verdict(packet) for packet in self._some()]
                    if not verdicts:
                        break
                    for found in filter(None, verdicts):
                        pending.discard(found[0])
                        answered.add(found[0])
                        if found[1]:
                            is_open.add(found[0])
            waiting = [port for port in waiting if port not in answered]
            if not waiting:
                return is_open
            time.sleep(_QUIET_S)
        raise AssertionError(f"{len(waiting)} ports said neither open nor closed, {waiting[:5]} among them")

    def _some(self) -> list[bytes]:
        """Return the next packets, [] if none comes for a while."""
        assert self._line is not None
        while select.select([self._line], [], [], _QUIET_S)[0]:
            data = self._line.recv(65536)
            assert data, "the board went off"
            found = [packet for packet in self._decoder.feed(data) if not self._is_own(packet)]
            if found:
                return found
        return []

    def open_tcp(self, ports: Iterable[int] = PORTS) -> set[int]:
        def verdict(packet: bytes) -> tuple[int, bool] | None:
            if packet[9] != TCP:
                return None
            port, flags = int.from_bytes(packet[20:22], "big"), packet[33]
            is_open = flags & (SYN | ACK) == SYN | ACK
            if is_open:
                self.send(tcp(port, RST, 2))  # no connection is left in the board's table
            return (port, is_open) if is_open or flags & RST else None

        return self._scan(ports, lambda port: tcp(port, SYN), verdict)

    def open_udp(self, ports: Iterable[int] = PORTS) -> set[int]:
        def verdict(packet: bytes) -> tuple[int, bool] | None:
            if packet[9] == UDP:
                return int.from_bytes(packet[20:22], "big"), True
            if packet[9] == ICMP and packet[20:22] == b"\x03\x03":  # RFC 792: port unreachable
                return int.from_bytes(packet[50:52], "big"), False
            return None

        return self._scan(ports, udp, verdict)

    def answers_ping(self) -> bool:
        self.send(ping())
        deadline = fair_time.now() + _ANSWERS_S
        while fair_time.now() < deadline:
            if any(packet[9] == ICMP and packet[20] == 0 for packet in self._some()):
                return True
        return False
