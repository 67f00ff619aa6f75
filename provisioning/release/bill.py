"""The bill of materials of a release: about this firmware, beside the envelope, named in the signed text (UP-14).

The text names it in the description of the firmware's component (draft-ietf-suit-manifest-34 section 8.4.4), so a unit
of any version reads the envelope as before.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from device.codec import cbor
from device.errors import CodecError
from device.suit import envelope as suit_envelope
from device.suit import registry
from device.suit.manifest import LANGUAGE
from provisioning.file_system import is_there
from provisioning.firmware import sbom
from provisioning.firmware.errors import FirmwareError
from provisioning.release.payload import FIRMWARE, ReleaseError

BILL_NAME: Final = sbom.FILE_NAME
_MAP_OF_ONE: Final = b"\xa1"
_COMPONENT: Final = (FIRMWARE.encode(),)
_NAMED: Final = re.compile(r"Bill of materials: CycloneDX, SHA-256 ([0-9a-f]{64})\.")


def bill_of(path: Path, firmware: bytes) -> bytes:
    """Return the bill in a file if it is about this firmware (`BootImage.raw`). Raises ReleaseError, OSError."""
    if not firmware:
        raise ReleaseError(
            "the firmware cannot be read back from an image of this format, so its bill cannot be checked"
        )
    try:
        data = sbom.read_bytes(path)
        document = sbom.parsed(data, str(path))
    except FirmwareError as error:
        raise ReleaseError(str(error)) from None
    found, wanted = hashlib.sha256(firmware).hexdigest(), sbom.image_sha256(document)
    if found != wanted:
        raise ReleaseError(f"{path} is about another firmware: {wanted}. The image contains {found}.")
    return data


def with_bill(text: bytes, bill: bytes) -> bytes:
    """Return an encoded SUIT_Text_Map that also names a bill; `text` itself without one."""
    if not bill:
        return text
    description = f"Bill of materials: CycloneDX, SHA-256 {hashlib.sha256(bill).hexdigest()}."
    entries = cbor.encode(cbor.decode(text)[LANGUAGE])
    # The device's encoder has no array as a key. Such a key sorts after the numbers (RFC 8949 4.2.1), so its entry is
    # appended to the map, whose first byte counts the entries.
    entry = cbor.encode(list(_COMPONENT)) + cbor.encode({registry.TEXT_COMPONENT_DESCRIPTION: description})
    return _MAP_OF_ONE + cbor.encode(LANGUAGE) + bytes((entries[0] + 1,)) + entries[1:] + entry


def named_bill(envelope: bytes) -> str:
    """Return the SHA-256 (hex) of the bill that an envelope names; "" if it names none. The envelope is authentic.

    Raises CodecError for an envelope that cannot be decoded.
    """
    text = suit_envelope.decode(envelope).severed.get(registry.MEMBER_TEXT)
    try:
        languages = cbor.decode(text or b"", has_array_keys=True)
        description = languages[LANGUAGE][_COMPONENT][registry.TEXT_COMPONENT_DESCRIPTION]
    except (CodecError, KeyError, TypeError):
        return ""
    found = _NAMED.fullmatch(description) if isinstance(description, str) else None
    return found[1] if found else ""


def check_bill(folder: Path, envelope: bytes) -> str:
    """Return the SHA-256 (hex) of the bill in a release folder if it is the signed one; "" without any.

    Raises ReleaseError if the bill is missing, another one, or not signed; OSError.
    """
    named, path = named_bill(envelope), folder / BILL_NAME
    if not is_there(path):
        if named:
            raise ReleaseError(f"{BILL_NAME} is missing. The envelope names it with the SHA-256 {named}.")
        return ""
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != named:
        raise ReleaseError(
            f"{path} has the SHA-256 {found}. The envelope names {named or 'no bill of materials'}."
        )
    return found
