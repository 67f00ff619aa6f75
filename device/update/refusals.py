"""Signed data that a unit refused, so that each is verified and reported once.

Rules:
1. What is refused now may be accepted after another set of keys is in force, or after a newer record was accepted (it
   may have been too far ahead). Each of the two events forgets every refusal.
2. Each source may offer something else, so as many refusals are remembered as a unit has sources.
"""

from hashlib import sha256

from device.compat import const
from device.limits import SOURCES

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from device.trust.anchors import Anchors


class Refusals:
    """The refusals of one kind of record, in RAM."""

    def __init__(self) -> None:
        self._anchors: "Anchors | None" = None
        self._digests: "list[bytes]" = []  # SHA-256, oldest first

    def has(self, data: bytes, anchors: "Anchors") -> bool:
        """Return whether exactly these bytes were refused under these anchors."""
        return self._anchors is anchors and sha256(data).digest() in self._digests

    def add(self, data: bytes, anchors: "Anchors") -> None:
        """Remember a refusal."""
        if self._anchors is not anchors:
            self.forget()
        self._anchors = anchors
        self._digests = (self._digests + [sha256(data).digest()])[-SOURCES:]

    def forget(self) -> None:
        """Something newer was accepted (rule 1)."""
        self._anchors, self._digests = None, []
