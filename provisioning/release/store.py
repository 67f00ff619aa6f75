"""The published files of one product class, which the CoAP server serves: what a release store can do.

Names: manifest, support, contact, keyset and o/SHA256 (the objects of the manifest) are fetched by units. The rollout
record, which the tracker signs, is kept beside them; no unit fetches it.

Rules:
1. What an operation published is durable when it returns, so what was reported as published is there after a power cut.
2. A unit never sees a manifest whose objects are missing.
3. Only objects that the published manifest does not need are removed.
"""

from __future__ import annotations

import errno
import re
from abc import ABC, abstractmethod
from typing import Final, NamedTuple

from provisioning.release.release import Release

NAME: Final = re.compile(r"manifest|support|contact|keyset|o/[0-9a-f]{64}")
ETAG_BYTES: Final = 8


class PublishError(RuntimeError):
    """Something could not be published, or is missing after it was published."""


class Part(NamedTuple):
    """Some bytes of a published name; all three are of the same content. `size`: of the whole; `etag`: 8 bytes."""

    data: bytes
    size: int
    etag: bytes


class ReleaseStore(ABC):
    """The published files of `class_id` at `place`, a name for people. Reading raises OSError or ServerError."""

    def __init__(self, class_id: bytes, place: str) -> None:
        self.class_id = class_id
        self.place = place

    # --- publishing ----------------------------------------------------------------------------------
    @abstractmethod
    def put_release(self, release: Release) -> None:
        """Publish objects and manifest (rules 1 and 2)."""

    @abstractmethod
    def put_rollout(self, data: bytes | None) -> None:
        """Keep what the tracker signs of a rollout; None removes it."""

    @abstractmethod
    def put_raw(self, name: str, data: bytes) -> None:
        """Write one published name; the content is not checked. Raises PublishError for another name."""

    @abstractmethod
    def remove_superseded(self) -> list[str]:
        """Delete the objects that the published manifest does not need, and return their names."""

    def put_support(self, record: bytes) -> None:
        """Publish a signed support record."""
        self.put_raw("support", record)

    def put_contact(self, record: bytes) -> None:
        """Publish a signed security contact."""
        self.put_raw("contact", record)

    def put_keyset(self, record: bytes) -> None:
        """Publish a signed key set."""
        self.put_raw("keyset", record)

    # --- serving -------------------------------------------------------------------------------------
    @abstractmethod
    def part(self, name: str, start: int, length: int) -> Part | None:
        """Return at most `length` bytes of a published name from `start`; None if it is not published."""

    @abstractmethod
    def etag(self, name: str) -> bytes | None:
        """Return eight bytes that change with the content; None if the name is not published."""

    @abstractmethod
    def rollout(self) -> bytes | None:
        """Return what put_rollout wrote, None without a rollout."""

    @abstractmethod
    def totals(self) -> tuple[int, int]:
        """Return how many published files there are, and their size in bytes."""

    @abstractmethod
    def published(self, name: str) -> bytes | None:
        """Return the bytes of a published name; None if it is not published."""

    def read(self, name: str) -> bytes:
        """Return the bytes of a published name. Raises FileNotFoundError."""
        found = self.published(name)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "not published", name)
        return found

    def size(self, name: str) -> int | None:
        """Return the size in bytes of a published name; None if it is not published."""
        found = self.part(name, 0, 0)
        return None if found is None else found.size


def require_name(name: str) -> str:
    """Return the name. Raises PublishError if nothing can be published under it."""
    if not NAME.fullmatch(name):
        raise PublishError(f"{name!r} is not a name that can be published")
    return name


def etag_of(digest: bytes) -> bytes:
    """Return the etag of the content with this SHA-256, the same in every kind of store."""
    return digest[:ETAG_BYTES]
