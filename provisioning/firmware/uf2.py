"""UF2: the file that a board in BOOTSEL mode takes over USB.

Source: the UF2 specification, RP2350 datasheet ("UF2 targeting"). Rule: before the pages of the image comes one block
of the family "absolute" at the end of the flash window, which chips of stepping A2 need (erratum RP2350-E10).
"""

from __future__ import annotations

import struct
from typing import Final

FAMILY_ARM_S: Final = 0xE48BFF59
FAMILY_ABSOLUTE: Final = 0xE48BFF57
FLASH_START: Final = 0x10000000
_PAGE_BYTES: Final = 256
_HAS_FAMILY: Final = 0x2000
_HAS_EXTENSIONS: Final = 0x8000
_IGNORED_BLOCK: Final = struct.pack("<I", 0x9957E304)  # extension tag "RP2 ignore block"
_E10_ADDRESS: Final = 0x10FFFF00


def uf2(image: bytes, address: int = FLASH_START) -> bytes:
    """Return `image` as UF2 for secure Arm code of an RP2350; the last page is filled with zeros.

    `address` is where the image begins, a multiple of 256. Raises ValueError for another one, or an empty image.
    """
    if not image or address % _PAGE_BYTES:
        raise ValueError("an empty image, or an address inside a page")
    pages = [image[at : at + _PAGE_BYTES] for at in range(0, len(image), _PAGE_BYTES)]
    first = _block(
        b"\xef" * _PAGE_BYTES + _IGNORED_BLOCK,
        _E10_ADDRESS,
        0,
        2,
        FAMILY_ABSOLUTE,
        _HAS_FAMILY | _HAS_EXTENSIONS,
    )
    return first + b"".join(
        _block(page, address + number * _PAGE_BYTES, number, len(pages), FAMILY_ARM_S, _HAS_FAMILY)
        for number, page in enumerate(pages)
    )


def _block(data: bytes, address: int, number: int, count: int, family: int, flags: int) -> bytes:
    header = struct.pack("<8I", 0x0A324655, 0x9E5D5157, flags, address, _PAGE_BYTES, number, count, family)
    return header + data.ljust(476, b"\0") + struct.pack("<I", 0x0AB16F30)
