"""Shipped units are identified by serial number and device id, and a unit is for sale only while it may be sold."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.compliance.gate import ShipError
from provisioning.registry.export import units_json
from provisioning.registry.sale import obstacle
from tests.unit.provisioning.compliance.ship_bench import Factory
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
