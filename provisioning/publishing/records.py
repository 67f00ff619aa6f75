"""Signed records that are published beside releases: the name, size limit and product class of each kind.

Publishing does not verify signatures, because units do. It refuses records that no unit of the class can read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from device import limits
from device.codec import cbor, cose
from device.errors import FirstbootError
from device.records import contact, support
from device.trust import keyset
from provisioning.release.store import PublishError

CLASS_FIELD: Final = 1  # of the payload of a support record and of a key set


@dataclass(frozen=True)
class RecordKind:
    """One row of docs/reference/topics.md. `has_class`: the payload names its class."""

    name: str
    words: str
    typ: str
    limit: int
    has_class: bool


# In the order of publishing: units need the key set before the records that its keys sign.
KINDS: Final = (
    RecordKind("keyset", "key set", keyset.TYP, limits.KEYSET_BYTES, True),
    RecordKind("support", "support record", support.TYP, limits.RECORD_BYTES, True),
    RecordKind("contact", "security contact", contact.TYP, limits.RECORD_BYTES, False),
)


@dataclass(frozen=True)
class SignedRecord:
    """A record from a file. `class_id` is None if its kind does not name a class."""

    kind: RecordKind
    data: bytes
    class_id: bytes | None


def load_record(kind: RecordKind, path: Path) -> SignedRecord:
    """Return the record in a file, of this kind and size. Raises PublishError, OSError."""
    data = path.read_bytes()
    try:
        signed = cose.decode(data, kind.limit, limits.KEYSET_SIGNATURES)
        if signed.typ != kind.typ:
            raise PublishError(f"{path.name} is not a {kind.words}: its type is {signed.typ or 'missing'}")
        fields = cbor.decode(signed.payload or b"", kind.limit)
    except FirstbootError as error:
        raise PublishError(f"The {kind.words} {path.name} cannot be read: {error}") from error
    class_id = fields.get(CLASS_FIELD) if kind.has_class and isinstance(fields, dict) else None
    if kind.has_class and (not isinstance(class_id, bytes) or len(class_id) != 16):
        raise PublishError(f"The {kind.words} {path.name} does not name a product class.")
    return SignedRecord(kind, data, class_id)


def common_class(release_class: bytes | None, records: list[SignedRecord], given: bytes | None) -> bytes:
    """Return the product class that release, records and product definition agree on. Raises PublishError."""
    named = [("the release", release_class), ("the product definition", given)]
    named += [(f"the {one.kind.words}", one.class_id) for one in records]
    known = [(source, class_id) for source, class_id in named if class_id is not None]
    if not known:
        raise PublishError("The files do not name the product class: give --product.")
    first, class_id = known[0]
    for source, other in known[1:]:
        if other != class_id:
            raise PublishError(f"{source} is for another product class than {first}")
    return class_id
