"""One table lists the characters that a definition may have, and both fonts print all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import ImageFont
from reportlab.pdfbase.ttfonts import TTFontFile

from device.records.identity import TEXT_CHARS
from provisioning.product.example import EXAMPLE
from provisioning.product.lettering import BOLD, CHARACTERS, REGULAR, face, unprintable
from provisioning.product.product import ProductError, load_product, parse_product


@pytest.mark.parametrize("name", [REGULAR, BOLD])
def test_the_fonts_of_label_and_insert_have_every_character_that_is_accepted(name: str) -> None:
    accepted = {point for point in range(0x110000) if re.fullmatch(f"[{CHARACTERS}]", chr(point))}
    assert accepted <= set(TTFontFile(face(name)).charToGlyph) and len(accepted) > 200


def test_no_accepted_letter_is_drawn_as_the_box_for_a_missing_one() -> None:
    font = ImageFont.truetype(face(), 40)
    box = bytes(font.getmask("\u4e2d"))
    assert all(bytes(font.getmask(letter)) != box for letter in "\u0141\u0142\u00d6\u017d\u20ac")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('model = "FB-1"', 'model = "FB-1\u202e1302"', "U+202E"),
        ('name = "Example Devices Ltd"', 'name = "\u4e2d\u6587 Ltd"', "U+4E2D, U+6587"),
        ('brand = "Example Brand"', 'brand = "\u017bar\u00f3wka"', "U+017B"),
        ('"Fits E27 sockets"', '"Fits \u2011E27"', "U+2011"),
        ('brand = "Example Brand"', f'brand = "{"W" * 190}"', f"at most {TEXT_CHARS} characters, it has 190"),
        (
            'name = "Example Devices Ltd"',
            f'name = "{"W" * 129}"',
            f"at most {TEXT_CHARS} characters, it has 129",
        ),
        ('model = "FB-1"', f'model = "{"W" * 129}"', f"at most {TEXT_CHARS} characters, it has 129"),
    ],
)
def test_what_cannot_be_printed_or_stored_is_refused_at_load_by_name(old: str, new: str, reason: str) -> None:
    assert old in EXAMPLE
    with pytest.raises(ProductError) as caught:
        parse_product(EXAMPLE.replace(old, new, 1))
    assert any(reason in problem for problem in caught.value.problems), caught.value.problems


def test_a_polish_brand_is_accepted() -> None:
    text = EXAMPLE.replace('brand = "Example Brand"', 'brand = "\u0141ampa"')
    assert parse_product(text).brand == "\u0141ampa" and unprintable("\u0141ampa") == []


def test_a_definition_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "product.toml").write_bytes(b"\xef\xbb\xbf" + EXAMPLE.encode())
    assert load_product(tmp_path / "product.toml").model == "FB-1"
