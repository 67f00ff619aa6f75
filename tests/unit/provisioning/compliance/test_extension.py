"""Extending a support period: what is refused, what changes in the definition, and the plan after a cut."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import tomllib
from pathlib import Path

import pytest

from provisioning.compliance.extension import (
    Extension,
    ExtensionError,
    finish_plan,
    open_plan,
    plan_extension,
    plan_path,
    replace_definition,
    save_plan,
    statement_rules,
)
from provisioning.compliance.support_register import Publication
from provisioning.product.product import parse_product
from tests.unit.provisioning.compliance.statement_bench import PRODUCT, TODAY
from tests.unit.provisioning.real_maker import REAL

LATER = dt.date(2033, 12, 31)
PUBLISHED = Publication.of(PRODUCT, TODAY)


def plan(
    text: str = REAL,
    until: dt.date | None = LATER,
    period: str | None = None,
    published: Publication | None = PUBLISHED,
) -> Extension:
    return plan_extension(text, published, until, period, 1_800_000_000)


def test_only_the_support_table_changes_and_comments_stay() -> None:
    found = plan()
    before, after = tomllib.loads(REAL), tomllib.loads(found.after)
    wanted = {"end_date": LATER, "period": "P7Y1M", "sequence": 2, "horizon": PRODUCT.support.horizon}
    assert after == before | {"support": before["support"] | wanted}
    assert [line.partition("#")[2] for line in REAL.splitlines() if "#" in line] == [
        line.partition("#")[2] for line in found.after.splitlines() if "#" in line
    ]


def test_the_differences_are_the_changed_lines() -> None:
    lines = plan().differences()
    assert [line[0] for line in lines].count("-") == 3 and any(
        "+end_date = 2033-12-31" in one for one in lines
    )


def test_a_duration_gives_the_last_day_from_the_first_one() -> None:
    found = plan(until=None, period="P8Y")
    assert (found.end_date, found.period) == ("2034-11-30", "P8Y")


@pytest.mark.parametrize(
    ("until", "period"),
    [(dt.date(2033, 12, 31), "P4Y"), (dt.date(2032, 3, 10), "P2Y2M10D"), (dt.date(2032, 1, 1), "P2Y1D")],
)
def test_without_a_first_day_the_duration_grows_by_what_is_added(until: dt.date, period: str) -> None:
    text = REAL.replace("start_date = 2026-12-01", "# start_date = 2026-12-01").replace("P5Y", "P2Y")
    assert plan(text, until=until, published=None).period == period


def test_a_definition_without_a_first_day_needs_the_last_one() -> None:
    text = REAL.replace("start_date = 2026-12-01", "# start_date = 2026-12-01").replace("P5Y", "P2Y")
    with pytest.raises(ExtensionError, match="give the new last day"):
        plan(text, until=None, period="P8Y", published=None)


def test_a_missing_sequence_is_added() -> None:
    text = "\n".join(line for line in REAL.splitlines() if not line.startswith("sequence = 1"))
    assert parse_product(plan(text).after).support.sequence == 2


def test_lines_of_windows_keep_their_ends() -> None:
    after = plan(REAL.replace("\n", "\r\n")).after
    assert after.count("\n") == after.count("\r\n")


def test_the_horizon_of_the_first_units_stays_with_every_extension() -> None:
    first = plan()
    second = plan(first.after, until=dt.date(2035, 1, 1), published=None)
    assert second.product.support.horizon == PRODUCT.support.horizon


@pytest.mark.parametrize(
    ("until", "period", "words"),
    [
        (dt.date(2031, 12, 30), None, "does not extend"),
        (dt.date(2031, 12, 31), None, "does not extend"),
        (dt.date(2060, 1, 1), None, "horizon"),
        (LATER, "P4Y", "shorter than the published"),
        (LATER, "5 years", "the period"),
        (LATER, "P9999Y", "must not be before"),
        (None, "P9999Y", "the last day that a calendar has"),
        (None, "P4Y", "does not extend"),
    ],
)
def test_sp_02_what_is_no_extension_is_refused(until: dt.date | None, period: str | None, words: str) -> None:
    with pytest.raises((ExtensionError, ValueError), match=words):
        plan(until=until, period=period)


def test_a_day_before_the_published_one_is_refused_even_if_the_definition_is_shorter() -> None:
    with pytest.raises(ExtensionError, match="2034-01-01"):
        plan(published=dataclasses.replace(PUBLISHED, end_date=dt.date(2034, 1, 1)))


def test_a_table_in_another_form_is_refused() -> None:
    lines = REAL.splitlines()
    at = lines.index("[support]")
    inline = "support = { period = 'P5Y', start_date = 2026-12-01, end_date = 2031-12-31, notice_days = 180 }"
    text = "\n".join([inline, *lines[:at], *lines[at + 6 :]])
    assert parse_product(text).support.end_date == PRODUCT.support.end_date
    with pytest.raises(ExtensionError, match="by hand"):
        plan(text)


def test_statements_that_were_issued_stay_and_the_batch_is_named() -> None:
    class Issued:
        id, model, batch = "FB-1_2026-001_v1", PRODUCT.model, PRODUCT.batch

    lines = statement_rules(PRODUCT, [Issued()])  # type: ignore[list-item]
    assert "stays as it is" in lines[0] and "new statement" in lines[1]
    assert statement_rules(dataclasses.replace(PRODUCT, model="X"), [Issued()]) == []  # type: ignore[list-item]


# The plan -----------------------------------------------------------------------------------------------------------


def test_a_plan_is_read_back_until_it_is_finished(tmp_path: Path) -> None:
    definition = tmp_path / "product.toml"
    assert open_plan(definition) is None
    save_plan(definition, plan())
    assert open_plan(definition) == plan()
    finish_plan(definition)
    finish_plan(definition)
    assert open_plan(definition) is None


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b"[" * 5000, b'{"form": 1, "model": "FB-1"}'])
def test_a_file_that_is_no_plan_is_refused(data: bytes, tmp_path: Path) -> None:
    plan_path(tmp_path / "product.toml").write_bytes(data)
    with pytest.raises(ExtensionError, match="is not the plan"):
        open_plan(tmp_path / "product.toml")


@pytest.mark.parametrize(
    "change", [{"end_date": "2040-01-01"}, {"sequence": 9}, {"form": 2}, {"time_s": "1"}]
)
def test_a_plan_that_contradicts_its_definition_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    save_plan(tmp_path / "product.toml", plan())
    path = plan_path(tmp_path / "product.toml")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ExtensionError, match="is not the plan"):
        open_plan(tmp_path / "product.toml")


def test_a_definition_is_replaced_once_and_only_if_it_is_the_one_of_the_plan(tmp_path: Path) -> None:
    definition = tmp_path / "product.toml"
    definition.write_text(REAL)
    assert replace_definition(definition, plan()) and not replace_definition(definition, plan())
    assert definition.read_text() == plan().after
    definition.write_text(REAL + "\n# a note\n")
    with pytest.raises(ExtensionError, match="was changed since"):
        replace_definition(definition, plan())
