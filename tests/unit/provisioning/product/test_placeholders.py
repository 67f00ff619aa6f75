"""Placeholders of the example, fillers and names that are reserved for examples are found in every published field."""

from __future__ import annotations

import dataclasses

import pytest

from provisioning.product.example import EXAMPLE
from provisioning.product.placeholders import placeholders
from provisioning.product.product import Party, parse_product
from tests.unit.provisioning.real_maker import REAL

PRODUCT = parse_product(REAL)


def named(name: str) -> list[str]:
    """Return the placeholders of the definition with this manufacturer."""
    party = Party(name, PRODUCT.manufacturer.address)
    return placeholders(dataclasses.replace(PRODUCT, manufacturers=(party,)))


def reported_to(report: str) -> list[str]:
    contact = dataclasses.replace(PRODUCT.contact, report=report)
    return placeholders(dataclasses.replace(PRODUCT, contact=contact))


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
        "mailto:a@example.org", "mailto:a@mail.example.net", "https://maker.test/x", "https://a.invalid",
        "tel:+442079460123", "tel:+44-20-7946-0123", "tel:+441632960001", "tel:+441214960999", "tel:+447700900123",
        "tel:+12025550143", "tel:+1-202-555-0143", "tel:+441234567890", "tel:+440000000000",
        "mailto:security@example.co.uk", "mailto:a@your-domain.com", "mailto:a@yourcompany.co.uk",
        "https://psirt.local/x", "https://report.corp.internal", "mailto:no-reply@tallowgate-lighting.co.uk",
        "mailto:a@router.lan", "https://a.b.localhost/report", "https://Example.COM/x", "https://example.com:8443/x",
    ],
)  # fmt: skip
def test_a_contact_that_reaches_nobody_is_found(report: str) -> None:
    assert len(reported_to(report)) == 1


@pytest.mark.parametrize(
    "report",
    [
        "mailto:security@tallowgate-lighting.co.uk", "https://examplewood.co.uk/report", "https://latest.com/test",
        "https://tallowgate.co.uk/example", "mailto:test@tallowgate.co.uk", "tel:+442079451234", "tel:+12025561234",
        "https://mylocal.uk/security", "mailto:your-name-cards@cards.co.uk",
    ],
)  # fmt: skip
def test_a_contact_that_only_looks_like_one_passes(report: str) -> None:
    assert reported_to(report) == []


@pytest.mark.parametrize(
    "name",
    [
        "Acme", "ACME", "Acme Ltd", "Acme Corporation", "Acme, Inc.", "Sample Ltd", "Beispiel GmbH", "Your Company",
        "Your Company Ltd", "Example", "Esempio S.r.l.", "Musterfirma GmbH", "John Doe", "Unknown", "n/a", "TBC",
        "tbd", "TODO", "todo", "Lorem ipsum dolor", "xxx", "XXXX Ltd", "...", "???", "-", "<company>",
        "[Company name]", "{name}", "Contoso Ltd", "The Company", "Company Ltd", "Test", "Dummy Co.",
        "Insert name here", "to be confirmed",
    ],
)  # fmt: skip
def test_an_example_name_or_a_filler_is_found(name: str) -> None:
    assert named(name) == [f"[manufacturer] name is a placeholder: {name!r}"]


@pytest.mark.parametrize(
    "name",
    [
        "Acme Lighting Ltd", "Acme Lighting", "Northern Acme Ltd", "Samples of Bath Ltd",
        "Test Valley Instruments Ltd", "Brandt GmbH", "Company of Makers Ltd", "Beispielhaft Licht GmbH",
        "Muster Electronics SA", "Unknown Worlds Ltd", "Design Studio Ltd", "Foo Fighters Audio Ltd",
        "None Such Books Ltd", "A B See Ltd", "Nameless Ltd",
    ],
)  # fmt: skip
def test_a_real_name_that_contains_an_example_name_passes(name: str) -> None:
    assert named(name) == []


def test_an_answer_of_its_field_passes() -> None:
    assert PRODUCT.scope is not None
    for word in ("none", "None", "n/a", "unknown"):
        scope = dataclasses.replace(PRODUCT.scope, exceptions=word)
        component = dataclasses.replace(PRODUCT.components[0], name=word)
        assert placeholders(dataclasses.replace(PRODUCT, scope=scope, components=(component,))) == []


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ('model = "FB-1"', 'model = "TBD"', "[product] model"),
        ('type = "connected lamp"', 'type = "TODO: lamp"', "[product] type"),
        ("Managing director", "TBC", "[statement] signatory_function"),
        ("none of Schedule 3 applies: a mains lamp for homes", "TODO", "[scope] exceptions"),
        ("A lamp for your home that you set up from your phone.", "Lorem ipsum dolor.", "[publication] summary"),
        ("800 lumen, warm to cool white", "xxx lumen", "[publication] main_characteristics"),
        ("Update service", "<service>", "[[components]] name"),
        ('"10.0.2.2"\nport = 8883', '"updates.example.com"\nport = 8883', "[[servers]] host"),
        ('tls_name = "localhost"', 'tls_name = "updates.maker.test"', "[[servers]] tls_name"),
        ("14 Wharf Lane, Leeds LS9 8QX, United Kingdom", "1 Fake Street, Leeds", "[manufacturer] address"),
        ("14 Wharf Lane, Leeds LS9 8QX, United Kingdom", "Musterstraße 1, 12345 Musterstadt", "[manufacturer] address"),
        ('place = "Leeds"', 'place = "Anytown"', "[statement] place"),
    ],
)  # fmt: skip
def test_a_placeholder_is_found_in_every_field_that_is_shown(old: str, new: str, place: str) -> None:
    assert old in REAL
    found = placeholders(parse_product(REAL.replace(old, new)))
    assert [text.split(" is ")[0] for text in found] == [place]


def test_the_second_manufacturer_and_the_representatives_are_looked_at_too() -> None:
    party = Party("Example Devices Ltd", "TODO")
    found = dataclasses.replace(
        PRODUCT, manufacturers=(*PRODUCT.manufacturers, party), representatives=(party,)
    )
    assert len(placeholders(found)) == 4
