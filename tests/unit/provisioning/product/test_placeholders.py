"""Placeholders of the example, and names that are reserved for examples, are found in every published field."""

from __future__ import annotations

import dataclasses

import pytest

from provisioning.product.example import EXAMPLE
from provisioning.product.placeholders import placeholders
from provisioning.product.product import Party, parse_product
from tests.unit.provisioning.real_maker import REAL

PRODUCT = parse_product(REAL)


def test_a_real_definition_has_no_placeholder() -> None:
    assert placeholders(PRODUCT) == []


def test_every_published_field_of_the_example_is_a_placeholder() -> None:
    places = {text.split(" is ")[0] for text in placeholders(parse_product(EXAMPLE))}
    assert places >= {
        "[product] brand", "[manufacturer] name", "[manufacturer] address", "[contact] report", "[contact] policy",
        "[statement] signatory_name", "[statement] place", "[scope] decided_by",
    }  # fmt: skip


@pytest.mark.parametrize(
    "report",
    [
        "mailto:a@example.org",
        "mailto:a@mail.example.net",
        "https://maker.test/x",
        "https://a.invalid",
        "tel:+442079460123",
    ],
)
def test_a_contact_that_is_reserved_for_examples_is_found(report: str) -> None:
    contact = dataclasses.replace(PRODUCT.contact, report=report)
    assert len(placeholders(dataclasses.replace(PRODUCT, contact=contact))) == 1


def test_the_second_manufacturer_is_looked_at_too() -> None:
    parties = (*PRODUCT.manufacturers, Party("Example Devices Ltd", "TODO"))
    assert len(placeholders(dataclasses.replace(PRODUCT, manufacturers=parties))) == 2
