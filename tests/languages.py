"""A made-up language for tests, written from right to left: every text of the pages has it, so English shows."""

from __future__ import annotations

import re

from provisioning.brand.catalogue import FORMS, Catalogue
from provisioning.brand.folder import Brand
from provisioning.brand.languages import Language
from provisioning.brand.texts import texts

CODE = "he"
NAME = "\u05d1\u05d3\u05d9\u05e7\u05d4"
_PARTS = re.compile(r"(\{\d?\})")


def pseudo(text: str) -> str:
    """Return `text` with a Hebrew letter for each Latin one; placeholders, digits and punctuation stay."""
    return "".join(
        part if _PARTS.fullmatch(part) else "".join(_letter(character) for character in part)
        for part in _PARTS.split(text)
    )


def _letter(character: str) -> str:
    if not (character.isascii() and character.isalpha()):
        return character
    return chr(0x05D0 + (ord(character.lower()) - ord("a")) % 22)


def pseudo_language() -> Language:
    """Return the language, with every text of the pages."""
    entries: dict[str, str | tuple[str, ...]] = {
        one: (pseudo(one), pseudo(text.many)) if text.many else pseudo(one) for one, text in texts().items()
    }
    forms = bytes(0 if number == 1 else 1 for number in range(FORMS))
    return Language(CODE, NAME, Catalogue(entries, forms))


def pseudo_brand() -> Brand:
    """Return a brand with that language alone."""
    return Brand(languages=(pseudo_language(),))
