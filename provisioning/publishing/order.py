"""The number of a published release or record, so that an older one does not replace a newer one by mistake.

Units refuse what is older than what they have, and those that have not seen the newer one yet would never get it.
After a theft it is done on purpose: the roots state a ceiling, and the maker's own release replaces the thief's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from device import limits
from device.codec import cose
from device.errors import FirstbootError
from device.records import contact
from provisioning.release.store import PublishError
from provisioning.servers.published_numbers import keyset_number, manifest_number, support_number

WORDS: Final = {
    "manifest": "release",
    "keyset": "key set",
    "support": "support record",
    "contact": "security contact",
}


def contact_number(data: bytes) -> int:
    """Return the sequence number of a signed security contact. Raises FirstbootError."""
    signed = cose.decode(data, limits.RECORD_BYTES, limits.KEYSET_SIGNATURES)
    return int(contact.decode(signed.payload or b"").sequence)


_NUMBERS: Final[dict[str, Callable[[bytes], int]]] = {
    "manifest": manifest_number,
    "keyset": keyset_number,
    "support": support_number,
    "contact": contact_number,
}


def number_of(name: str, data: bytes | None) -> int | None:
    """Return the number of what is published under `name`, None if there is nothing that can be read."""
    if not data:
        return None
    try:
        return _NUMBERS[name](data)
    except FirstbootError:
        return None


def require_forward(name: str, published: bytes | None, new: bytes) -> None:
    """Raise PublishError if `new` has a lower number than what is published, or the same with another content."""
    before, after = number_of(name, published), number_of(name, new)
    if before is None or after is None or after > before:
        return
    if after < before:
        raise PublishError(
            f"{WORDS[name]} {before} is published there, and this one is {after}: nothing was replaced. "
            "To replace a newer one, for example one that a thief signed, give --replace-newer"
        )
    if _content(name, published) != _content(name, new):
        raise PublishError(
            f"another {WORDS[name]} with the number {before} is published there: units that have it never take this "
            "one. Sign it with the next number"
        )


def _content(name: str, data: bytes | None) -> bytes | None:
    """Return what is signed: a second signature of the same content is the same record."""
    if name == "manifest" or data is None:
        return data
    limit = limits.KEYSET_BYTES if name == "keyset" else limits.RECORD_BYTES
    payload: bytes | None = cose.decode(data, limit, limits.KEYSET_SIGNATURES).payload
    return payload
