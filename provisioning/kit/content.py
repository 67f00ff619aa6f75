"""The data of a kit: the units that one consignee got, their statements, periods, contact and states.

Rules:
1. A kit names units, statements and models of its consignee alone. It has no set-up code, no key that signs, no device
   id and no other party.
2. A kit counts until `valid_until`. After that day it cannot answer whether a unit was withdrawn or recalled.
3. A reader accepts exactly the form that this module writes, with bounds, and raises KitError for anything else.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from provisioning.compliance.archive import ID
from provisioning.kit.errors import KitError
from provisioning.registry import consignees, stops

FORM: Final = 1
CONTENT_BYTES: Final = 64 << 20
MOST_UNITS: Final = 200_000
TEXT_CHARS: Final = 2000
SERIAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
STATES: Final = ("withdrawn", "quarantined", "retired", stops.STOPPED, stops.RECALLED)
_KEY: Final = re.compile(r"[0-9a-f]{130}")


@dataclass(frozen=True)
class Label:
    """A label that the statement relies on for one requirement; `expires`: its last day."""

    requirement: str
    scheme: str
    level: str
    number: str
    expires: dt.date


@dataclass(frozen=True)
class StatementFacts:
    """A statement in the kit. `support_end`: the last day that it states; `keep_until`: regulations 8 and 9 (SC-06)."""

    id: str
    sha256: str
    model: str
    batch: str
    issued: dt.date
    support_end: dt.date
    keep_until: dt.date
    labels: tuple[Label, ...] = ()


@dataclass(frozen=True)
class UnitFacts:
    """A unit in the kit. `state`: why it must not be sold, one of STATES; None if it may be sold."""

    serial: str
    statement: str
    shipped: dt.date
    state: str | None = None


@dataclass(frozen=True)
class Content:
    """The data of a kit. `support_ends`: the published last day by model; `station_keys`: points in hex."""

    issued: dt.date
    valid_until: dt.date
    maker: str
    consignee: str
    role: str
    name: str
    report: str
    policy: str
    support_ends: Mapping[str, dt.date]
    statements: tuple[StatementFacts, ...]
    units: tuple[UnitFacts, ...]
    station_keys: tuple[str, ...]

    def to_json(self) -> bytes:
        """Return the bytes of the kit's data: JSON with sorted keys, UTF-8."""
        return json.dumps(
            {"form": FORM, **asdict(self)}, sort_keys=True, ensure_ascii=False, indent=1, default=_text
        ).encode()


def _text(value: object) -> str:
    assert isinstance(value, dt.date)  # noqa: S101 - the only other type of the fields above
    return value.isoformat()


def read_content(data: bytes) -> Content:
    """Return the data of a kit from its bytes. Raises KitError (rule 3)."""
    if len(data) > CONTENT_BYTES:
        raise KitError(f"the kit's data is longer than {CONTENT_BYTES} bytes")
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        raise KitError("the kit's data is not JSON") from None
    if not isinstance(values, dict) or values.pop("form", None) != FORM:
        raise KitError("the kit has a form that this version cannot read")
    try:
        found = _content(values)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise KitError("the kit's data has a value that no kit has") from None
    _check(found)
    return found


def _content(values: dict[str, Any]) -> Content:
    if set(values) != {each.name for each in fields(Content)}:
        raise ValueError
    ends = {_line(model): _day(day) for model, day in values["support_ends"].items()}
    texts = {name: _line(values[name]) for name in ("maker", "consignee", "role", "name", "report", "policy")}
    return Content(
        issued=_day(values["issued"]),
        valid_until=_day(values["valid_until"]),
        support_ends=ends,
        statements=tuple(_statement(each) for each in values["statements"]),
        units=tuple(_unit(each) for each in values["units"]),
        station_keys=tuple(_matching(each, _KEY) for each in values["station_keys"]),
        **texts,
    )


def _statement(each: dict[str, Any]) -> StatementFacts:
    return StatementFacts(
        id=_matching(each["id"], ID),
        sha256=_line(each["sha256"]),
        model=_line(each["model"]),
        batch=_line(each["batch"]),
        issued=_day(each["issued"]),
        support_end=_day(each["support_end"]),
        keep_until=_day(each["keep_until"]),
        labels=tuple(_label(one) for one in each["labels"]),
    )


def _label(one: dict[str, Any]) -> Label:
    return Label(
        requirement=_line(one["requirement"]),
        scheme=_line(one["scheme"]),
        level=_line(one["level"]),
        number=_line(one["number"]),
        expires=_day(one["expires"]),
    )


def _unit(each: dict[str, Any]) -> UnitFacts:
    state = each["state"]
    if state is not None and state not in STATES:
        raise ValueError
    return UnitFacts(
        _matching(each["serial"], SERIAL), _matching(each["statement"], ID), _day(each["shipped"]), state
    )


def _line(value: object) -> str:
    if not isinstance(value, str) or len(value) > TEXT_CHARS or not value.isprintable():
        raise ValueError
    return value


def _matching(value: object, form: re.Pattern[str]) -> str:
    if not isinstance(value, str) or form.fullmatch(value) is None:
        raise ValueError
    return value


def _day(value: object) -> dt.date:
    if not isinstance(value, str) or len(value) != 10:
        raise ValueError
    return dt.date.fromisoformat(value)


def _check(content: Content) -> None:
    """Check what the values say about each other. Raises KitError."""
    known = {each.id: each for each in content.statements}
    serials = {each.serial for each in content.units}
    if content.role not in consignees.ROLES:
        raise KitError("the kit is for a role that no consignee has")
    if not 0 < len(content.units) <= MOST_UNITS:
        raise KitError(f"a kit has 1 to {MOST_UNITS} units")
    if len(serials) != len(content.units) or len(known) != len(content.statements):
        raise KitError("the kit lists a unit or a statement twice")
    if any(each.statement not in known for each in content.units):
        raise KitError("the kit lists a unit without its statement")
    if any(content.support_ends.get(each.model, dt.date.min) < each.support_end for each in known.values()):
        raise KitError("the kit has a support period that ends before its statement says (SP-02)")
