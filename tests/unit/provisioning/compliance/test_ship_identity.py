"""Shipped units are identified by serial number and device id, and a unit is for sale only while it may be sold."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from provisioning.compliance.gate import ShipError
from provisioning.compliance.ledger import Ledger
from provisioning.registry.consignees import record
from provisioning.registry.export import units_json
from provisioning.registry.models import Batch
from provisioning.registry.sale import obstacle, ship_units
from tests.unit.provisioning.compliance.ship_bench import HILLSIDE, Factory
from tests.unit.provisioning.compliance.statement_bench import PRODUCT


@pytest.fixture
def factory(tmp_path: Path) -> Factory:
    return Factory(tmp_path)


def test_a_serial_number_that_left_from_another_registry_is_a_refusal(
    factory: Factory, tmp_path: Path
) -> None:
    """Two registries share a packing list: no unit counts as shipped that did not ship."""
    other = Factory(tmp_path / "other")
    assert other.serial == factory.serial
    other.gate(packing=factory.packing).ship(serial=other.serial)
    for asked in ({"serial": factory.serial}, {"batch": PRODUCT.batch}):
        with pytest.raises(ShipError) as caught:
            factory.gate().ship(**asked)
        assert "another unit with this serial number" in caught.value.refusals[0].sentence
    assert len(factory.packing.entries()) == 1


def test_a_shipped_unit_gets_no_line_in_another_packing_list(factory: Factory, tmp_path: Path) -> None:
    factory.gate().ship(serial=factory.serial)
    mistyped = Ledger(tmp_path / "paking.jsonl")
    for asked in ({"serial": factory.serial}, {"batch": PRODUCT.batch}):
        with pytest.raises(ShipError) as caught:
            factory.gate(packing=mistyped).ship(**asked)
        assert "Name the packing list" in caught.value.refusals[0].sentence
    assert not mistyped.path.exists()


def test_a_batch_that_was_marked_as_shipped_gets_its_lines_afterwards(factory: Factory) -> None:
    registry = factory.bench.registry
    registry.close_batch(PRODUCT.batch)
    now = registry.now()
    with registry.writing() as session:
        session.get_one(Batch, PRODUCT.batch).shipped_s = now
        ship_units(session, PRODUCT.batch, now)
    assert factory.gate().ship(serial=factory.serial) == [factory.serial]


def test_a_unit_is_for_sale_after_it_shipped_and_until_it_is_withdrawn(factory: Factory) -> None:
    registry = factory.bench.registry
    assert obstacle(registry.units()[0]) == "not shipped yet"
    factory.gate().ship(serial=factory.serial)
    assert obstacle(registry.units()[0]) is None
    first = registry.units()[0].shipped_s
    factory.gate().ship(serial=factory.serial)
    assert registry.units()[0].shipped_s == first
    registry.withdraw(factory.serial, by="E. Example", reason="stolen")
    assert obstacle(registry.units()[0]) == "withdrawn"
    assert units_json(registry).count('"for_sale": false') == len(registry.units())


def test_the_line_of_a_unit_names_its_consignee_and_no_address(factory: Factory) -> None:
    factory.gate().ship(serial=factory.serial)
    (entry,) = factory.packing.entries()
    assert entry["consignee"] == factory.consignee.line()
    assert factory.consignee.address not in factory.packing.path.read_text()


def test_a_unit_that_went_to_one_consignee_does_not_ship_to_another(factory: Factory) -> None:
    factory.gate().ship(serial=factory.serial)
    other, _ = record(factory.bench.registry, dataclasses.replace(HILLSIDE, id="nord"), by="E. Example")
    with pytest.raises(ShipError) as caught:
        factory.gate(consignee=other).ship(serial=factory.serial)
    assert [each.sentence for each in caught.value.refusals] == ["It was shipped to hillside already."]


def test_the_rest_of_a_batch_ships_to_another_consignee(factory: Factory) -> None:
    factory.gate().ship(serial=factory.serial)
    second = factory.make()
    other, _ = record(factory.bench.registry, dataclasses.replace(HILLSIDE, id="nord"), by="E. Example")
    assert factory.gate(consignee=other).ship(batch=factory.product.batch) == [second]
    assert [each["consignee"]["id"] for each in factory.packing.entries()] == ["hillside", "nord"]
