"""The house style of prose.toml: documents, messages, page texts, command help, docstrings, comments and scripts."""

from __future__ import annotations

import ast
import re
import tokenize
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

STYLE: Final = tomllib.loads((Path(__file__).parent / "prose.toml").read_text(encoding="utf-8"))
RULES: Final = [(re.compile(rule["pattern"], re.IGNORECASE), rule) for rule in STYLE["rule"]]
CODE: Final = re.compile(r"`[^`\n]*`|<[^>\n]+>|\{[^}\n]*\}")
FENCE: Final = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


class Passage(NamedTuple):
    """A paragraph for people, and its place."""

    place: str
    text: str
    begins_docstring: bool = False


def paragraphs(place: str, text: str) -> Iterator[Passage]:
    """Yield the paragraphs of a text, each on one line, without code."""
    for block in re.split(r"\n\s*\n|\n(?=\s*(?:[-*|]|\d+\.) ?)", text):
        words = " ".join(CODE.sub("`", block).split())
        if words:
            yield Passage(place, words)


def in_documents(files: list[Path], root: Path) -> Iterator[Passage]:
    for path in files:
        name = str(path.relative_to(root))
        if path.suffix == ".md":
            yield from paragraphs(name, FENCE.sub("", path.read_text(encoding="utf-8")))


def in_messages(root: Path, part: str) -> Iterator[Passage]:
    """Yield the string constants of a part that have more than one word, without docstrings and annotations."""
    for path in sorted((root / part).rglob("*.py")):
        if path.parent.name == "web" and path.stem in {"style", "script"}:
            continue
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        hints = [getattr(node, name, None) for node in nodes for name in ("annotation", "returns")]
        other = {id(node) for hint in hints if hint for node in ast.walk(hint)}
        other |= {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in other:
                if " " in node.value.strip():
                    yield from paragraphs(f"{path.relative_to(root)}:{node.lineno}", node.value)


def in_scripts(files: list[Path], root: Path) -> Iterator[Passage]:
    """Yield the comments and texts of shell scripts, C sources, settings and templates, line by line."""
    for path in files:
        name = str(path.relative_to(root))
        if path.suffix in {".sh", ".c", ".h", ".html", ".yml", ".toml", ".ini"} or path.name == "Makefile":
            if not name.startswith("tests/architecture/"):
                for at, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                    yield from paragraphs(f"{name}:{at}", line)


def in_help() -> Iterator[Passage]:
    """Yield the help of every visible command and option."""
    import typer

    from provisioning.cli.main import load_commands

    app = typer.Typer()
    load_commands(app)

    def walk(command: Any, words: str) -> Iterator[Passage]:
        yield from paragraphs(words, command.help or "")
        for parameter in command.params:
            yield from paragraphs(f"{words} {parameter.name}", getattr(parameter, "help", None) or "")
        for name, child in getattr(command, "commands", {}).items():
            if not child.hidden:
                yield from walk(child, f"{words} {name}")

    yield from walk(typer.main.get_command(app), "firstboot")


def in_docstrings(root: Path, part: str) -> Iterator[Passage]:
    paths = [root / part] if part.endswith(".py") else sorted((root / part).rglob("*.py"))
    assert paths, f"{part} has no Python file"
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                found = paragraphs(str(path.relative_to(root)), ast.get_docstring(node) or "")
                yield from (passage._replace(begins_docstring=at == 0) for at, passage in enumerate(found))
        yield from in_comments(path, str(path.relative_to(root)))


def in_comments(path: Path, place: str) -> Iterator[Passage]:
    """Yield the comments of a module; comments on adjacent lines are one paragraph."""
    found: list[tuple[int, str]] = []
    with path.open("rb") as source:
        for token in tokenize.tokenize(source.readline):
            if token.type == tokenize.COMMENT:
                words = token.string.lstrip("#! ")
                if found and found[-1][0] == token.start[0] - 1:
                    words = f"{found.pop()[1]} {words}"
                found.append((token.start[0], words))
    for line, words in found:
        yield from paragraphs(f"{place}:{line}", words)


@pytest.fixture(scope="module")
def passages(files: list[Path], root: Path) -> list[Passage]:
    pending = tuple(STYLE["help_pending"])
    texts = (passage for passage in in_help() if not passage.place.startswith(pending))
    found = [*in_documents(files, root), *in_scripts(files, root), *texts]
    for part in STYLE["messages"]:
        found += in_messages(root, part)
    for part in STYLE["docstrings"]:
        found += in_docstrings(root, part)
    return found


def test_no_text_that_people_read_has_a_pattern_of_the_house_style(passages: list[Passage]) -> None:
    assert len(passages) > 1000, "the search for texts is broken"
    found = [
        f"{passage.place}: {match[0]!r} -> {rule['use']}"
        for passage in passages
        for pattern, rule in RULES
        if not any(words in passage.text for words in rule.get("allow", ()))
        if passage.begins_docstring or not rule.get("docstrings_only")
        for match in pattern.finditer(passage.text)
    ]
    assert not found, f"{len(found)} places:\n" + "\n".join(found)


def test_the_allow_list_has_no_entry_that_nothing_needs(passages: list[Passage]) -> None:
    unused = [
        words
        for pattern, rule in RULES
        for words in rule.get("allow", ())
        if not any(words in passage.text and pattern.search(passage.text) for passage in passages)
    ]
    assert not unused


@pytest.mark.parametrize(
    "sentence",
    [
        "The unit begins anew.",
        "The reason is said.",
        "An update is fetched for the release that runs.",
        "A browser is no safe place.",
        "It stands in the manual.",
        "The papers of the unit.",
    ],
)
def test_a_sentence_in_the_old_grammar_is_found(sentence: str) -> None:
    assert any(pattern.search(sentence) for pattern, _ in RULES)


@pytest.mark.parametrize(
    "sentence",
    [
        "There is no WebREPL.",
        "It is no longer valid.",
        "Simulated boards stand in for yours.",
        "A paper insert.",
    ],
)
def test_a_plain_sentence_is_not_found(sentence: str) -> None:
    assert not any(pattern.search(sentence) for pattern, _ in RULES)
