"""Stops: an investigation keeps a batch, or every batch of a model, from shipping until it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from provisioning.compliance.faults import batch_faults
from provisioning.registry import branches, consignees, stops
from provisioning.registry.errors import ChainError, RegistryError
from provisioning.registry.registry import Registry

CASE = "CF-2026-0001"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    made = Registry.create(tmp_path / "registry.db", now=lambda: 1000)
    for number, model in (("B1", "Lamp"), ("B2", "Lamp"), ("B3", "Plug")):
        made.open_batch(number, model, bytes(32), is_development=False)
        made.close_batch(number)
    return made


def stopped(registry: Registry) -> list[str]:
    return [number for number in ("B1", "B2", "B3") if branches.ship_problems(registry, number)]


def test_a_stop_keeps_its_batch_from_shipping_until_it_is_lifted(registry: Registry) -> None:
    assert stops.stop(registry, CASE, "Lamp", ["B1"], stops.INVESTIGATED, by="E. Example") == ["B1"]
    assert stopped(registry) == ["B1"]
    assert CASE in branches.ship_problems(registry, "B1")[0] and CASE in batch_faults(registry, "B1")[0]
    assert stops.lift(registry, CASE, by="E. Example", reason="no failure") == ["B1"]
    assert stopped(registry) == []


def test_a_stop_of_a_model_counts_for_batches_that_are_opened_later(registry: Registry) -> None:
    stops.stop(registry, CASE, "Lamp", [stops.EVERY_BATCH], stops.STOPPED, by="E. Example")
    assert stopped(registry) == ["B1", "B2"]
    registry.open_batch("B4", "Lamp", bytes(32), is_development=False)
    registry.close_batch("B4")
    assert branches.ship_problems(registry, "B4")


def test_the_same_stop_again_is_no_second_decision(registry: Registry) -> None:
    for _ in range(2):
        stops.stop(registry, CASE, "Lamp", ["B1"], stops.INVESTIGATED, by="E. Example")
    assert stops.stop(registry, CASE, "Lamp", ["B1"], stops.STOPPED, by="E. Example") == ["B1"]
    assert registry.verify().decisions == 2


def test_of_two_stops_one_that_is_lifted_leaves_the_other(registry: Registry) -> None:
    for code in (CASE, "CF-2026-0002"):
        stops.stop(registry, code, "Lamp", ["B1"], stops.INVESTIGATED, by="E. Example")
    stops.lift(registry, CASE, by="E. Example", reason="no failure")
    assert stopped(registry) == ["B1"]


@pytest.mark.parametrize(
    "planted",
    ["DELETE FROM sale_stop", "UPDATE sale_stop SET ended_s = 1", "UPDATE sale_stop SET state = 'recalled'"],
)
def test_a_stop_that_was_undone_in_the_database_is_found(planted: str, registry: Registry) -> None:
    stops.stop(registry, CASE, "Lamp", ["B1"], stops.INVESTIGATED, by="E. Example")
    registry.verify()
    with registry.writing() as session:
        session.execute(text(planted))
    with pytest.raises(ChainError, match="the stop of batch B1"):
        registry.verify()


def test_a_branch_records_no_consignee_and_stops_no_batch(registry: Registry, tmp_path: Path) -> None:
    """Its decisions would come to the main registry, whose tables lack what they decided."""
    branch = branches.join(registry, tmp_path / "line1.db", "line1")
    shop = consignees.Consignee("hillside", "importer", "Hillside", "2 Hill Road", None)
    with pytest.raises(RegistryError, match="main registry"):
        consignees.record(branch, shop, by="E. Example")
    with pytest.raises(RegistryError, match="main registry"):
        stops.stop(branch, CASE, "Lamp", ["B1"], stops.STOPPED, by="E. Example")
    assert branch.verify().decisions == 0
