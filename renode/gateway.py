"""One board's network: IP in SLIP on a serial line, joined to user-mode TCP/IP of the host.

The board is 10.0.2.15, services of the host's loopback appear at 10.0.2.2. Rules:
1. A board talks to 10.0.2.2 and to nothing else, unless the gateway is made with is_isolated=False.
2. What the line brings is untrusted: bounded, checked, dropped when wrong, counted.
3. What waits for the line is bounded; beyond that packets are dropped, as a router does, and TCP repeats them.
4. A power cycle gets a fresh stack: no connection of the old life answers the new one. Forwarded ports stay.
One thread per gateway; it sleeps in poll() while nothing happens.
"""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from renode.errors import GatewayError
from renode.libslirp import ETHERNET_HEADER_BYTES, MTU, SlirpStack
from renode.lines import escape_mux

DEVICE_ADDRESS: Final = "10.0.2.15"
HOST_ADDRESS: Final = "10.0.2.2"
DNS_ADDRESS: Final = "10.0.2.3"
LINE_QUEUE_BYTES: Final = 128 * 1024  # towards the board: more than any TCP window that lwIP opens here
_GATEWAY_MAC: Final = bytes.fromhex("52550a000202")  # libslirp derives it from the host address
_DEVICE_MAC: Final = bytes.fromhex("525400123456")
_IPV4: Final = b"\x08\x00"
_ARP: Final = b"\x08\x06"
_READ_BYTES: Final = 65536
_READY_TIMEOUT_S: Final = 10.0

_END, _ESC = b"\xc0", b"\xdb"
_ESCAPED: Final = {0xDC: _END, 0xDD: _ESC}


def slip_encode(packet: bytes) -> bytes:
    """One packet as a SLIP frame with END on both sides (RFC 1055), so noise before it is flushed."""
    return _END + packet.replace(_ESC, b"\xdb\xdd").replace(_END, b"\xdb\xdc") + _END


class SlipDecoder:
    """Feed bytes, get packets. Damaged or oversize frames are dropped and counted in `damaged`."""

    def __init__(self, max_bytes: int = MTU) -> None:
        self._max_bytes = max_bytes
        self._pending = bytearray()
        self._is_skipping = False  # an oversize frame is passed over up to its END
        self.damaged = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the packets completed by `data`, empty frames left out."""
        *ended, rest = data.split(_END)
        packets = []
        for part in ended:
            self._append(part)
            packet = self._finish()
            if packet:
                packets.append(packet)
        self._append(rest)
        return packets

    def _append(self, part: bytes) -> None:
        if self._is_skipping or len(self._pending) + len(part) > 2 * self._max_bytes:
            self._is_skipping = True
            self._pending.clear()
        else:
            self._pending += part

    def _finish(self) -> bytes | None:
        frame, is_skipped = bytes(self._pending), self._is_skipping
        self._pending.clear()
        self._is_skipping = False
        packet = None if is_skipped else _unescape(frame)
        if packet is None or len(packet) > self._max_bytes:
            self.damaged += 1
            return None
        return packet


def _unescape(frame: bytes) -> bytes | None:
    """The packet, None where an escape stands for nothing."""
    first, *escaped = frame.split(_ESC)
    parts = [first]
    for part in escaped:
        meaning = _ESCAPED.get(part[0]) if part else None
        if meaning is None:
            return None
        parts += (meaning, part[1:])
    return b"".join(parts)


@dataclass
class GatewayCounters:
    """What went through so far; read it at any time."""

    to_board_bytes: int = 0
    from_board_bytes: int = 0
    to_board_packets: int = 0
    from_board_packets: int = 0
    dropped_queue_full: int = 0
    dropped_unwanted: int = 0  # wrong addresses, lengths, protocols


class Gateway:
    """The network of one board. `attach` a line at power-on, `detach` it at power-off."""

    def __init__(self, *, forwards: tuple[int, ...] = (443,), is_isolated: bool = True) -> None:
        self.counters = GatewayCounters()
        # Called in the gateway's thread with (whether the board sent it, IPv4 packet): what a capture would show.
        self.on_packet: Callable[[bool, bytes], None] = lambda is_from_board, packet: None
        self._ports = dict.fromkeys(forwards, 0)
        self._is_isolated = is_isolated
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_write.setblocking(False)
        self._wake_read.setblocking(False)
        self._thread: threading.Thread | None = None
        self._is_stopping = False
        self._failure: BaseException | None = None
        self._ready = threading.Event()
        # From here on: only touched by the gateway's own thread.
        self._stack: SlirpStack | None = None
        self._line: socket.socket | None = None
        self._is_mux = False
        self._to_line = bytearray()
        self._to_stack: list[bytes] = []
        self._decoder = SlipDecoder()

    def start(self) -> None:
        """Return when the forwarded ports listen. Raises ToolMissingError, GatewayError."""
        if self._thread is not None:
            return
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)
        self._thread.start()
        if not self._ready.wait(_READY_TIMEOUT_S):
            raise GatewayError("the gateway did not start")
        if self._failure is not None:
            raise self._failure

    def host_port(self, device_port: int) -> int:
        """The port on 127.0.0.1 that leads to `device_port`; the same for the gateway's whole life."""
        return self._ports[device_port]

    def attach(self, line: socket.socket, *, is_mux: bool) -> None:
        """Take over the connected `line` of a board that was just powered on. Returns when it is in place."""

        def take() -> None:
            self._drop_line()
            self._renew_stack()
            line.setblocking(False)
            self._line, self._is_mux = line, is_mux

        self._call(take)

    def detach(self) -> None:
        """Close the line, if there is one."""
        if self._thread is not None:
            self._call(self._drop_line)

    def close(self) -> None:
        """Stop the thread and close every socket. Idempotent."""
        if self._thread is not None and self._thread.is_alive():
            self._is_stopping = True
            self._wake()
            self._thread.join(_READY_TIMEOUT_S)
        self._thread = None
        self._wake_read.close()
        self._wake_write.close()

    # -- the caller's thread -------------------------------------------------------------------------

    def _call(self, function: Callable[[], None]) -> None:
        """Run `function` in the gateway's thread and wait; what it raises is raised here."""
        if self._thread is None or not self._thread.is_alive():
            raise GatewayError("the gateway does not run") from self._failure
        done = threading.Event()
        raised: list[BaseException] = []

        def run() -> None:
            try:
                function()
            except Exception as error:  # handed to the caller below
                raised.append(error)
            done.set()

        self._calls.put(run)
        self._wake()
        if not done.wait(_READY_TIMEOUT_S):
            raise GatewayError("the gateway does not answer") from self._failure
        if raised:
            raise raised[0]

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # full of wake-ups already
            self._wake_write.send(b"\0")

    # -- the gateway's thread ------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._renew_stack()
            self._ready.set()
            while not self._is_stopping:
                self._turn()
        except Exception as error:
            self._failure = error
        finally:
            self._ready.set()
            self._drop_line()
            if self._stack is not None:
                self._stack.close()

    def _renew_stack(self) -> None:
        if self._stack is not None:
            self._stack.close()
        self._stack = SlirpStack(
            network="10.0.2.0",
            netmask="255.255.255.0",
            host=HOST_ADDRESS,
            dns=DNS_ADDRESS,
            send_frame=self._on_frame,
        )
        for device_port, host_port in self._ports.items():
            self._ports[device_port] = self._stack.forward_tcp(DEVICE_ADDRESS, device_port, host_port)
        self._to_stack = [_arp_reply()]  # so that the stack never has to ask for the board's MAC
        self._feed_stack()

    def _turn(self) -> None:
        assert self._stack is not None  # noqa: S101 (made before the first turn)
        wanted, timeout_ms = self._stack.poll_requests()
        masks = {self._wake_read.fileno(): select.POLLIN}
        if self._line is not None:
            masks[self._line.fileno()] = select.POLLIN | (select.POLLOUT if self._to_line else 0)
        for fd, mask in wanted:
            masks[fd] = masks.get(fd, 0) | mask
        poller = select.poll()
        for fd, mask in masks.items():
            poller.register(fd, mask)
        ready = dict(poller.poll(timeout_ms))
        self._stack.poll_results(ready)
        if self._line is not None and ready.get(self._line.fileno(), 0) & ~select.POLLOUT:
            self._read_line()
        self._feed_stack()
        self._write_line()
        if ready.get(self._wake_read.fileno()):
            self._run_calls()

    def _run_calls(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_read.recv(_READ_BYTES)
        while not self._calls.empty():
            self._calls.get()()

    def _feed_stack(self) -> None:
        """Frames are handed in here only, never from inside a callback of the library."""
        while self._to_stack:
            frames, self._to_stack = self._to_stack, []
            for frame in frames:
                if self._stack is not None:
                    self._stack.input(frame)

    def _on_frame(self, frame: bytes) -> None:
        """The stack sends towards the board."""
        if frame[12:14] == _ARP:
            self._to_stack.append(_arp_reply())
            return
        if frame[12:14] != _IPV4 or self._line is None:
            return
        encoded = slip_encode(frame[ETHERNET_HEADER_BYTES:])
        if self._is_mux:
            encoded = escape_mux(encoded)
        if len(self._to_line) + len(encoded) > LINE_QUEUE_BYTES:
            self.counters.dropped_queue_full += 1
            return
        self._to_line += encoded
        self.on_packet(False, frame[ETHERNET_HEADER_BYTES:])
        self.counters.to_board_packets += 1

    def _read_line(self) -> None:
        assert self._line is not None  # noqa: S101
        try:
            data = self._line.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop_line()
            return
        self.counters.from_board_bytes += len(data)
        for packet in self._decoder.feed(data):
            self.on_packet(True, packet)
            if is_wanted(packet, is_isolated=self._is_isolated):
                self._to_stack.append(_GATEWAY_MAC + _DEVICE_MAC + _IPV4 + packet)
                self.counters.from_board_packets += 1
            else:
                self.counters.dropped_unwanted += 1

    def _write_line(self) -> None:
        if self._line is None or not self._to_line:
            return
        try:
            sent = self._line.send(self._to_line)
        except BlockingIOError:
            return
        except OSError:
            self._drop_line()
            return
        del self._to_line[:sent]
        self.counters.to_board_bytes += sent

    def _drop_line(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None
        self._to_line.clear()
        self._decoder = SlipDecoder()


def is_wanted(packet: bytes, *, is_isolated: bool) -> bool:
    """Is this an IPv4 packet of the board, whole, and to where a board may talk?"""
    if len(packet) < 20 or packet[0] >> 4 != 4 or (packet[0] & 15) < 5:
        return False
    if int.from_bytes(packet[2:4], "big") != len(packet):
        return False
    if packet[12:16] != socket.inet_aton(DEVICE_ADDRESS):
        return False
    return not is_isolated or packet[16:20] == socket.inet_aton(HOST_ADDRESS)


def _arp_reply() -> bytes:
    """Ethernet frame: "10.0.2.15 is at the device's MAC", to the gateway."""
    device, host = socket.inet_aton(DEVICE_ADDRESS), socket.inet_aton(HOST_ADDRESS)
    head = b"\x00\x01\x08\x00\x06\x04\x00\x02"
    return _GATEWAY_MAC + _DEVICE_MAC + _ARP + head + _DEVICE_MAC + device + _GATEWAY_MAC + host
