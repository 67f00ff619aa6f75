"""The gettext template (POT) of the owner's pages, for translators."""

from __future__ import annotations

from collections.abc import Mapping

from provisioning.brand.catalogue import longest
from provisioning.brand.texts import Text

_HEADER = (
    "The texts of the owner's pages. A translation keeps the placeholders such as {} and {0}, has no markup,\n"
    "and is no longer than its comment says. {0} {1} {2} is a date: day, month, year."
)


def template(known: Mapping[str, Text]) -> str:
    """Return the text of the template, the same for the same texts."""
    import polib

    document = polib.POFile(wrapwidth=100)
    document.header = _HEADER
    document.metadata = {
        "Project-Id-Version": "Firstboot",
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
        "Plural-Forms": "nplurals=INTEGER; plural=EXPRESSION;",
    }
    for text in known.values():
        entry = polib.POEntry(
            msgid=text.one,
            comment=f"At most {longest(text.many or text.one)} characters.",
            occurrences=[tuple(place.rsplit(":", 1)) for place in text.places],
        )
        if text.many:
            entry.msgid_plural = text.many
            entry.msgstr_plural = {0: "", 1: ""}
        document.append(entry)
    return str(document) + "\n"
