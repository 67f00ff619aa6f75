"""The characters that a product definition may have: those that the font of label, insert and PDF can print.

Rules:
1. Label, insert and PDF use one font family, Bitstream Vera, which is part of reportlab. A text with any other
   character is refused when the definition is loaded, so that no text prints as a box.
2. The table has letters of Western and most Central European languages. Characters that change how a line is shown
   (control, format, bidirectional, soft hyphen, no-break space) are not in it.
3. A test compares the table with both fonts.
"""

from __future__ import annotations

import importlib.util
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

REGULAR: Final = "Vera.ttf"
BOLD: Final = "VeraBd.ttf"
# Inside brackets of a regular expression, for Python and for JSON Schema (ECMA 262).
CHARACTERS: Final = (
    r"\u0020-\u007e\u00a1-\u00ac\u00ae-\u00ff\u0106\u0107\u010c-\u0111\u011e\u011f\u0130\u0131\u0141\u0142\u0152\u0153"
    r"\u015e-\u0161\u0178\u017d\u017e\u2013\u2014\u2018-\u201a\u201c-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122\u2212"
)
INK: Final = CHARACTERS.replace(r"\u0020-", r"\u0021-")  # all but the space
_OTHER: Final = re.compile(f"[^{CHARACTERS}]")


@lru_cache
def face(name: str = REGULAR) -> str:
    """Return the path of a font file of the family. Raises FileNotFoundError if reportlab is not installed."""
    found = importlib.util.find_spec("reportlab")
    for folder in (found.submodule_search_locations if found is not None else None) or ():
        path = Path(folder) / "fonts" / name
        if path.is_file():
            return str(path)
    raise FileNotFoundError(f"the font {name} of reportlab is missing")


def unprintable(text: str) -> list[str]:
    """Return the characters of a text that cannot be printed, as "U+4E2D", each once, at most five."""
    found = dict.fromkeys(_OTHER.findall(text))
    return [f"U+{ord(character):04X}" for character in list(found)[:5]]
