"""One word for one thing: identifiers of the product do not use the words that docs/vocabulary.md drops."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

DROPPED: Final = tomllib.loads((Path(__file__).parent / "vocabulary.toml").read_text(encoding="utf-8"))[
    "dropped"
]
PARTS: Final = ("device", "provisioning", "simulator", "renode")
PART_OF_NAME: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def identifiers(path: Path) -> Iterator[str]:
    """Yield the names that the module defines: itself, classes, functions, arguments, variables, attributes."""
    yield path.stem
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


@pytest.fixture(scope="module")
def names(files: list[Path], root: Path) -> dict[str, set[str]]:
    """Identifiers that each module of the product defines, by its path in the checkout."""
    return {
        name: set(identifiers(path))
        for path in files
        if path.suffix == ".py" and (name := str(path.relative_to(root))).startswith(PARTS)
    }


def uses(names: dict[str, set[str]], rule: dict[str, Any]) -> dict[str, list[str]]:
    """Return the identifiers with the dropped word, by file, without allowed and pending files."""
    word = re.compile(rule["word"], re.IGNORECASE)
    found = {}
    for path, defined in names.items():
        if not path.startswith(tuple(rule.get("inside", PARTS))) or path.startswith(
            tuple(rule.get("except", ()))
        ):
            continue
        bad = sorted(
            name for name in defined if any(word.fullmatch(part) for part in PART_OF_NAME.findall(name))
        )
        if bad:
            found[path] = bad
    return found


@pytest.mark.parametrize("rule", DROPPED, ids=[rule["word"] for rule in DROPPED])
def test_no_identifier_uses_a_dropped_word(names: dict[str, set[str]], rule: dict[str, Any]) -> None:
    assert len(names) > 200, "the search for modules is broken"
    found = {
        path: bad for path, bad in uses(names, rule).items() if not path.startswith(tuple(rule["pending"]))
    }
    assert not found, f"use {rule['use']}: {found}"


def test_a_name_with_a_dropped_word_is_found() -> None:
    rule = {"word": "book", "pending": []}
    assert uses({"device/a.py": {"key_book", "KeyBook", "BOOK", "booking"}}, rule) == {
        "device/a.py": ["BOOK", "KeyBook", "key_book"]
    }


def test_the_vocabulary_names_every_dropped_word(root: Path) -> None:
    text = (root / "docs" / "vocabulary.md").read_text(encoding="utf-8")
    table = text[text.index("## Dropped words") :]
    listed = set(re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE))
    words = {word for cell in listed for word in re.findall(r"\w+", cell)}
    dropped = {word.replace("s?", "s") for rule in DROPPED for word in rule["word"].split("|")} - {"drawkey"}
    assert dropped <= words
