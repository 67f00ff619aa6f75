"""Error numbers are sent in reports and shown on status pages, so each number belongs to one class permanently."""

from __future__ import annotations

import ast
from pathlib import Path

from device import errors

SOURCE = Path(errors.__file__)


def _classes() -> list[ast.ClassDef]:
    return [
        node for node in ast.parse(SOURCE.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef)
    ]


def _own_number(node: ast.ClassDef) -> int | None:
    for statement in node.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "code":
            value = ast.literal_eval(statement.value)
            assert isinstance(value, int)
            return value
    return None


def test_every_error_class_states_a_number_of_its_own() -> None:
    assert len(_classes()) > 30
    assert not [node.name for node in _classes() if _own_number(node) is None]


def test_no_two_error_classes_share_a_number() -> None:
    numbers: dict[int | None, list[str]] = {}
    for node in _classes():
        numbers.setdefault(_own_number(node), []).append(node.name)
    assert not {number: names for number, names in numbers.items() if len(names) > 1}


def test_an_error_describes_itself_by_name_and_sorted_fields() -> None:
    assert errors.LimitError(what="chunk", limit=4096).describe() == "LimitError limit=4096 what=chunk"
