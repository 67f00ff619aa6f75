"""Factory ports of a station: serial lines, TCP and Unix sockets, units in this process.

Ports may appear at any time.

An address is `serial:DEVICE[@RATE]`, `tcp:HOST:PORT` or `unix:PATH`. Opening and using a port raises LinkError with a
readable reason, and ValueError if the address has another form.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import serial
from serial.tools import list_ports

from device.errors import LinkError
from provisioning import fair_time
from provisioning.station.link import ByteStream, open_port

RATE: Final = 115200
READ_BYTES: Final = 4096
_WRITE_S: Final = 10.0  # a line that takes nothing for so long is gone


class PortStream(ByteStream, Protocol):
    """A stream that can be closed."""

    def close(self) -> object: ...


class Port(Protocol):
    """A port where a board can be. `open` raises LinkError if the port does not exist."""

    @property
    def name(self) -> str: ...

    def open(self) -> PortStream: ...


class SerialStream:
    """A serial line through pyserial; works on Linux, macOS and Windows."""

    def __init__(self, line: Any) -> None:
        self._line = line

    def write(self, data: bytes) -> None:
        try:
            self._line.write(data)
            self._line.flush()
        except (serial.SerialException, OSError) as error:
            raise LinkError(reason="the serial line is gone", error=type(error).__name__) from None

    def read(self, timeout_s: float) -> bytes:
        try:
            self._line.timeout = max(timeout_s, 0.001)
            first: bytes = self._line.read(1)
            rest: bytes = self._line.read(min(self._line.in_waiting, READ_BYTES)) if first else b""
        except (serial.SerialException, OSError, TypeError) as error:  # pyserial: TypeError on a closed line
            raise LinkError(reason="the serial line is gone", error=type(error).__name__) from None
        return first + rest

    def close(self) -> None:
        with contextlib.suppress(serial.SerialException, OSError):
            self._line.close()


def open_serial(device: str, rate: int = RATE) -> SerialStream:
    """Open a serial device, exclusively if the system can. Raises LinkError."""
    try:
        line = serial.serial_for_url(
            device, baudrate=rate, timeout=1.0, write_timeout=fair_time.stretched(_WRITE_S), do_not_open=True
        )
        # some kinds of line cannot be opened exclusively
        with contextlib.suppress(ValueError, AttributeError):
            line.exclusive = True
        line.open()
        line.reset_input_buffer()
    except (serial.SerialException, OSError, ValueError) as error:
        number = getattr(error, "errno", None)  # pyserial's own text repeats the device
        reason = os.strerror(number) if number else type(error).__name__
        raise LinkError(reason=f"cannot open {device}: {reason}") from None
    return SerialStream(line)


@dataclass(frozen=True)
class AddressPort:
    """A port by its address, which is its name."""

    name: str

    def __post_init__(self) -> None:
        kind, _, rest = self.name.partition(":")
        if kind not in ("serial", "tcp", "unix") or not rest:
            raise ValueError(
                f"{self.name!r} is not a port; use serial:DEVICE[@RATE], tcp:HOST:PORT or unix:PATH"
            )

    def open(self) -> PortStream:
        return open_address(self.name)


def open_address(address: str) -> PortStream:
    """Open a port by its address. Raises LinkError; ValueError for any other form."""
    kind, _, rest = address.partition(":")
    if kind != "serial":
        return open_port(address)
    device, at, rate = rest.rpartition("@")
    if at and rate.isdecimal():
        return open_serial(device, int(rate))
    return open_serial(rest)


@dataclass(frozen=True)
class CallPort:
    """A port that a function opens: the simulator's units, tests."""

    name: str
    connect: Callable[[], PortStream]

    def open(self) -> PortStream:
        return self.connect()


Finder = Callable[[], Mapping[str, Port]]


def fixed(ports: Sequence[Port]) -> Finder:
    """Return a finder for ports that are always listed, with or without a board."""
    found = {port.name: port for port in ports}
    return lambda: found


def serial_finder(pattern: str) -> Finder:
    """Return a finder for serial devices that come and go, whose names match a pattern like "/dev/ttyACM*"."""

    def find() -> Mapping[str, Port]:
        devices = sorted(entry.device for entry in list_ports.comports())
        names = [f"serial:{device}" for device in devices if fnmatch.fnmatch(device, pattern)]
        return {name: AddressPort(name) for name in names}

    return find


def finder_of(addresses: Sequence[str]) -> Finder:
    """Return one finder for several addresses. A serial device with a wildcard is searched again and again.

    Raises ValueError for any other form.
    """
    patterns = [
        a.partition(":")[2] for a in addresses if a.startswith("serial:") and any(c in a for c in "*?[")
    ]
    plain = {a: AddressPort(a) for a in addresses if a.partition(":")[2] not in patterns}
    searched = [serial_finder(pattern) for pattern in patterns]

    def find() -> Mapping[str, Port]:
        found: dict[str, Port] = dict(plain)
        for search in searched:
            found.update(search())
        return found

    return find
