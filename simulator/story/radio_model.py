"""The host's side of the emulated board's radio: the simulator's model of one, over a serial line.

A MODEL: no radio is emulated. It decides what the board's radio reports (simulator/ports/radio.py, with the faults of
air.py), and which packets the board's network passes. The line (device/ports/radio_line.py) is a pair of sockets, one
inside this process and one inside QEMU.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Sequence
from typing import Any, Final

from device.codec.frame import FrameDecoder
from device.errors import FirstbootError
from device.net import wifi
from device.ports import radio_line
from device.ports.host import HostClock
from renode.lines import escape_mux
from simulator.ports.air import Air
from simulator.ports.radio import SimWifi
from simulator.tasks import end_tasks

OWN_PORTS: Final = (443, 80, 53)  # of the servers that a phone beside the unit reaches
_LOOK_S: Final = 0.05
_READ_BYTES: Final = 4096
_JOIN_S: Final = 10.0
_TCP, _UDP = 6, 17


class RadioModel:
    """renode.qemu.LineEnd for the radio of one board. `radio`: of the running board; tests read it.

    `securities`: what the radio can join from the next power-on; the firmware does not know it, and the model refuses.
    """

    def __init__(self, air: Air) -> None:
        self.air = air
        self.securities: tuple[str, ...] = wifi.JOINABLE
        self.radio = self._new_radio()
        self._line: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._is_mux = False
        self._link_number = 0
        self._link: tuple[str, int | None] | None = None  # as it was sent last
        self._scans: set[asyncio.Task[None]] = set()

    def _new_radio(self) -> SimWifi:
        return SimWifi(self.air, HostClock(), self.securities)

    # renode.qemu.LineEnd -------------------------------------------------------------------------------------
    def attach(self, line: socket.socket, *, is_mux: bool) -> None:
        """Answer on `line` until it ends: the board was just powered on."""
        self.detach()
        line.setblocking(False)
        self._line, self._is_mux = line, is_mux
        self._thread = threading.Thread(target=self._run, args=(line,), name="radio", daemon=True)
        self._thread.start()

    def detach(self) -> None:
        """End: the board lost its power, so its access point is gone."""
        line, thread, self._line, self._thread = self._line, self._thread, None, None
        if line is not None:
            try:
                line.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other end has closed it
        if thread is not None:
            thread.join(_JOIN_S)
        if line is not None:
            line.close()

    # the packets of the board's network ----------------------------------------------------------------------
    def passes(self, is_from_board: bool, packet: bytes) -> bool:
        """Return whether an IPv4 packet of the board's network passes now.

        The unit's own servers are reached inside its access point, and on the network that it joined. Everything else
        passes on a network that has the internet.
        """
        radio = self.radio
        if _own_port(is_from_board, packet) in OWN_PORTS:
            return radio.is_access_point_open or radio.router is not None
        return radio.reaches_internet

    # the model's thread --------------------------------------------------------------------------------------
    def _run(self, line: socket.socket) -> None:
        asyncio.run(self._serve(line))

    async def _serve(self, line: socket.socket) -> None:
        await self._restart()
        reporter = asyncio.create_task(self._report_link(line))
        decoder = FrameDecoder()
        loop = asyncio.get_running_loop()
        try:
            while data := await loop.sock_recv(line, _READ_BYTES):
                for payload in decoder.feed(data):
                    await self._take(line, payload)
        except OSError:
            pass  # the board lost its power
        finally:
            await end_tasks((reporter, *self._scans))
            await self._restart()

    async def _restart(self) -> None:
        await self.radio.close_access_point()
        self.radio = self._new_radio()
        self._link_number, self._link = 0, None

    async def _report_link(self, line: socket.socket) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            found = self.radio.state(), self.radio.signal_dbm()
            if self._link_number and found != self._link:
                self._link = found
                await self._send(line, radio_line.LINK, self._link_number, *found)

    async def _send(self, line: socket.socket, kind: int, number: int, *members: Any) -> None:
        data = radio_line.message(kind, number, *members)
        try:
            await asyncio.get_running_loop().sock_sendall(line, escape_mux(data) if self._is_mux else data)
        except OSError:
            pass  # the board lost its power

    async def _take(self, line: socket.socket, payload: bytes) -> None:
        """Do what the board asks. A message of another shape is dropped: it is data of the guest."""
        try:
            kind, number, *members = radio_line.parse(payload)
            if kind == radio_line.START:
                await self._restart()
            elif kind == radio_line.SCAN:
                task = asyncio.create_task(self._scan(line, number))
                self._scans.add(task)
                task.add_done_callback(self._scans.discard)
            elif kind in (radio_line.JOIN, radio_line.LEAVE):
                self._change_link(kind, number, members)
            elif kind in (radio_line.OPEN, radio_line.CLOSE):
                await self._send(line, radio_line.DONE, number, await self._switch(kind, members))
        except (FirstbootError, TypeError, ValueError):
            pass

    def _change_link(self, kind: int, number: int, members: Sequence[Any]) -> None:
        if kind == radio_line.JOIN:
            self.radio.join(wifi.Network(*members))
        else:
            self.radio.leave()
        self._link_number, self._link = number, None

    async def _scan(self, line: socket.socket, number: int) -> None:
        seen = [[one.ssid, one.security, one.signal_dbm] for one in await self.radio.scan()]
        await self._send(line, radio_line.NETWORKS, number, seen)

    async def _switch(self, kind: int, members: Sequence[Any]) -> str:
        if kind == radio_line.CLOSE:
            await self.radio.close_access_point()
            return ""
        name, passphrase = members
        try:
            await self.radio.open_access_point(name, passphrase)
        except ValueError:
            return "not protected"
        return ""


def _own_port(is_from_board: bool, packet: bytes) -> int | None:
    """Return the board's port in a TCP or UDP packet, None for any other or a fragment."""
    header = 4 * (packet[0] & 15) if packet else 0
    if (
        header < 20
        or len(packet) < header + 4
        or packet[9] not in (_TCP, _UDP)
        or packet[6] & 0x1F
        or packet[7]
    ):
        return None
    at = header if is_from_board else header + 2
    return int.from_bytes(packet[at : at + 2], "big")
