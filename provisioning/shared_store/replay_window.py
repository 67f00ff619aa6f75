"""A replay window (RFC 8613 7.4) as a value: which request numbers of a unit were accepted.

Rules:
1. A number is accepted once. Numbers below the window count as accepted.
2. A window that begins at a fresh number counts every lower number as accepted. Higher ones keep their mark.
"""

from __future__ import annotations

from typing import Final, NamedTuple

SIZE: Final = 32  # RFC 8613 7.4: the default
_ALL: Final = (1 << SIZE) - 1


class Window(NamedTuple):
    """Numbers below `start` were accepted, and `start` + n for each bit n of `seen`. `start` -1: none yet."""

    start: int
    seen: int

    def is_new(self, number: int) -> bool:
        """Return whether the number was not accepted yet."""
        place = number - self.start
        return place >= SIZE or (place >= 0 and not self.seen >> place & 1)

    def accept(self, number: int) -> Window | None:
        """Return the window after the number was accepted; None if it was before."""
        if not self.is_new(number):
            return None
        start = max(self.start, number - SIZE + 1)
        return Window(start, self._seen_from(start) | 1 << number - start)

    def begin(self, number: int) -> Window | None:
        """Return the window after a number that is known to be fresh (rule 2); None if it was accepted before."""
        if not self.is_new(number):
            return None
        return Window(number, self._seen_from(number) | 1)

    def includes(self, other: Window) -> bool:
        """Return whether every number that `other` accepted is accepted here too."""
        if self.start < other.start:
            return False
        return not other._seen_from(self.start) & ~self.seen

    def _seen_from(self, start: int) -> int:
        return (self.seen >> min(start - self.start, SIZE)) & _ALL


EMPTY: Final = Window(-1, 0)
