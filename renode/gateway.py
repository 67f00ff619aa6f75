"""One board's network: IP packets in SLIP on a serial line, connected to user-mode TCP/IP of the host.

The board is 10.0.2.15, services on the host's loopback appear at 10.0.2.2. Rules:
1. A board reaches 10.0.2.2 only, unless the gateway was created with is_isolated=False.
2. Data from the line is untrusted: bounded, checked, counted, and dropped if it is wrong.
3. The queue towards the line is bounded. If it is full, packets are dropped, as a router does; TCP repeats them.
4. A power cycle gets a new stack, so no old connection answers the new start. Forwarded ports stay the same.
Each gateway has one thread, which sleeps in poll() while nothing happens.
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
from renode.libslirp import ETHERNET_HEADER_BYTES, SlirpStack
from renode.lines import escape_mux
from renode.slip import SlipDecoder, slip_encode

DEVICE_ADDRESS: Final = "10.0.2.15"
HOST_ADDRESS: Final = "10.0.2.2"
DNS_ADDRESS: Final = "10.0.2.3"
LINE_QUEUE_BYTES: Final = 128 * 1024  # towards the board: more than any TCP window of the firmware
_GATEWAY_MAC: Final = bytes.fromhex("52550a000202")  # libslirp derives it from the host address
_DEVICE_MAC: Final = bytes.fromhex("525400123456")
_IPV4: Final = b"\x08\x00"
_ARP: Final = b"\x08\x06"
_READ_BYTES: Final = 65536
_READY_TIMEOUT_S: Final = 10.0


@dataclass
class GatewayCounters:
    """Dropped packets so far; any thread may read it."""

    dropped_queue_full: int = 0
    dropped_unwanted: int = 0  # wrong addresses, lengths, protocols
    dropped_no_link: int = 0  # `passes` refused them


class Gateway:
    """The network of one board. `attach` a line at power-on, `detach` it at power-off."""

    def __init__(
        self,
        *,
        forwards: tuple[int, ...] = (443,),
        udp_forwards: tuple[int, ...] = (),
        is_isolated: bool = True,
    ) -> None:
        self.counters = GatewayCounters()
        # Called in the gateway's thread with (whether the board sent it, IPv4 packet), for captures.
        self.on_packet: Callable[[bool, bytes], None] = lambda is_from_board, packet: None
        # Called in the gateway's thread as on_packet is: whether the packet passes. A model of a radio decides so.
        self.passes: Callable[[bool, bytes], bool] = lambda is_from_board, packet: True
        self._ports = dict.fromkeys(forwards, 0)
        self._udp_ports = dict.fromkeys(udp_forwards, 0)
        self._is_isolated = is_isolated
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_write.setblocking(False)
        self._wake_read.setblocking(False)
        self._thread: threading.Thread | None = None
        self._is_stopping = False
        self._failure: BaseException | None = None
        self._ready = threading.Event()
        # Only the gateway's own thread uses the attributes below.
        self._stack: SlirpStack | None = None
        self._line: socket.socket | None = None
        self._is_mux = False
        self._to_line = bytearray()
        self._to_stack: list[bytes] = []
        self._decoder = SlipDecoder()

    def start(self) -> None:
        """Start the thread; return when the forwarded ports listen. Raises ToolMissingError, GatewayError."""
        if self._thread is not None:
            return
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)
        self._thread.start()
        if not self._ready.wait(_READY_TIMEOUT_S):
            raise GatewayError("the gateway did not start")
        if self._failure is not None:
            raise self._failure

    def host_port(self, device_port: int) -> int:
        """Return the port on 127.0.0.1 that leads to `device_port`; it never changes."""
        return self._ports[device_port]

    def host_udp_port(self, device_port: int) -> int:
        """Return the UDP port on 127.0.0.1 that leads to `device_port`; it never changes."""
        return self._udp_ports[device_port]

    def attach(self, line: socket.socket, *, is_mux: bool) -> None:
        """Use the connected `line` of a board that was just powered on. Raises GatewayError."""

        def take() -> None:
            self._close_line()
            self._renew_stack()
            line.setblocking(False)
            self._line, self._is_mux = line, is_mux

        self._call(take)

    def detach(self) -> None:
        """Close the line, if there is one. Raises GatewayError."""
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
        """Run `function` in the gateway's thread and wait for it; raise its exception here."""
        if self._thread is None or not self._thread.is_alive():
            raise GatewayError("the gateway is not running") from self._failure
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
        with contextlib.suppress(BlockingIOError):  # enough wake-ups are waiting
            self._wake_write.send(b"\0")

    # -- the gateway's thread ------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._renew_stack()
            self._ready.set()
            while not self._is_stopping:
                self._poll_once()
        except Exception as error:
            self._failure = error
        finally:
            self._ready.set()
            self._close_line()
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
            self._ports[device_port] = self._stack.forward(DEVICE_ADDRESS, device_port, host_port)
        for device_port, host_port in self._udp_ports.items():
            self._udp_ports[device_port] = self._stack.forward(
                DEVICE_ADDRESS, device_port, host_port, is_udp=True
            )
        self._to_stack = [_arp_reply()]  # the stack then knows the board's MAC without asking
        self._feed_stack()

    def _poll_once(self) -> None:
        assert self._stack is not None  # noqa: S101 (created before the first poll)
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
        """Pass waiting frames to the library; its callbacks must not do that."""
        while self._to_stack:
            frames, self._to_stack = self._to_stack, []
            for frame in frames:
                if self._stack is not None:
                    self._stack.input(frame)

    def _on_frame(self, frame: bytes) -> None:
        """Queue a frame of the stack for the board."""
        if frame[12:14] == _ARP:
            self._to_stack.append(_arp_reply())
            return
        if frame[12:14] != _IPV4 or self._line is None:
            return
        if not self.passes(False, frame[ETHERNET_HEADER_BYTES:]):
            self.counters.dropped_no_link += 1
            return
        encoded = slip_encode(frame[ETHERNET_HEADER_BYTES:])
        if self._is_mux:
            encoded = escape_mux(encoded)
        if len(self._to_line) + len(encoded) > LINE_QUEUE_BYTES:
            self.counters.dropped_queue_full += 1
            return
        self._to_line += encoded
        self.on_packet(False, frame[ETHERNET_HEADER_BYTES:])

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
        for packet in self._decoder.feed(data):
            self.on_packet(True, packet)
            if not is_wanted(packet, is_isolated=self._is_isolated):
                self.counters.dropped_unwanted += 1
            elif not self.passes(True, packet):
                self.counters.dropped_no_link += 1
            else:
                self._to_stack.append(_GATEWAY_MAC + _DEVICE_MAC + _IPV4 + packet)

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

    def _drop_line(self) -> None:
        """Close the line of a board that is off, and every connection with it: its peers need not wait for a limit."""
        if self._line is not None:
            self._close_line()
            self._renew_stack()

    def _close_line(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None
        self._to_line.clear()
        self._decoder = SlipDecoder()


def is_wanted(packet: bytes, *, is_isolated: bool) -> bool:
    """Return whether this is a complete IPv4 packet of the board to an address that it may reach."""
    if len(packet) < 20 or packet[0] >> 4 != 4 or (packet[0] & 15) < 5:
        return False
    if int.from_bytes(packet[2:4], "big") != len(packet):
        return False
    if packet[12:16] != socket.inet_aton(DEVICE_ADDRESS):
        return False
    return not is_isolated or packet[16:20] == socket.inet_aton(HOST_ADDRESS)


def _arp_reply() -> bytes:
    """Return an Ethernet frame that tells the gateway the board's MAC."""
    device, host = socket.inet_aton(DEVICE_ADDRESS), socket.inet_aton(HOST_ADDRESS)
    head = b"\x00\x01\x08\x00\x06\x04\x00\x02"
    return _GATEWAY_MAC + _DEVICE_MAC + _ARP + head + _DEVICE_MAC + device + _GATEWAY_MAC + host
