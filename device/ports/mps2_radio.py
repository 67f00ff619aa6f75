"""The emulated board's radio: interfaces.Wifi as a MODEL on the host, over a serial line of its own (radio_line.py).

Only the firmware variant `radio` has this module. The host decides about networks, faults and whether packets pass. The
servers inside the access point are those of the chips (access_point.py), on the board's one TCP/IP interface.
"""

import asyncio

import _mps2

from device.codec.frame import FrameDecoder
from device.compat import const
from device.errors import CodecError, LinkError
from device.net import wifi
from device.ports import access_point, radio_line
from device.ports.sockets import SocketStream

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Awaitable, Callable, Sequence

    from device.interfaces import Stream
    from device.ports.access_point import AnswerSocket, PageServer

_RADIO_UART = const(3)
_IMPROV_UART = const(4)
_READ_BYTES = const(256)
_POLL_S = 0.05
_POLLS = const(600)  # 30 s: a host that is busy answers late
_ADDRESS = "10.0.2.15"


class Mps2Wifi:
    """interfaces.Wifi."""

    securities = wifi.JOINABLE
    bluetooth = None

    def __init__(self) -> None:
        self._uart: "Any" = None
        self._decoder = FrameDecoder()
        self._number = 0  # of the last request
        self._link_number = 0  # of the last JOIN or LEAVE
        self._state = wifi.IDLE
        self._signal_dbm: "int | None" = None
        self._answers: "dict[int, Any]" = {}  # by the number of a request that is waited for

    def switch_on(self) -> "Mps2Wifi":
        """Open the line and forget what the model keeps of an earlier start. Return this object."""
        self._uart = _mps2.Uart(_RADIO_UART)
        self._send(radio_line.START)
        return self

    def _send(self, kind: int, *members: "Any") -> int:
        """Send a request and return its number. Raises LinkError if nothing reads the line."""
        self._number += 1
        data = radio_line.message(kind, self._number, *members)
        if self._uart.write(data) != len(data):
            raise LinkError(reason="radio: the line is stalled")
        return self._number

    def _take(self) -> None:
        """Take every message that has arrived. What is damaged or late is dropped."""
        while True:
            data = self._uart.read(_READ_BYTES)
            if not data:
                return
            for payload in self._decoder.feed(data):
                try:
                    self._note(radio_line.parse(payload))
                except (CodecError, IndexError):
                    pass

    def _note(self, found: "Sequence[Any]") -> None:
        kind, number = found[0], found[1]
        if kind == radio_line.LINK and number == self._link_number:
            self._state, self._signal_dbm = found[2], found[3]
        elif kind in (radio_line.NETWORKS, radio_line.DONE) and number in self._answers:
            self._answers[number] = found[2]

    async def _ask(self, kind: int, *members: "Any") -> "Any":
        """Send a request and return the answer. Raises LinkError."""
        number = self._send(kind, *members)
        self._answers[number] = None
        try:
            for _ in range(_POLLS):
                self._take()
                if self._answers[number] is not None:
                    return self._answers[number]
                await asyncio.sleep(_POLL_S)
        finally:
            del self._answers[number]
        raise LinkError(reason="radio: no answer")

    # interfaces.Wifi -----------------------------------------------------------------------------------------
    async def scan(self) -> "list[tuple[bytes, str, int]]":
        """Return the networks in range. Raises LinkError."""
        return [wifi.Seen(*one) for one in await self._ask(radio_line.SCAN)]

    def join(self, chosen: "tuple[bytes, bytes, str]") -> None:
        """Begin to join. Raises LinkError."""
        self._state, self._signal_dbm = wifi.JOINING, None
        self._link_number = self._send(radio_line.JOIN, *chosen)

    def leave(self) -> None:
        """End the link. Raises LinkError."""
        self._state, self._signal_dbm = wifi.IDLE, None
        self._link_number = self._send(radio_line.LEAVE)

    def state(self) -> str:
        """Return how the link is."""
        self._take()
        return self._state

    def signal_dbm(self) -> "int | None":
        """Return the signal of the joined router, None without one."""
        self._take()
        return self._signal_dbm

    async def open_access_point(self, name: str, passphrase: str) -> str:
        """Open it and return the unit's address. Raises ValueError without a passphrase, LinkError."""
        if not wifi.PASSPHRASE_CHARS[0] <= len(passphrase) <= wifi.PASSPHRASE_CHARS[1]:
            raise ValueError("passphrase")
        refused = await self._ask(radio_line.OPEN, name, passphrase)
        if refused:
            raise LinkError(reason="access point: {}".format(refused))
        return _ADDRESS

    async def close_access_point(self) -> None:
        """Close it. Raises LinkError."""
        await self._ask(radio_line.CLOSE)

    async def open_answers(self, port: int) -> "AnswerSocket":
        """Return a UDP socket on the unit's address. Raises LinkError."""
        return access_point.open_answers(lambda: _ADDRESS, port)

    async def serve_page(
        self, port: int, handler: "Callable[[Stream, object], Awaitable[None]]"
    ) -> "PageServer":
        """Listen without TLS on the unit's address. Raises LinkError."""
        return await access_point.serve_page(lambda: _ADDRESS, port, handler)


def improv_stream() -> "SocketStream":
    """Return the line for Improv Wi-Fi as interfaces.Stream."""
    return SocketStream(asyncio.StreamReader(_mps2.Uart(_IMPROV_UART)))
