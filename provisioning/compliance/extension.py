"""Extend a published support period (SP-03): the new definition, what changes, and a plan that survives a cut.

Rules:
1. A period is only ever extended: the new last day is later than the one in the definition and in the support register,
   the duration is not shorter, and the day is not beyond the horizon that units hold since the factory (SP-02, SP-09).
2. Only `[support]` changes in the definition: `end_date`, `period`, `sequence`, and `horizon`, which is written down so
   that it stays the one of the first units. Comments and all other text stay.
3. The steps have one order: the record for devices is signed; the site is built with register, pages and feed; the
   definition is replaced; the record is published to devices. Signing comes first, because it can fail without a trace.
   The definition comes after the site, so a problem of the site leaves it as it was.
4. The plan is written before the first step, beside the definition. A command that was cut reads it and goes on; every
   step finds out by itself whether it was done. From the line in the register on, no other extension can begin.
5. One extension at a time works with a register: a lock file beside it keeps a second command out, also while the first
   one asks its questions.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from provisioning.compliance.support_register import Publication
from provisioning.file_system import lock, replace_file
from provisioning.product.periods import Period, is_shorter, last_day, parse_period, span
from provisioning.product.product import Product, ProductError, Support, parse_product

if TYPE_CHECKING:
    from provisioning.compliance.archive import Archived

SUFFIX: Final = ".extension.json"
LOCK_SUFFIX: Final = ".extension.lock"
PLAN_BYTES: Final = 1 << 20
_TABLE: Final = re.compile(r"^\s*\[+([^\]]*)\]+")


class ExtensionError(Exception):
    """The period cannot be extended like this, or another extension is not finished."""


@dataclass(frozen=True)
class Extension:
    """One extension. `before` and `after`: the definition's text; `time_s`: the day of publication in the record."""

    model: str
    end_date: str
    period: str
    sequence: int
    before: str
    after: str
    time_s: int

    def differences(self) -> list[str]:
        """Return the change of the definition as lines of a unified diff, without a heading."""
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), lineterm="", n=0)
        return [line for line in lines if line[:3] not in ("---", "+++") and not line.startswith("@@")]

    @property
    def product(self) -> Product:
        """Return the definition after the extension. Raises ProductError."""
        return parse_product(self.after)


def plan_extension(
    text: str, published: Publication | None, until: dt.date | None, period: str | None, time_s: int
) -> Extension:
    """Return the extension of the definition `text` to a last day, to a duration, or to both.

    `published`: the newest line of the register about the model. Raises ExtensionError, ProductError.
    """
    product = parse_product(text)
    support = product.support
    end = until or _end_of(support.start_date, period)
    words = period or _period_of(support, end)
    _require_longer(product, published, end, words)
    values = {
        "period": json.dumps(words),
        "end_date": end.isoformat(),
        "sequence": str(support.sequence + 1),
        "horizon": support.horizon.isoformat(),
    }
    after = _edited(text, values)
    changed = parse_product(after)
    wanted = dataclasses.replace(
        product,
        support=dataclasses.replace(
            support, period=words, end_date=end, sequence=support.sequence + 1, horizon=support.horizon
        ),
    )
    if changed != wanted:
        raise ExtensionError("the table [support] of the definition cannot be edited: change it by hand")
    return Extension(product.model, end.isoformat(), words, support.sequence + 1, text, after, time_s)


def _end_of(start: dt.date | None, period: str | None) -> dt.date:
    if period is None or start is None:
        raise ExtensionError("give the new last day: the definition has no start_date from which to count")
    try:
        end = last_day(start, parse_period(period))
    except ValueError as error:
        raise ExtensionError(f"the period {error}") from None
    if end is None:
        raise ExtensionError("the period ends after the last day that a calendar has")
    return end


def _period_of(support: Support, end: dt.date) -> str:
    """Return the duration to state: from the first day if one is stated, else the one before plus what is added."""
    if end <= support.end_date:
        return support.period
    if support.start_date is not None:
        return span(support.start_date, end).text()
    try:
        before = parse_period(support.period)
    except ValueError as error:
        raise ExtensionError(f"the period {error}") from None
    added = span(support.end_date + dt.timedelta(days=1), end)
    return Period(before.months + added.months, before.days + added.days).text()


def _require_longer(product: Product, published: Publication | None, end: dt.date, period: str) -> None:
    """Check rule 1. Raises ExtensionError."""
    least = max(product.support.end_date, published.end_date if published is not None else dt.date.min)
    if end <= least:
        raise ExtensionError(
            f"{product.model}: the support period ends on {least.isoformat()}; {end.isoformat()} does not extend it"
            " (SP-02)"
        )
    if end > product.support.horizon:
        raise ExtensionError(
            f"{product.model}: units refuse a day after {product.support.horizon.isoformat()}, the horizon that they"
            " have since the factory (SP-09)"
        )
    try:
        shorter = is_shorter(parse_period(period), parse_period(product.support.period))
    except ValueError as error:
        raise ExtensionError(f"the period {error}") from None
    if shorter:
        raise ExtensionError(
            f"{product.model}: {period} is shorter than the published {product.support.period} (SP-02)"
        )


def _edited(text: str, values: Mapping[str, str]) -> str:
    """Return the text with these values in its table [support]; a value that is missing is added to the table."""
    lines = text.splitlines(keepends=True)
    table, heading, left = "", None, dict(values)
    for at, line in enumerate(lines):
        if found := _TABLE.match(line):
            table = found.group(1).strip()
            heading = at if table == "support" else heading
            continue
        key = line.partition("=")[0].strip()
        if table == "support" and key in left:
            lines[at] = _with_value(line, left.pop(key))
    if heading is not None and left:
        ending = "\r\n" if lines[heading].endswith("\r\n") else "\n"
        lines.insert(heading + 1, "".join(f"{name} = {value}{ending}" for name, value in left.items()))
    edited = "".join(lines)
    try:
        tomllib.loads(edited)
    except tomllib.TOMLDecodeError:
        raise ExtensionError(
            "the table [support] of the definition cannot be edited: change it by hand"
        ) from None
    return edited


def _with_value(line: str, value: str) -> str:
    """Return a line `key = old  # comment` with another value; the comment stays where it was."""
    head, _, rest = line.partition("=")
    body = rest.rstrip("\r\n")
    comment = body.find("#")
    old = body if comment < 0 else body[:comment]
    new = f" {value}"
    tail = "" if comment < 0 else body[comment:]
    return f"{head}={new.ljust(len(old)) if tail else new}{tail}{rest[len(body) :]}"


def statement_rules(product: Product, statements: Iterable[Archived]) -> list[str]:
    """Return what the extension means for statements (SP-07, SC-08; SI 2023/1007 Schedule 4 paragraph 1(1)(e))."""
    issued = [each for each in statements if each.model == product.model]
    lines = [
        f"statement {each.id} stays as it is: it states the period at the first supply of batch {each.batch}"
        for each in issued
    ]
    if any(each.batch == product.batch for each in issued):
        lines.append(
            f"batch {product.batch} has a statement with the earlier day: make its other units with the definition of"
            " before, and give the next batch a new number and a new statement"
        )
    return lines


@contextmanager
def only_extension(register: Path) -> Iterator[None]:
    """Keep every other extension away from this register (rule 5). Raises ExtensionError if one runs now, OSError."""
    with register.with_name(register.name + LOCK_SUFFIX).open("w") as file:
        try:
            lock(file.fileno(), is_waiting=False)
        except BlockingIOError:
            raise ExtensionError(
                f"another extension works with {register.name} now: wait until it has ended"
            ) from None
        yield


# The plan (rule 4) ----------------------------------------------------------------------------------------------------


def plan_path(definition: Path) -> Path:
    """Return the path of the plan of an extension."""
    return definition.with_name(definition.name + SUFFIX)


def save_plan(definition: Path, extension: Extension) -> None:
    """Write the plan, before the first step. Raises OSError."""
    data = json.dumps({"form": 1, **dataclasses.asdict(extension)}, sort_keys=True, indent=1)
    replace_file(plan_path(definition), data.encode() + b"\n")


def open_plan(definition: Path) -> Extension | None:
    """Return the extension that is not finished; None without one. Raises ExtensionError, OSError."""
    path = plan_path(definition)
    if not path.exists():
        return None
    try:
        with path.open("rb") as stream:
            values: dict[str, Any] = json.loads(stream.read(PLAN_BYTES))
        form = values.pop("form")
        found = Extension(**values)
        is_sound = form == 1 and all(
            isinstance(getattr(found, each.name), int if each.name in ("sequence", "time_s") else str)
            for each in dataclasses.fields(found)
        )
        support = found.product.support
        is_sound = is_sound and (support.end_date.isoformat(), support.period, support.sequence) == (
            found.end_date,
            found.period,
            found.sequence,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ProductError):
        is_sound = False
    if not is_sound:
        raise ExtensionError(f"{path.name} is not the plan of an extension: restore it, or remove it")
    return found


def replace_definition(definition: Path, extension: Extension) -> bool:
    """Replace the definition; return False if that was done before. Raises ExtensionError, OSError."""
    text = definition.read_bytes().decode()
    if text == extension.after:
        return False
    if text != extension.before:
        raise ExtensionError(f"{definition.name} was changed since the extension began: undo that change")
    replace_file(definition, extension.after.encode())
    return True


def finish_plan(definition: Path) -> None:
    """Remove the plan after the last step. Raises OSError."""
    plan_path(definition).unlink(missing_ok=True)
