"""The demonstration statement: complete or not at all, and never mistaken for the real one."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from device.trust import anchors as trust_anchors
from device.trust.signed_record import verify_record
from provisioning.compliance.forms import (
    paragraphs,
    period_text,
    statement_html,
    statement_pdf,
    statement_text,
)
from provisioning.compliance.statement import (
    EN_303_645,
    ISO_29147,
    ITEMS,
    NOTICE,
    OPEN_POINTS,
    TYP,
    StatementError,
    build_statement,
    check_statement,
    sign_statement,
    statement_json,
)
from provisioning.keys.key_ring import KeyRing
from provisioning.product.product import Product
from tests.unit.provisioning.station.station_bench import PRODUCT

ISSUED = dt.date(2026, 11, 22)
DOCUMENT = build_statement(PRODUCT, ISSUED)


def without(path: tuple[str, ...]) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    holder = document
    for name in path[:-1]:
        holder = holder[name]
    del holder[path[-1]]
    return document


def declaring(requirement: str, route: str, standard: dict[str, str] | None) -> Product:
    routes = PRODUCT.statement.routes | {requirement: route}
    standards = {} if standard is None else {requirement: standard}
    details = dataclasses.replace(PRODUCT.statement, routes=routes, standards=standards)
    return dataclasses.replace(PRODUCT, statement=details)


def test_every_item_of_schedule_4_is_there() -> None:
    check_statement(DOCUMENT)
    assert {item[1] for item, _ in ITEMS} == set("abcdefg")


@pytest.mark.parametrize(("item", "path"), ITEMS)
def test_a_statement_without_one_item_is_refused(item: str, path: tuple[str, ...]) -> None:
    with pytest.raises(StatementError) as caught:
        check_statement(without(path))
    assert any(item in problem for problem in caught.value.problems)


@pytest.mark.parametrize(("item", "path"), ITEMS)
def test_an_empty_item_is_a_missing_item(item: str, path: tuple[str, ...]) -> None:
    document = without(path)
    holder = document
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = ""
    with pytest.raises(StatementError):
        statement_json(document)


@pytest.mark.parametrize("name", ["kind", "notice"])
def test_a_statement_that_hides_being_a_demonstration_is_refused(name: str) -> None:
    with pytest.raises(StatementError, match="demonstration"):
        check_statement(without((name,)))


def test_a_manufacturer_without_an_address_is_refused() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["manufacturers"].append({"name": "Second Maker", "address": ""})
    with pytest.raises(StatementError, match="address is missing"):
        check_statement(document)


@pytest.mark.parametrize(
    ("requirement", "standard"),
    [("passwords", EN_303_645), ("reporting", EN_303_645), ("reporting", ISO_29147)],
)
def test_the_deemed_route_takes_the_standard_of_the_regulations(
    requirement: str, standard: dict[str, str]
) -> None:
    text = statement_text(build_statement(declaring(requirement, "schedule-2", standard), ISSUED))
    assert f"{standard['number']} {standard['version']}" in text


@pytest.mark.parametrize(
    ("requirement", "standard"),
    [
        ("passwords", EN_303_645 | {"version": "V3.1.3"}),
        ("passwords", EN_303_645 | {"date": "2024-09-10"}),
        ("passwords", ISO_29147),
        ("passwords", None),
        ("support_period", ISO_29147),
    ],
)
def test_another_standard_is_refused_on_the_deemed_route(
    requirement: str, standard: dict[str, str] | None
) -> None:
    with pytest.raises(StatementError, match=r"1\(2\)"):
        build_statement(declaring(requirement, "schedule-2", standard), ISSUED)


def test_a_standard_on_the_other_route_is_refused() -> None:
    with pytest.raises(StatementError, match="route is Schedule 1"):
        build_statement(declaring("passwords", "schedule-1", EN_303_645), ISSUED)


def test_the_text_form_says_first_what_it_is_not() -> None:
    text = statement_text(DOCUMENT)
    assert text.startswith("NOT A STATEMENT OF COMPLIANCE") and NOTICE in text
    for letter in "abcdefg":
        assert f"\n({letter}) " in text
    for fact in (PRODUCT.product_type, PRODUCT.batch, PRODUCT.manufacturer.address, "31 December 2031"):
        assert fact in text
    assert all(point in text for point in OPEN_POINTS)


def test_json_is_the_same_bytes_each_time() -> None:
    assert statement_json(DOCUMENT) == statement_json(json.loads(statement_json(DOCUMENT)))


def test_the_signed_form_verifies_as_a_statement_of_the_signatory(tmp_path: Path) -> None:
    keys = KeyRing.generate_development(tmp_path / "keys")
    anchors = trust_anchors.Anchors(
        bytes(16),
        bytes(16),
        tuple(trust_anchors.Key(*dataclasses.astuple(key)) for key in keys.anchor_keys()),
        0,
        0,
        trust_anchors.NO_RULES,
    )
    signed = sign_statement(DOCUMENT, keys.signer("signatory"))
    assert verify_record(signed, TYP, trust_anchors.ROLE_SIGNATORY, anchors) == statement_json(DOCUMENT)


def test_a_statement_longer_than_the_unit_takes_is_refused() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["manufacturers"] *= 300
    with pytest.raises(StatementError, match="longer"):
        statement_json(document)


def test_durations_are_written_in_words() -> None:
    assert [period_text(text) for text in ("P5Y", "P1Y6M", "P90D")] == [
        "5 years",
        "1 year 6 months",
        "90 days",
    ]


def test_the_page_and_the_insert_show_every_item_and_the_notice() -> None:
    page, insert = statement_html(DOCUMENT), pdf_text(statement_pdf(DOCUMENT))
    for letter in "abcdefg":
        assert f"({letter}) " in page and f"({letter}) " in insert
    for fact in (PRODUCT.batch, "31 December 2031", "NOT A STATEMENT OF COMPLIANCE", "Erika Example"):
        assert fact in page and fact in insert
    assert all("Nobody has a copy of the code" in text for text in (insert, page))


def pdf_text(data: bytes) -> str:
    pdfium = pytest.importorskip(
        "pypdfium2", reason="pypdfium2 is not installed: the insert is not read back"
    )
    with pdfium.PdfDocument(data) as pages:
        return " ".join(
            " ".join(page.get_textpage().get_text_bounded().split())
            for page in (pages[number] for number in range(len(pages)))
        )


def test_the_insert_is_the_same_bytes_each_time() -> None:
    assert statement_pdf(DOCUMENT) == statement_pdf(DOCUMENT)


def test_words_of_the_definition_cannot_become_markup() -> None:
    product = dataclasses.replace(PRODUCT, brand='<b onload="x">&')
    document = build_statement(product, ISSUED)
    assert "<b onload" not in statement_html(document)
    assert '<b onload="x">&' in pdf_text(statement_pdf(document))


def test_a_sign_that_the_inserts_font_does_not_have_is_refused() -> None:
    document = build_statement(dataclasses.replace(PRODUCT, brand="\u706f"), ISSUED)
    with pytest.raises(StatementError, match=r"U\+706F"):
        statement_pdf(document)


def test_the_first_day_of_the_support_period_is_printed_if_the_definition_has_it() -> None:
    assert DOCUMENT["support_period"]["start_date"] == "2026-12-01"
    assert "from 1 December 2026 until 31 December 2031" in str(paragraphs(DOCUMENT))
    without_start = dataclasses.replace(
        PRODUCT, support=dataclasses.replace(PRODUCT.support, start_date=None)
    )
    document = build_statement(without_start, ISSUED)
    assert "start_date" not in document["support_period"] and "from 1 December" not in str(
        paragraphs(document)
    )


def test_every_page_of_the_insert_bears_the_statement_and_its_number() -> None:
    pages = pdf_text(statement_pdf(DOCUMENT)).count("Demonstration, FB-1, batch 2026-001")
    insert = pdf_text(statement_pdf(DOCUMENT))
    assert pages > 1 and all(f"Page {number} of {pages}" in insert for number in range(1, pages + 1))
