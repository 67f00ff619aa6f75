"""Bluetooth of one simulated unit: interfaces.Bluetooth, and the end of a client in range. No radio is used.

The unit's end is used on its event loop, the client's from any thread. `heard` keeps everything that crossed the air,
for tests that look for secrets in it.
"""

from __future__ import annotations

import queue
from typing import Final

from device.net import improv
from device.net.improv_ble import frame

PIECES: Final = 16  # as device/ports/ble.py


class SimBluetooth:
    """interfaces.Bluetooth. `connect` gives the end of a client."""

    def __init__(self) -> None:
        self.is_open = False
        self.state = 0
        self.heard: list[bytes] = []
        self._written: queue.Queue[bytes] = queue.Queue()
        self._client: ClientEnd | None = None

    def connect(self) -> ClientEnd:
        """Return the end of a new client; an earlier one receives nothing any more. Raises OSError while it is off."""
        if not self.is_open:
            raise OSError("no device in range")
        self._client = ClientEnd(self)
        self._written.put(b"")
        return self._client

    def open(self, state: int) -> None:
        """Switch on."""
        self.is_open, self.state = True, state

    def advertise(self, state: int) -> None:
        """Show a new state."""
        self.state = state
        self._notify(improv.CURRENT_STATE, bytes((state,)))

    def take(self) -> bytes | None:
        """Return what the client wrote, b"" if one has come, None if nothing happened."""
        try:
            return self._written.get_nowait()
        except queue.Empty:
            return None

    def send(self, kind: int, data: bytes) -> None:
        """Notify the client."""
        self._notify(kind, frame(data) if kind == improv.RPC_RESULT else data)

    def hang_up(self) -> None:
        """End the client's connection."""
        self._client = None

    def close(self) -> None:
        """Switch off."""
        self.is_open, self._client = False, None

    def written(self, client: ClientEnd, data: bytes) -> None:
        """Take what a client writes. Raises OSError if it is not connected any more."""
        if client is not self._client or self._written.qsize() >= PIECES:
            raise OSError("the device ended the connection")
        self.heard.append(data)
        self._written.put(data)

    def _notify(self, kind: int, value: bytes) -> None:
        self.heard.append(value)
        if self._client is not None:
            self._client.notifications.put((kind, value))


class ClientEnd:
    """A client's connection (provisioning.onboarding.improv.Service)."""

    def __init__(self, bluetooth: SimBluetooth) -> None:
        self.notifications: queue.Queue[tuple[int, bytes]] = queue.Queue()
        self._bluetooth = bluetooth

    def write(self, data: bytes) -> None:
        """Write the characteristic of commands. Raises OSError."""
        self._bluetooth.written(self, data)

    def read(self, timeout_s: float) -> tuple[int, bytes] | None:
        """Return the next notification as (type, value), None after `timeout_s`."""
        try:
            return self.notifications.get(timeout=timeout_s)
        except queue.Empty:
            return None
