"""Bluetooth for Improv Wi-Fi on MicroPython's module `bluetooth`, for chips that have it. NOT YET RUN ON A CHIP.

Rules:
1. One client at a time: while one is connected, the unit does not advertise.
2. What a client writes is kept in pieces of at most a frame, at most _PIECES of them; more ends its connection.
3. The handler of interrupts only notes what happened; the agent's task does the rest.
4. Nothing is paired or bonded: the conversation itself is sealed (net/improv_ble.py).
"""

import bluetooth

from device.compat import const
from device.errors import LinkError
from device.net import improv
from device.net.improv_ble import CAPABILITIES, FRAME_BYTES, frame

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

_CONNECTED, _DISCONNECTED, _WRITTEN = const(1), const(2), const(3)  # events of bluetooth.BLE.irq
_READ, _WRITE_NO_RESPONSE, _WRITE, _NOTIFY = const(0x02), const(0x04), const(0x08), const(0x10)
_UUID = "00467768-6228-2272-4663-27747826800{}"  # improv-wifi.com/ble: the service, then its characteristics
_SERVICE_DATA = b"\x77\x46"  # UUID 0x4677
_CHARACTERISTICS = (  # the last digit of the UUID, and its flags
    (1, _READ | _NOTIFY),  # current state
    (2, _READ | _NOTIFY),  # error state
    (3, _WRITE | _WRITE_NO_RESPONSE),  # RPC command
    (4, _READ | _NOTIFY),  # RPC result
    (5, _READ),  # capabilities
)
_INTERVAL_US = const(250_000)
_MTU = const(247)  # a result of one network in one notification
_PIECES = const(16)


class BleLine:
    """interfaces.Bluetooth."""

    def __init__(self) -> None:
        self._ble: "Any" = bluetooth.BLE()  # the stubs call handles memoryviews
        self._handles: "dict[int, Any]" = {}
        self._client: "Any" = None
        self._pieces: "list[bytes]" = []
        self._is_changed = False  # a client has come or gone
        self._is_flooded = False
        self._state = int(improv.STOPPED)

    def open(self, state: int) -> None:
        """Switch Bluetooth on and advertise. Raises LinkError."""
        service = bluetooth.UUID(_UUID.format(0))
        members = tuple([(bluetooth.UUID(_UUID.format(digit)), flags) for digit, flags in _CHARACTERISTICS])
        try:
            self._ble.active(True)
            self._ble.config(mtu=_MTU)
            self._ble.irq(self._note)
            (handles,) = self._ble.gatts_register_services(((service, members),))
            self._handles = {one[0]: handles[at] for at, one in enumerate(_CHARACTERISTICS)}
            self._ble.gatts_set_buffer(self._handles[3], FRAME_BYTES)
            self._ble.gatts_write(self._handles[5], CAPABILITIES)
            self._ble.gatts_write(self._handles[2], bytes((improv.NO_ERROR,)))
        except OSError as error:
            raise LinkError(reason="bluetooth: {}".format(error)) from None
        self.advertise(state)

    def advertise(self, state: int) -> None:
        """Show a new state, to a client and in the advertisement. Raises LinkError."""
        self._state = state
        try:
            self._ble.gatts_write(self._handles[1], bytes((state,)), True)
            if self._client is None:
                self._ble.gap_advertise(_INTERVAL_US, adv_data=_advertisement(state))
        except OSError as error:
            raise LinkError(reason="bluetooth: {}".format(error)) from None

    def _note(self, event: int, data: "Any") -> None:
        if event == _CONNECTED:
            self._client, self._is_changed, self._pieces = data[0], True, []
        elif event == _DISCONNECTED and data[0] == self._client:
            self._client, self._is_changed, self._pieces = None, True, []
        elif event == _WRITTEN and data[0] == self._client and data[1] == self._handles[3]:
            if len(self._pieces) < _PIECES:
                self._pieces.append(bytes(self._ble.gatts_read(data[1])))
            else:
                self._is_flooded = True

    def take(self) -> "bytes | None":
        """Return what a client wrote, b"" if one has come or gone, None if nothing happened. Raises LinkError."""
        if self._is_changed:
            self._is_changed = self._is_flooded = False
            self.advertise(self._state)
            return b""
        if self._is_flooded:
            self.hang_up()
            return None
        return self._pieces.pop(0) if self._pieces else None

    def send(self, kind: int, data: bytes) -> None:
        """Set a characteristic and notify the client, if there is one."""
        value = frame(data) if kind == improv.RPC_RESULT else data
        handle = self._handles[{improv.CURRENT_STATE: 1, improv.ERROR_STATE: 2, improv.RPC_RESULT: 4}[kind]]
        try:
            self._ble.gatts_write(handle, value)
            if self._client is not None:
                self._ble.gatts_notify(self._client, handle, value)
        except OSError:
            pass  # it has gone; the event follows

    def hang_up(self) -> None:
        """End the connection of the client, if there is one."""
        self._pieces, self._is_flooded = [], False
        try:
            if self._client is not None:
                self._ble.gap_disconnect(self._client)
        except OSError:
            pass  # it has gone

    def close(self) -> None:
        """Switch Bluetooth off. Raises LinkError."""
        try:
            self._ble.gap_advertise(None)
            self._ble.active(False)
        except OSError as error:
            raise LinkError(reason="bluetooth: {}".format(error)) from None
        self._client, self._pieces = None, []


def _advertisement(state: int) -> bytes:
    """Return 31 bytes: flags, the service's UUID (least byte first), the service data with state and capabilities."""
    digits = _UUID.format(0).replace("-", "")
    uuid = bytes(reversed(bytes.fromhex(digits)))
    data = _SERVICE_DATA + bytes((state,)) + CAPABILITIES + bytes(4)
    return b"\x02\x01\x06" + bytes((17, 0x07)) + uuid + bytes((9, 0x16)) + data
