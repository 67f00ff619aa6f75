"""Griffe extension: docstrings of this project as Markdown, with a blank line before a numbered or dashed list."""

from __future__ import annotations

import re
from typing import Any, Final

import griffe

# An item that begins a list: the line before it is text, neither blank nor an item nor its continuation.
LIST_START: Final = re.compile(r"(?m)^(?P<before>(?!\s*(?:\d+\.|-) )\S.*)\n(?=(?:1\.|-) )")


def as_markdown(text: str) -> str:
    """Return the docstring with the blank line that Markdown requires before a list."""
    return LIST_START.sub(lambda match: f"{match['before']}\n\n", text)


class DocstringLists(griffe.Extension):
    """mkdocstrings loads it by path (mkdocs.yml)."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Griffe calls this for each module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
