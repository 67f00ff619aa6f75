"""The words of a label in the owner's language: what the station itself writes above and beside the set-up code.

Rules:
1. A label has one language, which `[label]` of brand.toml names; English without it. It has no room for more; the
   leaflet has them all.
2. What the law wants in English stays so: NOT FOR SALE and the date of the support period. The lines above the code are
   the maker's own (the label template).
3. Each text has a greatest length, in MOST. The font has its characters: the label's own, or the file that `[label]`
   names. A brand that breaks this is refused when it is loaded, before any unit.
4. Codes, addresses, names and passphrases keep the order of their characters and the label's own font, in a language
   that is written from right to left too.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from PIL import features

from provisioning.brand.errors import BrandError
from provisioning.brand.folder import FILE, FOLDER, Brand, load
from provisioning.brand.languages import ENGLISH, Language, catalogue_of
from provisioning.brand.texts import Text
from provisioning.product.lettering import face, unprintable

DOMAIN: Final = "label"
WARNED: Final = "Open {} in a browser. It will warn you: see the leaflet. Enter this set-up code:"
OPEN: Final = "Open {} in a browser and enter this set-up code:"
SHORT: Final = "{}  Set-up code:"
CODE: Final = "Set-up code"
NETWORK: Final = "Wi-Fi {0}  Passphrase {1}"
# The greatest length of each text in any language, in characters without its places: more is not readable on the
# standard label, or leaves no room on a small one.
MOST: Final = {WARNED: 110, OPEN: 70, SHORT: 32, CODE: 30, NETWORK: 30}
_PLACE: Final = re.compile(r"\{\d?\}")


@dataclass(frozen=True)
class Words:
    """The words of a label. `entries`: {English text: its translation}; `font`: the path of the file."""

    entries: Mapping[str, str] = field(default_factory=dict)
    is_right_to_left: bool = False
    font: str = field(default_factory=face)

    def said(self, text: str) -> str:
        """Return a text of MOST in the label's language."""
        return self.entries.get(text, text)


def texts() -> dict[str, Text]:
    """Return {English text: Text} of the label."""
    return {text: Text(text) for text in MOST}


def words_of(product: Path) -> Words:
    """Return the words for the labels of a product definition, English ones without a brand. Raises BrandError."""
    folder = product.absolute().parent / FOLDER
    return words_in(folder, load(folder)) if folder.is_dir() else Words()


def words_in(folder: Path, brand: Brand) -> Words:
    """Return the words that a loaded brand gives its labels. Raises BrandError with every problem."""
    code = brand.label_language
    if code == ENGLISH:
        return Words()
    language = next(one for one in brand.languages if one.code == code)
    found = catalogue_of(folder, code, DOMAIN, texts())
    entries = {text: found.entries[text] for text in MOST if found is not None and text in found.entries}
    said = {text: one for text, one in entries.items() if isinstance(one, str)}
    font = face() if brand.label_font is None else str(brand.label_font)
    problems = _lacking(code, said) or _too_long(code, said) + _unfit(language, said, brand.label_font)
    if problems:
        raise BrandError(problems)
    return Words(said, language.is_right_to_left, font)


def _lacking(code: str, said: Mapping[str, str]) -> list[str]:
    """Return a problem for each text that a label would have in another language than its neighbours."""
    return [
        f"locale {code}, {DOMAIN}.po lacks the label's text {text!r}." for text in MOST if text not in said
    ]


def _too_long(code: str, said: Mapping[str, str]) -> list[str]:
    return [
        f"locale {code}, {DOMAIN}.po: {len(_PLACE.sub('', said[text]))} characters, at most {most} fit: {said[text]!r}"
        for text, most in MOST.items()
        if len(_PLACE.sub("", said[text])) > most
    ]


def _unfit(language: Language, said: Mapping[str, str], font: Path | None) -> list[str]:
    """Return why a font cannot show the texts."""
    if font is None:
        absent = unprintable("".join(said.values()))
        more = f"name a font file in {FILE}: [label] font"
    else:
        covered = _characters(font)
        used = dict.fromkeys(_PLACE.sub("", "".join(said.values())))
        absent = [f"U+{ord(one):04X}" for one in used if ord(one) not in covered and not _is_joiner(one)]
        more = "choose another font"
    problems = []
    if absent:
        problems.append(f"the label's font lacks {', '.join(absent[:5])} of {language.code}: {more}.")
    if not absent and language.is_right_to_left and not features.check("raqm"):
        problems.append(
            f"this installation of Pillow cannot join the letters of {language.code} (raqm is missing)."
        )
    return problems


def _characters(font: Path) -> Mapping[int, int]:
    """Return the characters of a TrueType font. Raises BrandError."""
    from reportlab.pdfbase.ttfonts import TTFError, TTFontFile

    try:
        found: Mapping[int, int] = TTFontFile(str(font)).charToGlyph
    except (TTFError, OSError, ValueError, KeyError, IndexError) as error:
        raise BrandError([f"{font.name} is not a TrueType font: {type(error).__name__}."]) from None
    return found


def _is_joiner(character: str) -> bool:
    return unicodedata.category(character) == "Cf"
