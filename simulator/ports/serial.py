"""A serial line between a simulated unit and the factory station, as two ends of one socket pair.

The unit's end is a device.interfaces.Stream on its event loop; the station's end blocks, as a real port does, and
may be used from another thread. `noise` receives every byte string on its way to either end and returns what arrives,
so that a test can drop or damage data.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

from device.errors import LinkError
from device.ports.host import HostStream

Noise = Callable[[bytes], bytes]


def _quiet(data: bytes) -> bytes:
    return data


class StationEnd:
    """The station's end: blocking, with bounded waits."""

    def __init__(self, end: socket.socket, noise: Noise) -> None:
        self._socket = end
        self._noise = noise

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises LinkError if the unit's end is closed."""
        try:
            self._socket.sendall(self._noise(data))
        except OSError:
            raise LinkError(reason="serial line closed") from None

    def read(self, timeout_s: float) -> bytes:
        """Return what arrived, at most 4096 bytes; b"" after `timeout_s`. Raises LinkError if the line is closed."""
        try:
            self._socket.settimeout(timeout_s)
            data = self._socket.recv(4096)
        except TimeoutError:
            return b""
        except OSError:
            raise LinkError(reason="serial line closed") from None
        if not data:
            raise LinkError(reason="serial line closed")
        return self._noise(data)

    def close(self) -> None:
        """Close this end."""
        self._socket.close()


class SerialPipe:
    """One serial line. `station` is ready at once; `open_unit` opens the unit's end on its event loop."""

    def __init__(self, noise: Noise = _quiet) -> None:
        station, self._unit = socket.socketpair()
        self.station = StationEnd(station, noise)

    async def open_unit(self) -> HostStream:
        """Return the unit's end as a Stream of the running loop. The line stays open when the unit restarts."""
        reader, writer = await asyncio.open_connection(sock=self._unit.dup())
        return HostStream(reader, writer)

    def close(self) -> None:
        """Close both ends."""
        self.station.close()
        with contextlib.suppress(OSError):
            self._unit.close()
