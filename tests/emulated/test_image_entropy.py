"""Nothing in the firmware looks like a secret: no unexplained random stretch, no private key's structure (SE-01).

It cannot find a single key of 32 bytes, which is as random as machine code; test_interfaces.py searches for known
keys.
"""

from __future__ import annotations

import ast
import math
import re
import secrets
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from device.layout import IMAGE_HEADER_BYTES
from provisioning.firmware.build import FirmwareBuild
from tests.emulated.firmware_support import CHECKOUT, kit

__all__ = ["kit"]

pytestmark = pytest.mark.emulated

WINDOW, STEP = 256, 64
BITS = 7.0  # per byte; 256 random bytes have about 7.17, machine code stays below 6.6
CODE_ADDRESS = 0x0010_0000 + IMAGE_HEADER_BYTES
# Tables of published constants, by their names in the libraries: their random bytes are public.
TABLES = re.compile(
    r"mp_qstr_(frozen_)?const_(hashes|lengths)(_static)?"  # MicroPython: hashes of names
    r"|[FR]T[0-3]|[FR]Sb|round_constants"  # Mbed TLS: AES
    r"|secp256r1_(T|a|b|gx|gy|n|p)\w*"  # Mbed TLS: multiples of the curve's base point
    r"|G_MULTIPLES|p256_[bnp]"  # ours and p256-m: multiples of the same point, the curve's numbers
    r"|K|two_over_pi"  # Mbed TLS: SHA-256; newlib: digits of pi
)
# The first bytes of private keys on P-256: SEC 1 (RFC 5915), PKCS #8 (RFC 5958), PEM of either.
KEY_FORMS = (
    bytes.fromhex("30770201010420"),
    bytes.fromhex("308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420"),
    b"PRIVATE KEY-----\n",
)


def entropy(data: bytes) -> float:
    """Return the bits per byte of the distribution of `data`'s bytes."""
    return -sum(count / len(data) * math.log2(count / len(data)) for count in Counter(data).values())


def random_stretches(image: bytes) -> list[tuple[int, int]]:
    """Return begin and end of every stretch of the image whose windows are as random as a key's."""
    found: list[tuple[int, int]] = []
    for at in range(0, len(image) - WINDOW, STEP):
        if entropy(image[at : at + WINDOW]) > BITS:
            if found and at <= found[-1][1]:
                found[-1] = (found[-1][0], at + WINDOW)
            else:
                found.append((at, at + WINDOW))
    return found


def tables(elf: Path) -> list[tuple[int, int]]:
    """Return the places of the known tables in the raw image."""
    text = subprocess.run(
        ["arm-none-eabi-nm", "--print-size", str(elf)], check=True, capture_output=True, text=True
    ).stdout
    found: list[tuple[int, int]] = []
    for line in text.splitlines():
        parts = line.split()
        if len(parts) == 4 and TABLES.fullmatch(parts[3]):
            begin = int(parts[0], 16) - CODE_ADDRESS
            found.append((begin, begin + int(parts[1], 16)))
    return sorted(found)


def literals(image: bytes) -> list[tuple[int, int]]:
    """Return the places of byte literals of the firmware's published sources in the image (constants of curves)."""
    found = []
    for path in sorted((CHECKOUT / "device").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, bytes) and len(node.value) >= 16:
                at = image.find(node.value)
                if at >= 0:
                    found.append((at, at + len(node.value)))
    return found


def known_stretches(release: FirmwareBuild) -> list[tuple[int, int]]:
    """Return all random stretches that are published: tables of libraries, our own constants."""
    return tables(release.elf) + literals(release.image.read_bytes())


def unexplained(image: bytes, known: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the stretches of which known tables cover less than half; a window may reach over a table's edge."""
    left = []
    for begin, end in random_stretches(image):
        covered = sum(max(0, min(end, last) - max(begin, first)) for first, last in known)
        if covered < (end - begin) / 2:
            left.append((begin, end))
    return left


@pytest.fixture(scope="module")
def release(kit) -> FirmwareBuild:
    return kit.firmware("release")


def test_se_01_every_random_stretch_of_the_image_is_a_table_of_published_constants(
    release: FirmwareBuild,
) -> None:
    known = known_stretches(release)
    assert len(known) > 10
    assert unexplained(release.image.read_bytes(), known) == []


def test_the_scan_sees_a_secret_that_was_put_into_the_image(release: FirmwareBuild) -> None:
    image = bytearray(release.image.read_bytes())
    place = len(image) // 3 & ~0xF
    image[place : place + 512] = secrets.token_bytes(512)
    ((begin, end),) = unexplained(bytes(image), known_stretches(release))
    assert begin < place + 512 and end > place


def test_se_01_the_image_holds_no_private_key_in_any_structure(release: FirmwareBuild) -> None:
    image = release.image.read_bytes()
    for form in KEY_FORMS:
        assert form not in image
