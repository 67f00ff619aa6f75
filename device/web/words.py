"""The language of the page that is being built: its texts, plural forms and direction.

English is the language of the sources. A product with more languages has a catalogue in the frozen module brand, made
by its build (provisioning/brand/catalogue.py); a text that the catalogue lacks stays English.

Rules:
1. `use` comes before a page is built, and again after each await: another client may read another language.
2. A text is the argument of gettext or ngettext, or is in a table whose first line ends with "# gettext": so the
   list of all texts is read from the sources (provisioning/brand/texts.py).
"""

from device.compat import const
from device.web import brand

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

ENGLISH = "en"
# A plural form follows from a number below it, or from the last two digits (catalogue.py).
_FORMS = const(200)
# Unicode's first strong isolate and its end: a value of another direction does not disturb the sentence around it.
_ISOLATE = "\u2068{}\u2069"


class _Page:
    row: "Any" = None  # of brand.LANGUAGES, None for English
    path = "/"  # to which a change of the language leads back


_page = _Page()


def use(headers: "dict[str, str]", shown: str = "/") -> None:
    """Build the next page in the language that the headers of its request ask for; `shown`: the page's path."""
    _page.row, _page.path = None, shown
    if brand.LANGUAGES:  # without a catalogue this costs nothing more
        from device.web import languages

        _page.row = languages.wanted(headers)


def use_english() -> None:
    """Build the next page in English, with a way back to the start page: its request could not be read."""
    _page.row, _page.path = None, "/"


class English:
    """Makes the texts English inside a `with` statement: what the law wants in English, on any page."""

    def __enter__(self) -> None:
        self._before, _page.row = _page.row, None

    def __exit__(self, kind: "Any", error: "Any", trace: "Any") -> None:
        _page.row = self._before


def code() -> str:
    """Return the BCP 47 code of the page's language."""
    return ENGLISH if _page.row is None else str(_page.row[0])


def path() -> str:
    """Return the path of the page."""
    return _page.path


def direction() -> str:
    """Return "ltr" or "rtl"."""
    return "ltr" if _page.row is None or not _page.row[2] else "rtl"


def gettext(text: str, *values: object) -> str:
    """Return an English text in the page's language, with `values` in its placeholders."""
    found = text
    if _page.row is not None:
        found = _found(text) or text
    return _filled(found, values) if values else found


def ngettext(one: str, many: str, number: int) -> str:
    """Return the form of a text for `number`, with the number in its placeholder."""
    text = one if number == 1 else many
    if _page.row is not None:
        forms = _found(one)
        if forms:
            text = forms[_page.row[3][number if number < _FORMS else 100 + number % 100]]
    return _filled(text, (number,))


def _filled(text: str, values: "tuple[object, ...]") -> str:
    if _page.row is not None and _page.row[2]:
        values = tuple([_ISOLATE.format(value) for value in values])
    return text.format(*values)


def _found(text: str) -> "Any":
    """Return the translation of `text`, a tuple of forms for a plural; "" without one. It takes no memory."""
    texts = brand.TEXTS
    low, high = 0, len(texts)
    while low < high:
        middle = (low + high) // 2
        if texts[middle] < text:
            low = middle + 1
        else:
            high = middle
    return _page.row[4][low] if low < len(texts) and texts[low] == text else ""
