"""Lines of the packing list, each signed by the station that shipped the unit (SC-07).

Rules:
1. The signature is a COSE_Sign1 over the line without it, JSON with sorted keys. A line that another party adds to
   the list, or changes, is not signed.
2. A reader trusts the station's public key, which they compare with the maker once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from provisioning.compliance.station_record import StationRecordError, read
from provisioning.keys.signer import sign_record

if TYPE_CHECKING:
    from provisioning.keys.key_id import AnchorKey
    from provisioning.keys.signer import Signer

SHIPPED: Final = "shipped"
SIGNATURE: Final = "signature"
TYP: Final = "application/vnd.firstboot.packing-line+json"
LINE_BYTES: Final = 8192


class PackingError(ValueError):
    """A line of the packing list is not signed by a station that the reader trusts."""


def _payload(entry: Mapping[str, Any]) -> bytes:
    plain = {name: value for name, value in entry.items() if name != SIGNATURE}
    return json.dumps(plain, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def sign_line(entry: Mapping[str, Any], signer: Signer) -> dict[str, Any]:
    """Return the line with the station's signature."""
    return {**entry, SIGNATURE: sign_record(_payload(entry), TYP, signer).hex()}


def check_line(entry: Mapping[str, Any], stations: Iterable[AnchorKey]) -> str:
    """Return the key id (hex) of the trusted station that signed exactly this line. Raises PackingError."""
    try:
        payload, signer = read(bytes.fromhex(str(entry[SIGNATURE])), TYP, stations, LINE_BYTES)
    except StationRecordError as error:
        raise PackingError(f"its line is wrong: {error}") from None
    except (KeyError, ValueError):
        raise PackingError("its line has no station's signature") from None
    if payload != _payload(entry):
        raise PackingError("its line is not the one that the station signed")
    return signer.hex()
