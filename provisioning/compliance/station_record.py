"""Read a record that a station signed. The reader once compared the station's public key with the maker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from device.errors import FirstbootError
from provisioning.compliance import signed_record

if TYPE_CHECKING:
    from provisioning.keys.key_id import AnchorKey


class StationRecordError(ValueError):
    """The record is not signed by a station that the reader trusts."""


def read(data: bytes, typ: str, stations: Iterable[AnchorKey], limit: int) -> tuple[bytes, bytes]:
    """Return payload and key id of a COSE_Sign1 of type `typ`, at most `limit` bytes. Raises StationRecordError."""
    try:
        return signed_record.read(data, typ, stations, limit)
    except signed_record.UntrustedError:
        raise StationRecordError("not signed by a station that you trust") from None
    except FirstbootError as error:
        raise StationRecordError(f"the signature is not valid ({type(error).__name__})") from None
