"""After set-up only the owner's password opens the unit: no well-known password and no text of the image does (PW-01).

Factory port, console, MQTT and CoAP take no password at all (docs/secrets.json, tests/emulated/test_interfaces.py), so
only sign-in is tried. The throttle's delay passes on a clock in memory; the throttle has its own tests.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from memory_unit import CODE, PASSWORD, MemoryUnit

from device.errors import CredentialError
from device.owner.common_passwords import WORDS

ROOT = Path(__file__).resolve().parents[4]

# User names and passwords that the Mirai worm tried (published with its source in 2016), as pairs and separately.
MIRAI = (
    "root xc3511 vizxv admin 888888 xmhdipc default juantech 123456 54321 support password 12345 user pass admin1234 "
    "1111 smcadmin 666666 1234 klv123 Administrator service supervisor guest 1111111 ubnt klv1234 Zte521 hi3518 jvbzd "
    "anko zlxx. 7ujMko0vizxv 7ujMko0admin system ikwb dreambox realtek 00000000 1111111 tech"
).split()
PRINTABLE = re.compile(rb"[\x20-\x7e]{8,64}")
LONGEST_BYTES = 64


def accepted(candidates: list[str]) -> list[str]:
    unit = MemoryUnit()
    unit.set_up()
    found = []
    for candidate in candidates:
        unit.clock.ms += (unit.owner.throttle.wait_s() + 1) * 1000
        try:
            unit.sign_in(candidate)
        except CredentialError:
            continue
        found.append(candidate)
    return found


def test_pw_01_the_search_would_find_a_password_that_is_taken() -> None:
    assert accepted(["nothing", PASSWORD]) == [PASSWORD]


def test_pw_01_no_default_of_other_makers_opens_the_unit() -> None:
    assert accepted(["", *MIRAI, *[f"{one}{one}" for one in MIRAI]]) == []


def test_pw_01_no_common_password_opens_the_unit() -> None:
    words = sorted({word for words in WORDS.values() for word in words.split()})
    assert len(words) > 200
    assert accepted(words) == []


def test_pw_01_the_set_up_code_is_no_password() -> None:
    assert accepted([CODE, CODE.lower(), CODE[::-1]]) == []


def test_pw_01_no_text_of_the_firmware_image_opens_the_unit() -> None:
    images = sorted(
        (ROOT / ".cache" / "firmware").glob("release-*/firmware.bin"), key=lambda path: path.stat().st_mtime
    )
    if not images:
        pytest.skip("the firmware is not built (arm-none-eabi-gcc)")
    texts = {match.group().decode() for match in PRINTABLE.finditer(images[-1].read_bytes())}
    assert len(texts) > 500, "an image without texts was searched"
    assert accepted(sorted(texts)) == []
