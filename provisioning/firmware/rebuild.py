"""Build a firmware again from nothing but its pinned sources, and compare it with an image."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from device.codec.image import parse_image
from device.errors import ImageFormatError
from device.layout import IMAGE_HEADER_BYTES
from provisioning.firmware import provenance
from provisioning.firmware.build import build
from provisioning.firmware.emulated import DEFAULT, EMULATED
from provisioning.firmware.errors import FirmwareError
from provisioning.firmware.rp2_sources import Checkouts
from provisioning.firmware.rp2350 import BOARDS as RP2350_BOARDS
from provisioning.firmware.rp2350 import build_rp2350
from provisioning.firmware.sources import Progress

Unseal = Callable[[bytes], bytes]
MAX_IMAGE_BYTES = 16_000_000


@dataclass(frozen=True)
class Verdict:
    """The result of one comparison. `differences`: one sentence for each input that the provenance has otherwise."""

    board: str
    variant: str
    image_sha256: str
    rebuilt_sha256: str
    differences: Sequence[str]

    @property
    def is_same(self) -> bool:
        return self.image_sha256 == self.rebuilt_sha256


def payload(path: Path, unseal: Unseal | None = None) -> bytes:
    """Return the firmware in a file: a raw image as the build writes it, or what was signed, or sealed (`unseal`).

    Raises FirmwareError if the file cannot be a firmware, OSError.
    """
    if path.stat().st_size > MAX_IMAGE_BYTES:
        raise FirmwareError(f"{path} has more than {MAX_IMAGE_BYTES} bytes. It is not a firmware image.")
    data = path.read_bytes()
    if unseal is not None:
        try:
            return unseal(data)
        except (ImageFormatError, IndexError):
            return data  # not sealed: the digest decides
    try:
        info = parse_image(lambda offset, length: data[offset : offset + length], len(data))
    except (ImageFormatError, IndexError):
        return data  # a raw image: the digest decides
    return data[IMAGE_HEADER_BYTES : IMAGE_HEADER_BYTES + info.body_bytes]


def verify(
    image: Path,
    *,
    root: Path,
    progress: Progress,
    board: str = "",
    variant: str = "",
    record: Path | None = None,
    checkouts: Checkouts | None = None,
    unseal: Unseal | None = None,
) -> Verdict:
    """Build the firmware in an empty folder and compare it with `image`.

    `record`: the provenance of the image; it names board and variant, and its inputs are compared too. `unseal`
    returns the firmware in an RP2350's sealed image, or raises ImageFormatError. Raises FirmwareError.
    """
    expected = provenance.read(record) if record is not None else None
    # A provenance that names no board is of the default one.
    recorded = None if expected is None else provenance.board_of(expected) or DEFAULT.name
    board = _chosen("board", board, recorded, DEFAULT.name)
    variant = _chosen(
        "variant", variant, None if expected is None else provenance.variant_of(expected), "release"
    )
    if board not in (*EMULATED, *RP2350_BOARDS):
        names = ", ".join((*EMULATED, *RP2350_BOARDS))
        raise FirmwareError(f"There is no board {board!r}. Use one of: {names}.")
    body = payload(image, unseal if board in RP2350_BOARDS else None)
    with tempfile.TemporaryDirectory(prefix="fb-rebuild-") as work:
        if board in RP2350_BOARDS:
            built = build_rp2350(
                board, variant, root=root, progress=progress, checkouts=checkouts, into=Path(work)
            )
        else:
            built = build(variant, root=root, progress=progress, objects=Path(work), board=board)
        found = provenance.read(built.provenance)
    sha256 = hashlib.sha256(body).hexdigest()
    differences = [] if expected is None else provenance.differences(expected, found)
    if expected is not None and expected["subject"][0]["digest"]["sha256"] != sha256:
        differences.insert(
            0, f"The provenance is about another image: {expected['subject'][0]['digest']['sha256']}."
        )
    return Verdict(board, variant, sha256, built.sha256, differences)


def _chosen(what: str, typed: str, recorded: str | None, default: str) -> str:
    """Return what was typed, else what the provenance names, else the default. Raises FirmwareError if they differ."""
    if typed and recorded is not None and typed != recorded:
        raise FirmwareError(f"The provenance is about the {what} {recorded!r}.")
    return typed or recorded or default
