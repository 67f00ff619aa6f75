"""The bill of materials of the image that a statement is about, named in the statement and kept with it (UP-14)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from provisioning.compliance.issue import Attached
from provisioning.firmware import sbom
from provisioning.release.bill import bill_of
from provisioning.release.formats import boot_image
from provisioning.release.payload import ReleaseError

SUBJECT: Final = "bill-of-materials"


def attached_bill(path: Path, image: bytes) -> Attached:
    """Return the bill in a file as the statement names it and the archive keeps it.

    `image`: the boot image of the batch. A bill about another firmware becomes a problem that stops the issue.
    Raises ImageFormatError for another image, OSError.
    """
    try:
        data = bill_of(path, boot_image(image).raw)
    except ReleaseError as error:
        return Attached(sbom.FILE_NAME, b"", {}, (str(error),))
    document = sbom.parsed(data, str(path))
    summary = {
        "subject": SUBJECT,
        "sha256": hashlib.sha256(data).hexdigest(),
        "firmware_sha256": sbom.image_sha256(document),
        "components": len(sbom.components_of(document)),
    }
    return Attached(sbom.FILE_NAME, data, summary)
