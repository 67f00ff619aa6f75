"""The bill of materials of a release: checked to be about this firmware, kept beside the envelope (UP-14)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from device.layout import IMAGE_HEADER_BYTES
from provisioning.firmware import sbom
from provisioning.firmware.errors import FirmwareError
from provisioning.release.image import ImageInfo
from provisioning.release.payload import ReleaseError

BILL_NAME: Final = sbom.FILE_NAME


def bill_of(path: Path, image: bytes, info: ImageInfo) -> bytes:
    """Return the bill in a file if it is about the firmware in this signed image. Raises ReleaseError, OSError."""
    try:
        data = sbom.read_bytes(path)
        document = sbom.parsed(data, str(path))
    except FirmwareError as error:
        raise ReleaseError(str(error)) from None
    body = image[IMAGE_HEADER_BYTES : IMAGE_HEADER_BYTES + info.body_bytes]
    found, wanted = hashlib.sha256(body).hexdigest(), sbom.image_sha256(document)
    if found != wanted:
        raise ReleaseError(f"{path} is about another firmware: {wanted}. The image contains {found}.")
    return data
