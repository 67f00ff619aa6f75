"""One payload of a release and the list of its chunks: what is published of it, and under which names it is kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from device.limits import CHUNK_BYTES, CHUNK_LIST_BYTES

FIRMWARE: Final = "firmware"
APP: Final = "app"
DELTA: Final = "delta"
MAX_PAYLOAD_BYTES: Final = CHUNK_LIST_BYTES // 32 * CHUNK_BYTES
# In a release folder, by payload: content and chunk list. A manifest's components are called like the payload and
# like the payload with "-chunks"; the firmware's list is just "chunks".
FILES: Final = {
    FIRMWARE: ("payload.bin", "chunks.bin"),
    APP: ("app.bin", "app-chunks.bin"),
    DELTA: ("delta.bin", "delta-chunks.bin"),
}


class ReleaseError(ValueError):
    """A release cannot be built, or its files do not belong together."""


def split_chunks(payload: bytes) -> bytes:
    """The chunk list: SHA-256 of every CHUNK_BYTES of the payload, one behind the other.

    Raises ReleaseError for an empty payload or one past MAX_PAYLOAD_BYTES.
    """
    if not 0 < len(payload) <= MAX_PAYLOAD_BYTES:
        raise ReleaseError(f"a payload has 1 to {MAX_PAYLOAD_BYTES} bytes, not {len(payload)}")
    return b"".join(
        hashlib.sha256(payload[at : at + CHUNK_BYTES]).digest() for at in range(0, len(payload), CHUNK_BYTES)
    )


@dataclass(frozen=True)
class Payload:
    """`name` is one of FILES."""

    name: str
    content: bytes
    chunk_list: bytes

    @classmethod
    def of(cls, name: str, content: bytes) -> Payload:
        """Raises ReleaseError as split_chunks does."""
        return cls(name, content, split_chunks(content))

    @property
    def digest(self) -> bytes:
        """SHA-256 of the content: its name where it is published."""
        return hashlib.sha256(self.content).digest()

    @property
    def chunk_list_digest(self) -> bytes:
        """SHA-256 of the chunk list: its name where it is published."""
        return hashlib.sha256(self.chunk_list).digest()

    def chunks(self) -> list[tuple[bytes, bytes]]:
        """(SHA-256, content) of every chunk, in order."""
        return [
            (self.chunk_list[at * 32 : at * 32 + 32], self.content[at * CHUNK_BYTES : (at + 1) * CHUNK_BYTES])
            for at in range(len(self.chunk_list) // 32)
        ]
