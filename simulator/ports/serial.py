"""A serial line between a simulated unit and the factory station, as two ends of one socket pair.

The unit's end is a device.interfaces.Stream on its event loop; the station's end blocks, as a real port does, and
may be used from another thread. `noise` sees every byte string on its way to either end, so that a test can drop
or damage some.
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
    """The station's side: blocking, bounded waits. `read` gives b"" when nothing came in time."""

    def __init__(self, end: socket.socket, noise: Noise) -> None:
        self._socket = end
        self._noise = noise

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises LinkError when the unit's side is closed."""
        try:
            self._socket.sendall(self._noise(data))
        except OSError:
            raise LinkError(reason="serial line closed") from None

    def read(self, timeout_s: float) -> bytes:
        """Give what arrived, at most 4096 bytes, b"" after `timeout_s`. Raises LinkError at the line's end."""
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
    """One serial line. `station` is ready at once; the unit's end is opened on its event loop by `open_unit`."""

    def __init__(self, noise: Noise = _quiet) -> None:
        station, self._unit = socket.socketpair()
        self.station = StationEnd(station, noise)

    async def open_unit(self) -> HostStream:
        """Give the unit's end as a Stream of the running loop; the line stays up when the unit restarts."""
        reader, writer = await asyncio.open_connection(sock=self._unit.dup())
        return HostStream(reader, writer)

    def close(self) -> None:
        """Close both ends."""
        self.station.close()
        with contextlib.suppress(OSError):
            self._unit.close()
