"""The bill of materials of a release: checked to be about this firmware, kept beside the envelope (UP-14)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from provisioning.firmware import sbom
from provisioning.firmware.errors import FirmwareError
from provisioning.release.payload import ReleaseError

BILL_NAME: Final = sbom.FILE_NAME


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
