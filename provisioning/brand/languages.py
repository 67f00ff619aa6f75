"""The languages of a brand: which catalogues there are, how complete each is, and the constants of the firmware.

A maker names the languages in `brand.toml`. The catalogue of a language is the one that Firstboot ships, if there is
one, with the maker's own over it: `locale/LANG/LC_MESSAGES/owner.po` in the brand folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from provisioning.brand import catalogue
from provisioning.brand.catalogue import Catalogue
from provisioning.brand.errors import BrandError
from provisioning.brand.texts import Text, texts

ENGLISH: Final = "en"
SHIPPED: Final = Path(__file__).resolve().parent / "locale"
MAKERS: Final = "locale"
MOST: Final = 8
PAGES: Final = "owner"  # the catalogue that the firmware gets
_CODE: Final = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
_NAME: Final = re.compile(r"[^\W\d_][\w ()'-]{0,23}")
_RIGHT_TO_LEFT: Final = frozenset("ar ckb dv fa he ps sd syr ug ur yi".split())
_RIGHT_TO_LEFT_SCRIPTS: Final = frozenset("Adlm Arab Hebr Mand Nkoo Rohg Samr Syrc Thaa".split())


@dataclass(frozen=True)
class Language:
    """A checked language. `code`: BCP 47; `name`: in the language itself."""

    code: str
    name: str
    catalogue: Catalogue

    @property
    def is_right_to_left(self) -> bool:
        """Return whether it is written from right to left."""
        parts = self.code.split("-")
        if len(parts) > 1 and len(parts[1]) == 4:
            return parts[1] in _RIGHT_TO_LEFT_SCRIPTS
        return parts[0] in _RIGHT_TO_LEFT

    def missing(self, known: Mapping[str, Text]) -> list[str]:
        """Return the texts of the pages that it leaves in English."""
        return [text for text in known if text not in self.catalogue.entries]

    def others(self, known: Mapping[str, Text]) -> list[str]:
        """Return the texts that no page has: an application's, or out of date."""
        return sorted(set(self.catalogue.entries) - set(known))


def read(folder: Path, named: object) -> tuple[Language, ...]:
    """Return the languages that `[languages]` names: {code: own name}. Raises BrandError with every problem."""
    if not isinstance(named, dict) or len(named) > MOST:
        raise BrandError([f"[languages] is a table of at most {MOST} languages: code = its own name."])
    known, problems, found = texts(), [], []
    for code, name in sorted(named.items()):
        if not _CODE.fullmatch(code):
            problems.append(f"[languages] {code!r} is not a BCP 47 code such as fr or pt-BR.")
        elif not isinstance(name, str) or not _NAME.fullmatch(name):
            problems.append(f"[languages] {code}: write the language's own name, at most 24 letters.")
        else:
            try:
                catalogue_found = catalogue_of(folder, code, PAGES, known)
                if catalogue_found is None:
                    place = "/".join(file_of(folder, code).parts[-3:])
                    raise BrandError([f"[languages] {code}: there is no catalogue {MAKERS}/{place}."])
                found.append(Language(code, name, catalogue_found))
            except BrandError as error:
                problems += error.problems
    if problems:
        raise BrandError(problems)
    return tuple(found)


def catalogue_of(folder: Path | None, code: str, domain: str, known: Mapping[str, Text]) -> Catalogue | None:
    """Return the shipped catalogue of a language with the one in the brand folder over it, None without both.

    `domain`: PAGES, or the name of another catalogue. Raises BrandError.
    """
    shipped = file_of(SHIPPED, code, domain)
    base = catalogue.read(shipped, known) if shipped.is_file() else None
    own = None if folder is None else file_of(folder / MAKERS, code, domain)
    if own is None or not own.is_file():
        return base
    return catalogue.read(own, known).over(base)


def file_of(folder: Path, code: str, domain: str = PAGES) -> Path:
    """Return where gettext has the catalogue of a language."""
    return folder / code.replace("-", "_") / "LC_MESSAGES" / f"{domain}.po"


# The buttons that choose a language, at the end of a page's first line, a card inside a part that stays English, and
# the signed text of the statement inside its frame.
# Only a product with more languages has them.
STYLE: Final = (
    ".languages{display:flex;flex-wrap:wrap;justify-content:flex-end;gap:.2rem}.languages form+form{margin:0}"
    "button.plain{background:transparent;color:var(--accent);padding:.4rem .6rem;font-weight:400;"
    "text-decoration:underline}main>div>details{background:var(--card);border:1px solid var(--line);"
    "border-radius:.75rem;padding:1.1rem 1.2rem;margin:0 0 1rem}h3{font-size:1rem;margin:0 0 .4rem}"
    "section>div>:last-child{margin-bottom:0}\n"
)


def style(languages: tuple[Language, ...]) -> str:
    """Return the CSS for the choice of a language, "" without one."""
    return STYLE if languages else ""


def constants(languages: tuple[Language, ...]) -> dict[str, Any]:
    """Return LANGUAGES and TEXTS of the module device.web.brand."""
    used = sorted({text for language in languages for text in language.catalogue.entries})
    rows = tuple(
        (
            language.code,
            language.name,
            language.is_right_to_left,
            language.catalogue.forms,
            tuple(language.catalogue.entries.get(text, "") for text in used),
        )
        for language in languages
    )
    return {"LANGUAGES": rows, "TEXTS": tuple(used)}
