"""Time and entropy of a simulated unit: both are repeatable and change only by a call."""

from __future__ import annotations

import hashlib

from device.errors import EntropyError

TICKS_PERIOD = 1 << 30  # as on MicroPython


class Ticks:
    """Ticks that wrap as MicroPython's."""

    def ticks_diff(self, later: int, earlier: int) -> int:
        """Return the signed distance in ms; correct for distances below 2**29."""
        half = TICKS_PERIOD // 2
        return (later - earlier + half) % TICKS_PERIOD - half


class SimClock(Ticks):
    """Virtual time; implements device.interfaces.Clock. Starts at `start_ms`; `advance_ms` moves it."""

    def __init__(self, start_ms: int = 0) -> None:
        self._ms = start_ms
        self.trusted_time_s: int | None = None

    def ticks_ms(self) -> int:
        """Return the milliseconds since power-on, modulo 2**30."""
        return self._ms % TICKS_PERIOD

    def set_trusted_time(self, unix_s: int | None) -> None:
        """Set the time that the device trusts; None if it trusts none."""
        self.trusted_time_s = unix_s

    def advance_ms(self, ms: int) -> None:
        """Let `ms` milliseconds pass."""
        if ms < 0:
            raise ValueError("time cannot go back")
        self._ms += ms


class SimEntropy:
    """A repeatable stream of bytes; implements device.interfaces.Entropy. For tests only: it is predictable.

    `is_seeded` False simulates a unit without an entropy source.
    """

    def __init__(self, seed: bytes = b"simulator", is_seeded: bool = True) -> None:
        self._seed = seed
        self._counter = 0
        self.is_seeded = is_seeded

    def is_ready(self) -> bool:
        """Return whether random_bytes can return bytes."""
        return self.is_seeded

    def random_bytes(self, length: int) -> bytes:
        """Return `length` bytes that depend on the seed and all earlier calls. Raises EntropyError."""
        if not self.is_seeded:
            raise EntropyError
        result = b""
        while len(result) < length:
            self._counter += 1
            result += hashlib.sha256(self._seed + self._counter.to_bytes(8, "big")).digest()
        return result[:length]
