"""The boot images that a release can carry: MCUboot's, the RP2350's and ESP-IDF's, distinguished by their first bytes.

A unit reads the one format of its board (`Boot.parse_image`). The signing tools read all three, so one command signs
for every board. They refuse what the boot loader of the format would refuse, as the unit does.
"""

from __future__ import annotations

from dataclasses import dataclass

from device.codec.esp_image import parse_esp_image
from device.codec.rp2350_image import parse_rp2350_image
from device.errors import ImageFormatError
from device.layout import IMAGE_HEADER_BYTES
from provisioning.release import rp2350
from provisioning.release.image import ImageInfo, image_info

MCUBOOT, ESP_IDF, RP2350 = "MCUboot", "ESP-IDF", "RP2350"
_MCUBOOT_MAGIC = 0x96F3B83D.to_bytes(4, "little")
_ESP_MAGIC = b"\xe9"
_RP2350_MARKER = b"\xd3\xde\xff\xff"  # its first block begins in the first 4 KiB
_FIRST_BLOCK_LIMIT = 4096


@dataclass(frozen=True)
class BootImage:
    """An image for one of the boot loaders. `raw`: the firmware as the build made it, b"" if it cannot be told."""

    format: str
    info: ImageInfo
    raw: bytes


def boot_image(data: bytes) -> BootImage:
    """Return the facts of an image in any of the three formats. Raises ImageFormatError(reason)."""
    if not data.startswith(_MCUBOOT_MAGIC):
        if data.startswith(_ESP_MAGIC):
            return BootImage(ESP_IDF, _esp(data), b"")
        if _RP2350_MARKER in data[:_FIRST_BLOCK_LIMIT]:
            return _rp2350(data)
    info = image_info(data)
    return BootImage(MCUBOOT, info, data[IMAGE_HEADER_BYTES : IMAGE_HEADER_BYTES + info.body_bytes])


def _esp(data: bytes) -> ImageInfo:
    found = parse_esp_image(lambda at, length: data[at : at + length], len(data))
    if found.total_bytes != len(data):
        raise ImageFormatError(reason="bytes after the image")
    return ImageInfo(
        found.version, found.security_counter, found.digest, found.total_bytes, found.total_bytes, b"", b""
    )


def _rp2350(data: bytes) -> BootImage:
    parse_rp2350_image(lambda at, length: data[at : at + length], len(data))  # as the unit does: a trial
    found = rp2350.read_image(data)
    if found.rows != rp2350.COUNTER_ROWS:
        raise ImageFormatError(reason="rollback rows")
    raw = rp2350.unsealed(data)
    info = ImageInfo(
        found.version,
        found.security_counter,
        found.digest,
        len(raw),
        found.total_bytes,
        found.public_key,
        found.signature,
    )
    return BootImage(RP2350, info, raw)
