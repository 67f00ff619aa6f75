"""The texts of the owner's pages, read from the sources of the device: what a catalogue translates.

A text is the argument of `gettext` (or `_`) or `ngettext`, or a sentence in a table whose first line ends with
"# gettext" (device/web/words.py). The sources are read as text: no tool of the maker imports the pages.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from firstboot.locations import own_source_root
from provisioning.file_system import paths_in

FOLDER: Final = "device/web"
FILES: Final = ("device/records/support.py",)  # the months, and the sentence of the support period
_MARK: Final = "# gettext"
_SINGLE: Final = ("_", "gettext")
_PLURAL: Final = "ngettext"


@dataclass(frozen=True)
class Text:
    """An English text of the pages. `many`: its plural, "" for a text without a number; `places`: FILE:LINE of each."""

    one: str
    many: str = ""
    places: tuple[str, ...] = ()


def texts() -> dict[str, Text]:
    """Return {English text: Text} of the pages of this installation, sorted."""
    return dict(_of_tree(own_source_root()))


@cache
def _of_tree(base: Path) -> dict[str, Text]:
    files = [*paths_in(base / FOLDER, "*.py"), *(base / name for name in FILES)]
    found: dict[str, Text] = {}
    for file in files:
        name = file.relative_to(base).as_posix()
        for one, many, line in _of_file(file.read_text(encoding="utf-8")):
            known = found.get(one, Text(one))
            found[one] = Text(one, known.many or many, (*known.places, f"{name}:{line}"))
    return dict(sorted(found.items()))


def _of_file(source: str) -> Iterator[tuple[str, str, int]]:
    lines = source.splitlines()
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _of_call(node)
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and lines[statement.lineno - 1].endswith(_MARK):
            yield from ((text, "", line) for text, line in _sentences(statement.value))


def _of_call(node: ast.Call) -> Iterator[tuple[str, str, int]]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    given = [
        part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else ""
        for part in node.args
    ]
    if name in _SINGLE and given and given[0]:
        yield given[0], "", node.lineno
    elif name == _PLURAL and len(given) > 1 and given[0] and given[1]:
        yield given[0], given[1], node.lineno


def _sentences(value: ast.expr) -> Iterator[tuple[str, int]]:
    """Return the texts of a table: strings with a blank or a capital at their start, and no keys of a dict."""
    if isinstance(value, ast.Dict):
        for part in value.values:
            yield from _sentences(part)
    elif isinstance(value, ast.Tuple | ast.List):
        for part in value.elts:
            yield from _sentences(part)
    elif isinstance(value, ast.Call):  # a row that is a named tuple
        for part in value.args:
            yield from _sentences(part)
    elif isinstance(value, ast.Constant) and isinstance(value.value, str):
        if value.value[:1].isupper() or " " in value.value:
            yield value.value, value.lineno
