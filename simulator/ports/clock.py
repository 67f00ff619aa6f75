"""Time and entropy of a simulated unit: both move only when they are told to."""

from __future__ import annotations

import hashlib

from device.errors import EntropyError

TICKS_PERIOD = 1 << 30  # as on MicroPython


class SimClock:
    """Virtual time; implements device.interfaces.Clock. Starts at `start_ms`, moves by `advance_ms`."""

    def __init__(self, start_ms: int = 0) -> None:
        self._ms = start_ms
        self.trusted_time_s: int | None = None

    def ticks_ms(self) -> int:
        """Give the milliseconds since power-on, modulo 2**30."""
        return self._ms % TICKS_PERIOD

    def ticks_diff(self, later: int, earlier: int) -> int:
        """Give the signed distance in ms, right for distances below 2**29."""
        half = TICKS_PERIOD // 2
        return (later - earlier + half) % TICKS_PERIOD - half

    def set_trusted_time(self, unix_s: int | None) -> None:
        """Keep what the device trusts; None while it trusts no time."""
        self.trusted_time_s = unix_s

    def advance_ms(self, ms: int) -> None:
        """Let `ms` milliseconds pass."""
        if ms < 0:
            raise ValueError("time does not go back")
        self._ms += ms


class SimEntropy:
    """A repeatable stream of bytes; implements device.interfaces.Entropy. Never for anything that is shipped.

    `is_seeded` False stands for a unit without an entropy source.
    """

    def __init__(self, seed: bytes = b"simulator", is_seeded: bool = True) -> None:
        self._seed = seed
        self._counter = 0
        self.is_seeded = is_seeded

    def is_ready(self) -> bool:
        """Say whether random_bytes will answer."""
        return self.is_seeded

    def random_bytes(self, length: int) -> bytes:
        """Give `length` bytes that follow from the seed and all earlier calls. Raises EntropyError."""
        if not self.is_seeded:
            raise EntropyError
        result = b""
        while len(result) < length:
            self._counter += 1
            result += hashlib.sha256(self._seed + self._counter.to_bytes(8, "big")).digest()
        return result[:length]
