"""One payload of a release and its chunk list: the published objects and the file names in a release folder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from device.limits import CHUNK_BYTES, CHUNK_LIST_BYTES

FIRMWARE: Final = "firmware"
APP: Final = "app"
DELTA: Final = "delta"
MAX_PAYLOAD_BYTES: Final = CHUNK_LIST_BYTES // 32 * CHUNK_BYTES
# Payload -> file names of content and chunk list in a release folder. The components of a manifest are NAME and
# NAME-chunks; the chunk list of the firmware is "chunks".
FILES: Final = {
    FIRMWARE: ("payload.bin", "chunks.bin"),
    APP: ("app.bin", "app-chunks.bin"),
    DELTA: ("delta.bin", "delta-chunks.bin"),
}


class ReleaseError(ValueError):
    """A release cannot be built, or its files do not belong together."""


def split_chunks(payload: bytes) -> bytes:
    """Return the chunk list: the SHA-256 digests of the chunks (CHUNK_BYTES each) in order.

    Raises ReleaseError for an empty payload or one above MAX_PAYLOAD_BYTES.
    """
    if not 0 < len(payload) <= MAX_PAYLOAD_BYTES:
        raise ReleaseError(
            f"A payload must have 1 to {MAX_PAYLOAD_BYTES} bytes. This one has {len(payload)}."
        )
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
        """SHA-256 of the content: its published name."""
        return hashlib.sha256(self.content).digest()

    @property
    def chunk_list_digest(self) -> bytes:
        """SHA-256 of the chunk list: its published name."""
        return hashlib.sha256(self.chunk_list).digest()

    def chunks(self) -> list[tuple[bytes, bytes]]:
        """Return (SHA-256, content) of every chunk, in order."""
        return [
            (self.chunk_list[at * 32 : at * 32 + 32], self.content[at * CHUNK_BYTES : (at + 1) * CHUNK_BYTES])
            for at in range(len(self.chunk_list) // 32)
        ]
