"""The ranges of typed.py against the Unicode database of the interpreter."""

from __future__ import annotations

import sys
import unicodedata

from device.owner import typed

# Property Default_Ignorable_Code_Point of Unicode 16.0 (DerivedCoreProperties.txt), which unicodedata does not have.
DEFAULT_IGNORABLE = (
    (0xAD, 0xAD),
    (0x34F, 0x34F),
    (0x61C, 0x61C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF0, 0xFFF8),
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),
)
CONTROLS_THAT_SEPARATE = (*range(0x09, 0x0E), 0x85)
# Hyphen bullet, minus sign, blank Braille pattern, and a hyphen of Unicode 16.0 that an older database does not know.
LOOK_LIKE_THEM = (0x2043, 0x2212, 0x2800, 0x10D6E)
# Prepended marks of Arabic, Syriac and other scripts, and hieroglyph controls: format characters with a visible form.
VISIBLE = {
    *range(0x600, 0x606),
    0x6DD,
    0x70F,
    0x890,
    0x891,
    0x8E2,
    0x110BD,
    0x110CD,
    *range(0x13430, 0x13460),
}


def points(ranges: tuple[tuple[int, int], ...]) -> set[int]:
    return {point for first, last in ranges for point in range(first, last + 1)}


def test_the_ranges_hold_exactly_the_spaces_dashes_and_invisible_characters_of_unicode() -> None:
    expected = points(DEFAULT_IGNORABLE) | {*CONTROLS_THAT_SEPARATE, *LOOK_LIKE_THEM}
    for point in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(point))
        if category in ("Pd", "Zs", "Zl", "Zp") or (category == "Cf" and point not in VISIBLE):
            expected.add(point)
    found = points(typed.SPACES_AND_DASHES) | points(typed.INVISIBLE)
    assert {f"U+{point:04X}" for point in expected ^ found} == set()


def test_a_character_separates_exactly_up_to_both_ends_of_each_range() -> None:
    ranges = typed.SPACES_AND_DASHES + typed.INVISIBLE
    separators = points(ranges) | set(map(ord, "_.,"))
    for first, last in ranges:
        for point in (first - 1, first, last, last + 1):
            assert typed.is_separator(chr(point)) is (point in separators), f"U+{point:04X}"
    for character in "_.,-aZ09~":
        assert typed.is_separator(character) is (character in "_.,-")


def test_the_letters_without_accents_are_those_of_unicode() -> None:
    known = {first + at: letter for first, letters in typed.LETTERS for at, letter in enumerate(letters)}
    for point in range(0x80, sys.maxunicode + 1):
        character = chr(point)
        base = unicodedata.normalize("NFKD", character)[0].lower()
        is_letter = base.isascii() and base.isalnum()
        if unicodedata.normalize("NFKC", character) != character or not is_letter:
            base = "-"  # no such character is in a password, or it has no letter of ASCII
        assert known.get(point, "-") == base, hex(point)
