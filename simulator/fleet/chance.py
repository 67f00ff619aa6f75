"""Chance that depends on a name and on nothing else: the same seed, unit and question give the same answer.

Units do not share a generator, so neither the number of processes nor the order of events changes what happens to a
unit.
"""

from __future__ import annotations

import math
from hashlib import blake2b

_WHOLE = float(1 << 64)


def number(*name: object) -> float:
    """Return a number from 0 to 1, 1 not included, that follows from `name`."""
    text = "/".join(str(part) for part in name)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") / _WHOLE


def key(*name: object) -> bytes:
    """Return 16 bytes that follow from `name`."""
    return blake2b("/".join(str(part) for part in name).encode(), digest_size=16).digest()


def happens(share: float, *name: object) -> bool:
    """Return whether something with probability `share` happens."""
    return share > 0 and number(*name) < share


class Numbered:
    """`happens(share, *name, 1)`, `happens(share, *name, 2)`, ...: the name is hashed once."""

    __slots__ = ("_hash",)

    def __init__(self, *name: object) -> None:
        text = "/".join(str(part) for part in name)
        self._hash = blake2b(f"{text}/".encode(), digest_size=8)

    def happens(self, share: float, count: int) -> bool:
        """Return whether the event number `count` happens."""
        if share <= 0:
            return False
        hashed = self._hash.copy()
        hashed.update(b"%d" % count)
        return int.from_bytes(hashed.digest(), "big") / _WHOLE < share


def normal(*name: object) -> float:
    """Return a value of the standard normal distribution (Box and Muller, 1958)."""
    return math.sqrt(-2 * math.log(1 - number(*name, "r"))) * math.cos(2 * math.pi * number(*name, "a"))


def exponential(mean: float, *name: object) -> float:
    """Return a waiting time with this mean."""
    return -mean * math.log(1 - number(*name))
