"""The JSON schema of product definitions refuses and accepts the same definitions as the parser."""

from __future__ import annotations

import copy
import datetime as dt
import json
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs
import pytest
from typer.testing import CliRunner

from provisioning.cli.station import app
from provisioning.product.document import read_document
from provisioning.product.example import EXAMPLE
from provisioning.product.sections import SECTIONS, product_schema
from tests.unit.provisioning.product.test_station_product import WRONG_LINES, changed

# Rules between two fields, or within a text, that a schema cannot express; only the parser refuses these.
BETWEEN_FIELDS = (
    "[batch] first_number and last_number", "[batch] last_number", "[support] end_date must",
    "[components no. 2] name must differ", "[components no. 1] support_end needs",
)  # fmt: skip
EVERYTHING = (
    EXAMPLE.replace("# first_number", "first_number")
    .replace("# last_number", "last_number")
    .replace("notice_days = 180", "horizon = 2041-12-31\nnotice_days = 180")
    .replace("[scope]", '[statement.labels.passwords]\nscheme = "CLS(IoT)"\nlevel = "2"\nnumber = "7"\n'
             "expires = 2027-06-30\n[scope]")
    .replace("# routes = {", "routes = {")
    .replace("updates = false", "updates = true\nsupport_end = 2032-12-31")
    .replace("[label]", f'[[representatives]]\nname = "R"\naddress = "A"\n[keys]\ninjected = true\n'
        "[wifi]\naccess_point = true\n"
             f'[firmware]\nimage_sha256 = "{"ab" * 32}"\n[label]\ntemplate = "labels/t.toml"')
    .replace("[publication] ", '[publication]\nhow_to_report = "Write to us."\n#'
    ).replace("# report_form", "report_form")
)  # fmt: skip


def as_json(value: Any) -> Any:
    """Return TOML as an editor validates it: a date is a text."""
    if isinstance(value, dict):
        return {name: as_json(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [as_json(entry) for entry in value]
    return value.isoformat() if isinstance(value, dt.date) else value


VALIDATOR = jsonschema_rs.Draft202012Validator(product_schema(), validate_formats=True)


def is_taken(document: dict[str, Any]) -> bool:
    """Return whether the schema accepts it; the test fails if parser and schema differ."""
    problems: list[str] = []
    read_document(SECTIONS, document, problems)
    assert VALIDATOR.is_valid(as_json(document)) is not bool(problems), problems
    return not problems


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the path of every field and table."""
    if isinstance(value, (dict, list)):
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from places(entry, (*path, key))


def held(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def changed_everywhere(
    change: Callable[[Any, Any], None],
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    whole = tomllib.loads(EVERYTHING)
    for path in places(whole):
        document = copy.deepcopy(whole)
        change(held(document, path[:-1]), path[-1])
        yield path, document


@pytest.mark.parametrize("text", [EXAMPLE, EVERYTHING], ids=["example", "every option"])
def test_the_schema_takes_what_the_parser_takes(text: str) -> None:
    assert is_taken(tomllib.loads(text))


def test_every_field_that_is_known_is_in_the_definition_that_the_walks_change() -> None:
    def named(schema: dict[str, Any]) -> set[str]:
        parts = [schema, *schema.get("oneOf", [])]
        inner = [entry for part in parts for entry in part.get("properties", {}).items()]
        found = {name for name, _ in inner}
        for _, entry in inner:
            found |= named(entry)
        return found | (named(schema["items"]) if "items" in schema else set())

    walked = {key for path in places(tomllib.loads(EVERYTHING)) for key in path if isinstance(key, str)}
    # One label route represents three, a map has its maker's names, and `standards` has free content.
    assert named(product_schema()) - walked == {"standards"}


def test_jsonschema_and_parser_agree_on_every_field_that_is_left_out() -> None:
    taken = [
        path
        for path, document in changed_everywhere(lambda table, key: table.__delitem__(key))
        if is_taken(document)
    ]
    assert ("support", "start_date") in taken and ("scope",) in taken and ("product", "model") not in taken


@pytest.mark.parametrize("wrong", [1.5, [], {}, True, -1, "\x00", "x" * 201, [{}], {"a": 1}], ids=repr)
def test_schema_and_parser_agree_on_every_field_of_another_type(wrong: Any) -> None:
    refused = [
        path
        for path, document in changed_everywhere(lambda table, key: table.__setitem__(key, wrong))
        if not is_taken(document)
    ]
    assert ("product", "model") in refused and ("servers", 0, "port") in refused and ("label",) in refused


def test_schema_and_parser_refuse_an_unknown_field_in_every_table() -> None:
    whole = tomllib.loads(EVERYTHING)
    tables = [(), *(path for path in places(whole) if isinstance(held(whole, path), dict))]
    assert len(tables) > 15
    for path in tables:
        document = copy.deepcopy(whole)
        held(document, path)["colour"] = "red"
        assert not is_taken(document), path


@pytest.mark.parametrize(("old", "new", "place"), WRONG_LINES)
def test_a_line_that_the_parser_refuses_is_refused_by_the_schema(old: str, new: str, place: str) -> None:
    document = as_json(tomllib.loads(changed(old, new)))
    is_between = place.startswith(BETWEEN_FIELDS)
    assert VALIDATOR.is_valid(document) is is_between


def test_the_command_prints_the_schema_of_2020_12() -> None:
    result = CliRunner().invoke(app, ["schema"])
    shown = json.loads(result.stdout)
    assert result.exit_code == 0 and shown == product_schema()
    assert shown["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(shown)
