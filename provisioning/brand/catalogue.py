"""A gettext catalogue of the owner's pages (a PO file): read, checked, and made into constants of the firmware.

A catalogue goes into a signed image, so a bad entry stops the build: another set of placeholders, markup, characters
that turn the direction of writing or cannot be seen, a text much longer than the English one. For a
missing or fuzzy entry the page shows the English text.
"""

from __future__ import annotations

import gettext
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from provisioning.brand.errors import BrandError
from provisioning.brand.texts import Text
from provisioning.file_system import read_bounded

FILE_BYTES: Final = 262_144
FORMS: Final = (
    200  # numbers with a plural form of their own; above them the last two digits decide (words.py)
)
_CHECKED: Final = 10_000  # so many numbers are tried against that rule
_LONGEST: Final = 6
_PLURAL: Final = re.compile(r"nplurals=(\d);\s*plural=([^;]{1,400});?\s*")
_PLACE: Final = re.compile(r"\{\d?\}")
_ALLOWED: Final = "\u200c\u200d"  # joiners, which some scripts need


@dataclass(frozen=True)
class Catalogue:
    """A checked catalogue. `entries`: {English text: translation, or its plural forms}; `forms`: FORMS indices."""

    entries: Mapping[str, str | tuple[str, ...]]
    forms: bytes

    def over(self, other: Catalogue | None) -> Catalogue:
        """Return this catalogue with what it lacks from `other`. Raises BrandError if their plural rules differ."""
        if other is None:
            return self
        if self.forms != other.forms:
            raise BrandError(["Plural-Forms is not the rule of the catalogue that Firstboot ships."])
        return Catalogue({**other.entries, **self.entries}, self.forms)


def longest(text: str) -> int:
    """Return the greatest length of a translation of `text`, in characters: a button must fit into its page."""
    return 30 + 2 * len(text)


def read(path: Path, known: Mapping[str, Text]) -> Catalogue:
    """Return the catalogue in a PO file. `known`: the texts of the pages; others may be an application's.

    Raises BrandError with every problem that was found.
    """
    name = "/".join(path.parts[-3:])
    parsed = _parsed(path, name)
    count, rule = _rule(name, str(parsed.metadata.get("Plural-Forms", "")))
    problems: list[str] = []
    entries: dict[str, str | tuple[str, ...]] = {}
    for entry in parsed:
        if entry.obsolete or "fuzzy" in entry.flags:
            continue
        forms = _forms_of(entry)
        if not all(forms):
            continue
        found = _problems(entry, forms, known.get(entry.msgid), count, rule)
        problems += [f"{name}, line {entry.linenum}: {text}" for text in found]
        entries[entry.msgid] = tuple(forms) if entry.msgid_plural else forms[0]
    if problems:
        raise BrandError(problems)
    return Catalogue(entries, bytes(rule(number) for number in range(FORMS)))


def _parsed(path: Path, name: str) -> Any:
    import polib

    try:
        data = read_bounded(path, FILE_BYTES)
    except OSError as error:
        raise BrandError([f"{name} cannot be read: {error.strerror}."]) from None
    if data is None:
        raise BrandError([f"{name} has more than {FILE_BYTES} bytes."])
    try:
        return polib.pofile(data.decode() + "\n", check_for_duplicates=True)
    except UnicodeDecodeError:
        raise BrandError([f"{name} is not UTF-8."]) from None
    except (OSError, ValueError, IndexError) as error:
        raise BrandError([f"{name} is not a PO file: {str(error).strip() or 'damaged'}."]) from None


def _forms_of(entry: Any) -> list[str]:
    if not entry.msgid_plural:
        return [str(entry.msgstr)]
    return [str(entry.msgstr_plural[index]) for index in sorted(entry.msgstr_plural)]


def _rule(name: str, header: str) -> tuple[int, Callable[[int], int]]:
    """Return (number of forms, form of a number) of the header Plural-Forms. Raises BrandError."""
    found = _PLURAL.fullmatch(header.strip())
    try:
        if found is None:
            raise ValueError
        rule: Callable[[int], int] = gettext.c2py(found[2])
        count, forms = int(found[1]), [rule(number) for number in range(_CHECKED)]
    except (ValueError, OverflowError, RecursionError, ZeroDivisionError):
        raise BrandError([f"{name}: the header Plural-Forms is missing or damaged."]) from None
    if not 1 <= count <= _LONGEST or not all(0 <= form < count for form in forms):
        raise BrandError([f"{name}: Plural-Forms gives a form that nplurals does not have."])
    if any(forms[number] != forms[100 + number % 100] for number in range(FORMS, _CHECKED)):
        raise BrandError([f"{name}: Plural-Forms: above 199 a form must follow from the last two digits."])
    return count, rule


def _problems(
    entry: Any, forms: list[str], known: Text | None, count: int, rule: Callable[[int], int]
) -> list[str]:
    """Return what is wrong with one entry."""
    if entry.msgctxt is not None:
        return ["the entry has a context (msgctxt); the pages use none."]
    plural = entry.msgid_plural
    if known is not None and known.many != plural:
        return [f"msgid_plural must be {known.many!r}." if known.many else "this text has no plural."]
    if plural and len(forms) != count:
        return [f"{len(forms)} plural forms, Plural-Forms has {count}."]
    found = []
    for index, form in enumerate(forms):
        source = plural or entry.msgid
        # A form for one number alone may spell it out: "tomorrow".
        is_free = bool(plural) and sum(rule(number) == index for number in range(1000)) == 1
        found += _text_problems(source, form, is_free)
    return found


def _text_problems(source: str, form: str, is_free: bool) -> list[str]:
    found = []
    places, wanted = sorted(_PLACE.findall(form)), sorted(_PLACE.findall(source))
    rest = _PLACE.sub("", form)
    if "{" in rest or "}" in rest or (places != wanted and not (is_free and not places)):
        found.append(f"the placeholders are not {', '.join(wanted) or 'none'}: {form!r}")
    if "<" in form or ">" in form or re.search(r"&#?\w{1,32};", form):
        found.append(f"markup is not allowed: {form!r}")
    bad = sorted({f"U+{ord(one):04X}" for one in form if _is_hidden(one)})
    if bad:
        found.append(f"characters that cannot be seen or turn the direction: {', '.join(bad)}")
    if len(form) > longest(source):
        found.append(f"{len(form)} characters, at most {longest(source)} fit: {form!r}")
    if (form[:1] == " ", form[-1:] == " ") != (source[:1] == " ", source[-1:] == " "):
        found.append(f"blanks at the start and the end must be those of the English text: {form!r}")
    return found


def _is_hidden(character: str) -> bool:
    """Return whether a character is a control, a format character such as a bidi control, or no character."""
    return unicodedata.category(character) in ("Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp") and (
        character not in _ALLOWED
    )
