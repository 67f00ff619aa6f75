"""Build a firmware again from nothing but its pinned sources, and compare it with an image."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from device.codec.image import parse_image
from device.errors import ImageFormatError
from device.layout import IMAGE_HEADER_BYTES
from provisioning.firmware import provenance
from provisioning.firmware.build import build
from provisioning.firmware.errors import FirmwareError
from provisioning.firmware.sources import Progress

MAX_IMAGE_BYTES = 16_000_000


@dataclass(frozen=True)
class Verdict:
    """The result of one comparison. `differences`: one sentence for each input that the provenance has otherwise."""

    variant: str
    image_sha256: str
    rebuilt_sha256: str
    differences: Sequence[str]

    @property
    def is_same(self) -> bool:
        return self.image_sha256 == self.rebuilt_sha256


def payload(path: Path) -> bytes:
    """Return the firmware in a file: a raw image as the build writes it, or the body of a signed one.

    Raises FirmwareError if the file cannot be a firmware, OSError.
    """
    if path.stat().st_size > MAX_IMAGE_BYTES:
        raise FirmwareError(f"{path} has more than {MAX_IMAGE_BYTES} bytes. It is not a firmware image.")
    data = path.read_bytes()
    try:
        info = parse_image(lambda offset, length: data[offset : offset + length], len(data))
    except (ImageFormatError, IndexError):
        return data  # a raw image: the digest decides
    return data[IMAGE_HEADER_BYTES : IMAGE_HEADER_BYTES + info.body_bytes]


def verify(
    image: Path, *, root: Path, progress: Progress, variant: str = "", record: Path | None = None
) -> Verdict:
    """Build the firmware in an empty folder and compare it with `image`.

    `record`: the provenance of the image; it names the variant, and its inputs are compared too. Raises FirmwareError.
    """
    expected = provenance.read(record) if record is not None else None
    if expected is not None and variant not in ("", provenance.variant_of(expected)):
        raise FirmwareError(f"The provenance is about the variant {provenance.variant_of(expected)!r}.")
    chosen = variant or (provenance.variant_of(expected) if expected is not None else "release")
    body = payload(image)
    with tempfile.TemporaryDirectory(prefix="fb-rebuild-") as work:
        built = build(chosen, root=root, progress=progress, objects=Path(work))
        found = provenance.read(built.provenance)
    sha256 = hashlib.sha256(body).hexdigest()
    differences = [] if expected is None else provenance.differences(expected, found)
    if expected is not None and expected["subject"][0]["digest"]["sha256"] != sha256:
        differences.insert(
            0, f"The provenance is about another image: {expected['subject'][0]['digest']['sha256']}."
        )
    return Verdict(chosen, sha256, built.sha256, differences)
