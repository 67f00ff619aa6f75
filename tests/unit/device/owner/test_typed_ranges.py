"""The ranges of typed.py against the Unicode database of the interpreter."""

from __future__ import annotations

import sys
import unicodedata

from device.owner import typed


def test_every_dash_space_and_format_character_of_unicode_is_a_separator() -> None:
    # Prepended marks of Arabic, Syriac and other scripts are format characters with a visible form.
    visible = set(range(0x600, 0x606)) | {0x6DD, 0x70F, 0x8E2, 0x110BD, 0x110CD}
    visible |= {0x890, 0x891} | set(range(0x13430, 0x13460))
    missing = [
        f"U+{point:04X}"
        for point in range(sys.maxunicode + 1)
        if unicodedata.category(chr(point)) in ("Pd", "Zs", "Zl", "Zp", "Cf")
        and point not in visible
        and not typed.is_separator(chr(point))
    ]
    assert missing == []


def test_no_letter_digit_or_symbol_is_a_separator_but_the_listed_ones() -> None:
    known = {0x2043, 0x2212, 0x2800, 0x115F, 0x1160, 0x3164, 0xFFA0, 0xFFFC, 0xFFFD} | set(map(ord, "_.,"))
    wrong = [
        f"U+{point:04X}"
        for point in range(sys.maxunicode + 1)
        if unicodedata.category(chr(point))[0] in "LNSP"
        and unicodedata.category(chr(point)) != "Pd"
        and typed.is_separator(chr(point))
        and point not in known
    ]
    assert wrong == []
