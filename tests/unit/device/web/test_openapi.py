"""docs/openapi.json describes the pages: the same routes, states and sessions, and answers of its shapes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device.errors import ThrottledError
from device.owner import lifecycle
from device.web.routes import LANGUAGE_ROUTES, WIFI_ROUTES, Route
from device.web.routes import ROUTES as ALWAYS
from simulator.looks import in_this_process
from tests.languages import CODE as LANGUAGE
from tests.languages import pseudo_brand
from tests.unit.device.web.home_fake import CERTIFICATE
from tests.unit.device.web.web_fake import CODE, PASSWORD, Browser, FakeDevice, FakeWifi, signed_in

DOCUMENT: dict[str, Any] = json.loads((Path(__file__).parents[4] / "docs" / "openapi.json").read_text())
OPERATIONS = {
    (method.upper(), path): operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
}
ROUTES = (*ALWAYS, *WIFI_ROUTES, *LANGUAGE_ROUTES)
TYPES = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}


def resolve(value: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in value:
        found: Any = DOCUMENT
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def wrong(value: Any, schema: dict[str, Any], place: str = "$") -> list[str]:
    """Return the differences between `value` and `schema`. Refuses keywords that the document does not use."""
    schema = resolve(schema)
    unknown = set(schema) - {
        "type", "required", "properties", "additionalProperties", "items", "enum", "pattern", "format",
        "description", "minimum", "maximum", "maxLength",
    }  # fmt: skip
    assert not unknown, unknown
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(type(value) is TYPES[kind] for kind in kinds):
        return [f"{place}: {type(value).__name__} is none of {kinds}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place}: {value!r} is not listed")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{place}: pattern")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        found += [f"{place}: {name} is missing" for name in schema.get("required", ()) if name not in value]
        if schema.get("additionalProperties") is False:
            found += [f"{place}: {name} is not declared" for name in value if name not in known]
        for name, part in known.items():
            if name in value:
                found += wrong(value[name], part, f"{place}.{name}")
    if isinstance(value, list):
        for at, item in enumerate(value):
            found += wrong(item, schema["items"], f"{place}[{at}]")
    return found


def schema_of(method: str, path: str, status: int) -> dict[str, Any]:
    answer = resolve(OPERATIONS[method, path]["responses"][str(status)])
    schema: dict[str, Any] = answer["content"]["application/json"]["schema"]
    return schema


@pytest.fixture(autouse=True)
def spoken() -> Iterator[None]:
    """The product has more languages than English, so every route exists."""
    with in_this_process(pseudo_brand()):
        yield


def test_the_document_has_exactly_the_routes_of_the_table() -> None:
    assert set(OPERATIONS) == {(route.method, route.path) for route in ROUTES}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_each_operation_says_the_same_of_states_and_session(route: Route) -> None:
    operation = OPERATIONS[route.method, route.path]
    assert operation["operationId"] == route.handler
    assert tuple(operation["x-states"]) == route.states
    assert operation["security"] == ([{"session": []}] if route.needs_session else [])
    assert ("requestBody" in operation) == (route.method == "POST" and route.path != "/logout")


def _browser_for(route: Route) -> Browser:
    if route.needs_session:
        browser = signed_in(FakeWifi() if route in WIFI_ROUTES else None)
    else:
        browser = Browser(FakeDevice(route.states[0]))
    browser.accept = "application/json"
    return browser


GETS = [route for route in ROUTES if route.method == "GET" and route.path not in ("/style.css", "/meter.js")]


@pytest.mark.parametrize("route", GETS, ids=lambda route: str(route.path))
def test_each_page_gives_a_program_the_declared_shape(route: Route) -> None:
    answer = _browser_for(route).get(route.path)
    assert answer.status == 200
    assert wrong(json.loads(answer.body), schema_of("GET", route.path, 200)) == []


POSTS: dict[str, tuple[dict[str, str], dict[str, str]]] = {  # path -> (an accepted form, a refused form)
    "/setup": ({"code": CODE, "password": PASSWORD}, {"code": "x", "password": PASSWORD}),
    "/login": ({"password": PASSWORD}, {"password": "wrong"}),
    "/updates": ({"action": "on"}, {"action": "postpone", "days": "x"}),
    "/application": (
        {"action": "save", "set_dim": "5", "set_tone": "cold"},
        {"action": "save", "set_dim": "101", "set_tone": "cold"},
    ),
    "/home": (
        {
            "action": "save",
            "address": "192.168.1.7",
            "port": "8883",
            "name": "",
            "user": "lamp",
            "password": "fish and chips",
            "authority": CERTIFICATE,
        },
        {"action": "test"},
    ),
    "/network": ({"action": "join", "network": "486f6d65/WPA2"}, {"action": "again"}),
    "/password": ({"current": PASSWORD, "password": "x"}, {"current": "wrong", "password": "x"}),
    "/reset": ({"password": PASSWORD, "confirm": "yes"}, {"password": PASSWORD}),
    "/logout": ({}, {}),
    "/language": ({"language": LANGUAGE, "page": "/contact"}, {}),
}


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.method == "POST"], ids=lambda route: str(route.path)
)
def test_each_form_answers_a_program_in_the_declared_shapes(route: Route) -> None:
    good, bad = POSTS[route.path]
    answer = _browser_for(route).post(route.path, good)
    assert answer.status == 200
    assert wrong(json.loads(answer.body), schema_of("POST", route.path, 200)) == []
    if bad:
        answer = _browser_for(route).post(route.path, bad)
        assert answer.status in (403, 422)
        assert wrong(json.loads(answer.body), schema_of("POST", route.path, answer.status)) == []


@pytest.mark.parametrize(
    "route", [r for r in ROUTES if r.method == "POST"], ids=lambda route: str(route.path)
)
def test_each_form_reads_the_fields_that_are_declared_as_required(route: Route) -> None:
    if route.path == "/logout":
        return
    schema = OPERATIONS["POST", route.path]["requestBody"]["content"]["application/x-www-form-urlencoded"]
    good = POSTS[route.path][0]
    for name in schema["schema"]["required"]:
        fields = {key: value for key, value in good.items() if key != name}
        answer = _browser_for(route).post(route.path, fields)
        assert answer.status in (400, 422), name


def test_a_throttled_sign_in_has_the_declared_shape() -> None:
    browser = Browser(FakeDevice(lifecycle.INITIALISED))
    browser.accept = "application/json"
    browser.device.refuse_with = ThrottledError(wait_s=17)
    answer = browser.post("/login", {"password": "x"})
    assert answer.status == 429 and answer.headers["retry-after"] == "17"
    assert wrong(json.loads(answer.body), schema_of("POST", "/login", 429)) == []


def test_the_checker_of_shapes_sees_what_is_wrong() -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
    assert wrong({"a": 1}, schema) == []
    for value in ({}, {"a": "1"}, {"a": True}, [], None):
        assert wrong(value, schema)


def test_a_statement_is_a_json_object() -> None:
    browser = Browser(FakeDevice())
    browser.accept = "application/json"
    assert isinstance(json.loads(browser.get("/statement").body), dict)
