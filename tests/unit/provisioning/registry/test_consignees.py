"""Consignees: details are kept by version, checked, and named in signed decisions by their digest only."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from provisioning.cli.registry import app
from provisioning.registry import consignees, decisions
from provisioning.registry.consignees import Consignee
from provisioning.registry.errors import ChainError, RegistryError
from provisioning.registry.registry import Registry
from tests.unit.provisioning.registry.registry_bench import Places

SHOP = Consignee(
    "hillside", "distributor", "Hillside Retail Ltd", "2 Hill Road, Leeds", "goods@hillside.example"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Registry:
    is_sqlite = request.param == "sqlite"
    places = Places(tmp_path, None if is_sqlite else request.getfixturevalue("postgres_cluster"))
    address, files = places.place()
    return Registry.create(address, files=files, now=lambda: 1000)


def test_a_change_of_the_details_adds_a_version_and_keeps_the_earlier_digest(registry: Registry) -> None:
    first, is_new = consignees.record(registry, SHOP, by="E. Example")
    moved, _ = consignees.record(registry, dataclasses.replace(SHOP, address="9 New Road"), by="E. Example")
    assert is_new and moved.digest != first.digest
    assert consignees.consignee(registry, "hillside") == moved
    known = consignees.known_digests(registry)
    assert known == {("hillside", first.digest), ("hillside", moved.digest)}


def test_the_same_details_again_change_nothing(registry: Registry) -> None:
    first, _ = consignees.record(registry, SHOP, by="E. Example")
    assert consignees.record(registry, SHOP, by="E. Example") == (first, False)
    assert len(decisions.decisions(registry, decisions.CONSIGNEE)) == 1


def test_the_signed_decision_and_the_packing_line_have_no_name_and_no_address(registry: Registry) -> None:
    found, _ = consignees.record(registry, SHOP, by="E. Example")
    (decision,) = decisions.decisions(registry, decisions.CONSIGNEE)
    shown = json.dumps([dict(decision.facts), found.line()])
    assert "Hill Road" not in shown and "Hillside Retail" not in shown and "goods@" not in shown
    assert found.line()["digest"] == decision.facts["digest"]


@pytest.mark.parametrize(
    "change",
    [
        {"id": "Hill Side"}, {"id": ""}, {"id": "a" * 33}, {"id": "-a"}, {"role": "reseller"}, {"name": " "},
        {"name": "a\nb"}, {"name": "a" * 201}, {"address": "x\u202ey"}, {"address": "a" * 401},
        {"email": "two@addresses@example"}, {"email": "a@b.example\r\nBcc: c@d.example"},
    ],
)  # fmt: skip
def test_details_that_cannot_be_used_are_refused_and_nothing_is_recorded(
    change: dict[str, str], registry: Registry
) -> None:
    with pytest.raises(RegistryError):
        consignees.record(registry, dataclasses.replace(SHOP, **change), by="E. Example")
    assert not consignees.consignees(registry) and not decisions.decisions(registry)


@pytest.mark.parametrize(
    "planted", ["DELETE FROM consignee", "UPDATE consignee SET digest = (SELECT hash FROM decision_record)"]
)
def test_details_that_were_removed_or_replaced_outside_the_program_are_found(
    planted: str, registry: Registry
) -> None:
    consignees.record(registry, SHOP, by="E. Example")
    with registry.writing() as session:
        session.execute(text(planted))
    with pytest.raises(ChainError, match="consignee hillside, version 1"):
        registry.verify()


def test_a_changed_name_no_longer_has_its_digest(registry: Registry) -> None:
    consignees.record(registry, SHOP, by="E. Example")
    assert consignees.problems(registry) == []
    with registry.writing() as session:
        session.execute(text("UPDATE consignee SET name = 'Another Ltd'"))
    assert consignees.problems(registry) == ["the details of consignee hillside, version 1, were changed"]


def test_a_restored_registry_gives_the_same_details_the_same_digest(registry: Registry) -> None:
    before, _ = consignees.record(registry, SHOP, by="E. Example")
    with registry.writing() as session:
        session.execute(text("DELETE FROM consignee"))
    assert consignees.record(registry, SHOP, by="E. Example")[0].digest == before.digest


def test_the_commands_record_and_list_consignees(tmp_path: Path) -> None:
    place = str(tmp_path / "registry.db")
    Registry.create(Path(place)).close()
    details = [
        "--role",
        "importer",
        "--name",
        "Nord Trade",
        "--address",
        "1 Quay, Hull",
        "--by",
        "E. Example",
    ]
    made = CliRunner().invoke(app, ["consignee", "nord", "--registry", place, *details, "--json"])
    assert made.exit_code == 0 and json.loads(made.stdout)["is_new"] is True
    listed = CliRunner().invoke(app, ["consignees", "--registry", place])
    assert "Nord Trade, 1 Quay, Hull, by post" in listed.stdout
    bad = CliRunner().invoke(
        app, ["consignee", "nord", "--registry", place, *details, "--email", "not an address"]
    )
    assert bad.exit_code == 2
    assert "consignee nord" in CliRunner().invoke(app, ["decisions", "--registry", place]).stdout
