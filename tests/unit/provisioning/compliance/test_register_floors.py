"""Period, first day, end date and each part are floors, and more than one place keeps the register."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import pytest

from provisioning.compliance.issue import draw_key
from provisioning.compliance.ledger import Ledger
from provisioning.compliance.register_copies import archive_copy
from provisioning.compliance.site import SiteError, build_site
from provisioning.compliance.support_register import RegisterError, current, history, publish
from provisioning.product.product import Product
from provisioning.product.statement_fields import Component
from tests.unit.provisioning.compliance.statement_bench import PASSPHRASE, PRODUCT, TODAY, issue_one
from tests.unit.provisioning.compliance.test_site import site, until


def supported(**changes: object) -> Product:
    return dataclasses.replace(PRODUCT, support=dataclasses.replace(PRODUCT.support, **changes))  # type: ignore[arg-type]


def with_part(end: dt.date | None, *, can_be_updated: bool = True) -> Product:
    app = Component("App", "must-install", can_be_updated, end)
    return dataclasses.replace(PRODUCT, components=(*PRODUCT.components, app))


LONGER = dt.date(2033, 6, 30)
LOWERED = [
    (PRODUCT, supported(period="P1Y"), "cannot be shortened to P1Y"),
    (PRODUCT, supported(period="P59M"), "cannot be shortened to P59M"),
    (PRODUCT, supported(end_date=dt.date(2031, 12, 30)), "cannot end earlier"),
    (PRODUCT, supported(start_date=dt.date(2026, 12, 2)), "cannot begin later"),
    (PRODUCT, supported(start_date=None), "cannot begin later"),
    (with_part(LONGER), with_part(dt.date(2033, 6, 29)), "updates of App"),
    (with_part(LONGER), with_part(None), "updates of App"),
    (with_part(LONGER), with_part(None, can_be_updated=False), "stay listed, with updates"),
    (with_part(LONGER), PRODUCT, "stay listed, with updates"),
]


@pytest.mark.parametrize(("first", "then", "words"), LOWERED)
def test_no_floor_of_a_publication_is_lowered(
    first: Product, then: Product, words: str, tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path / "register.jsonl")
    publish(ledger, [first], TODAY)
    before = ledger.path.read_bytes()
    with pytest.raises(RegisterError, match=words):
        publish(ledger, [then], TODAY)
    assert ledger.path.read_bytes() == before


@pytest.mark.parametrize(("first", "then", "words"), LOWERED)
def test_a_lowered_floor_is_refused_when_the_register_is_read(
    first: Product, then: Product, words: str, tmp_path: Path
) -> None:
    one, two = Ledger(tmp_path / "one.jsonl"), Ledger(tmp_path / "two.jsonl")
    publish(one, [first], TODAY)
    publish(two, [then], TODAY)
    one.append(two.entries()[0])
    with pytest.raises(RegisterError, match=words):
        history(one.lines())


@pytest.mark.parametrize(
    "changes",
    [
        {"period": "P10Y", "end_date": "2027-01-01"},
        {"period": "P0Y"},
        {"period": "lifetime"},
        {"period": "P5Y", "end_date": "2031-11-20"},
        {"start_date": "2027-02-01"},
    ],
)
def test_a_line_that_contradicts_itself_is_refused_when_it_is_read(
    changes: dict[str, str], tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path / "register.jsonl")
    publish(ledger, [PRODUCT], TODAY)
    entry = {
        name: value for name, value in ledger.entries()[0].items() if name not in ("start_date", "parts")
    }
    other = Ledger(tmp_path / "other.jsonl")
    other.append(entry | changes)
    with pytest.raises(RegisterError):
        current(other.lines())


def test_longer_parts_and_periods_are_published_as_they_come(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "register.jsonl")
    for product in (PRODUCT, supported(period="P61M"), with_part(LONGER), with_part(dt.date(2034, 1, 1))):
        wider = (
            dataclasses.replace(product, support=supported(period="P61M").support)
            if ledger.entries()
            else product
        )
        publish(ledger, [wider], TODAY)
    assert len(ledger.entries()) == 4 and current(ledger.lines())["FB-1"].parts["App"] == dt.date(2034, 1, 1)


def test_deleting_register_and_site_together_shortens_nothing(tmp_path: Path) -> None:
    build_site(site(tmp_path))
    (tmp_path / "register.jsonl").unlink()
    (tmp_path / "site").rename(tmp_path / "gone")
    assert archive_copy(tmp_path / "archive").exists()
    with pytest.raises(SiteError, match="restore the support register") as caught:
        build_site(site(tmp_path, until(dt.date(2030, 1, 1), period="P3Y")))
    assert "SP-02" in str(caught.value) and not (tmp_path / "register.jsonl").exists()


@pytest.mark.parametrize("lost", [("archive",), ("archive", "site"), ("archive", "register.jsonl")])
def test_an_archive_that_is_lost_or_mistyped_is_not_replaced_by_a_new_one(
    lost: tuple[str, ...], tmp_path: Path
) -> None:
    build_site(site(tmp_path))
    for name in lost:
        (tmp_path / name).rename(tmp_path / f"lost-{name}")
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(SiteError, match="restore it"):
        build_site(site(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_statements_that_the_site_published_cannot_disappear(tmp_path: Path) -> None:
    build_site(site(tmp_path))
    copy = archive_copy(tmp_path / "archive").read_bytes()
    issue_one(tmp_path / "archive", draw_key(tmp_path / "me.pem", PASSPHRASE))
    build_site(site(tmp_path))
    (tmp_path / "other").mkdir()
    archive_copy(tmp_path / "other").write_bytes(copy)
    with pytest.raises(SiteError, match="restore the archive"):
        build_site(site(tmp_path, archive=tmp_path / "other"))
    build_site(site(tmp_path))


def test_a_copy_of_the_register_that_is_a_link_to_nowhere_is_not_absent(tmp_path: Path) -> None:
    build_site(site(tmp_path))
    copy = archive_copy(tmp_path / "archive")
    copy.rename(tmp_path / "moved")
    copy.symlink_to(tmp_path / "nowhere")
    (tmp_path / "register.jsonl").unlink()
    (tmp_path / "site").rename(tmp_path / "gone")
    with pytest.raises(OSError, match="No such file"):
        build_site(site(tmp_path))


def test_a_statement_remembers_the_end_date_that_it_states(tmp_path: Path) -> None:
    issue_one(tmp_path / "archive", draw_key(tmp_path / "me.pem", PASSPHRASE))
    with pytest.raises(
        SiteError, match="statement FB-1_2026-001_v1 states a support period until 2031-12-31"
    ):
        build_site(site(tmp_path, until(dt.date(2030, 1, 1), period="P3Y")))


def test_a_day_that_would_be_published_as_five_years_is_refused(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "register.jsonl")
    with pytest.raises(RegisterError, match="P1D until 2031-12-31 would begin more than a year from now"):
        publish(ledger, [supported(period="P1D", start_date=None)], TODAY)


def test_models_of_one_class_have_one_last_day(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "register.jsonl")
    other = dataclasses.replace(supported(end_date=LONGER), model="FB-2")
    with pytest.raises(RegisterError, match=r"one class id.*2033-06-30 and 2031-12-31"):
        publish(ledger, [PRODUCT, other], TODAY)
    assert not ledger.lines()
    publish(ledger, [PRODUCT, dataclasses.replace(PRODUCT, model="FB-2")], TODAY)
    publish(ledger, [supported(end_date=LONGER), other], TODAY)
    assert {each.end_date for each in current(ledger.lines()).values()} == {LONGER}


def test_a_model_whose_period_has_ended_no_longer_binds_its_class(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "register.jsonl")
    publish(ledger, [PRODUCT], TODAY)
    later = dataclasses.replace(
        supported(end_date=dt.date(2040, 1, 1), start_date=dt.date(2032, 1, 1)), model="FB-2"
    )
    publish(ledger, [later], dt.date(2032, 1, 1))
    assert len(current(ledger.lines())) == 2


def without_first_day(period: str, end: dt.date) -> Product:
    return supported(start_date=None, period=period, end_date=end)


@pytest.mark.parametrize(("period", "is_accepted"), [("P5Y", False), ("P7Y", True), ("P5Y1D", True)])
def test_a_later_end_without_a_first_day_needs_a_longer_duration(
    period: str, is_accepted: bool, tmp_path: Path
) -> None:
    ledger = Ledger(tmp_path / "register.jsonl")
    publish(ledger, [without_first_day("P5Y", PRODUCT.support.end_date)], TODAY)
    later = without_first_day(period, dt.date(2033, 12, 31))
    if is_accepted:
        assert publish(ledger, [later], TODAY)[PRODUCT.model].period == period
    else:
        with pytest.raises(RegisterError, match="its duration is still P5Y: state start_date"):
            publish(ledger, [later], TODAY)
    assert len(ledger.entries()) == 1 + is_accepted
