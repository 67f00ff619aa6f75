"""The registry on both databases: one identity for each unit, no code twice, chains that show tampering."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from provisioning.registry.errors import ChainError, QuarantinedError
from provisioning.registry.registry import (
    AlreadyPassedError,
    BatchError,
    DuplicateCodeError,
    Registry,
    RegistryError,
)
from provisioning.station.phases import Outcome, PhaseResult
from tests.unit.provisioning.registry.registry_bench import FACTS, Places, finish, open_batch, reserve


@pytest.fixture(params=["sqlite", "postgresql"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    is_sqlite = request.param == "sqlite"
    return Places(tmp_path, None if is_sqlite else request.getfixturevalue("postgres_cluster"))


@pytest.fixture
def registry(places: Places) -> Iterator[Registry]:
    registry = places.new()
    open_batch(registry)
    yield registry
    registry.close()


def test_serials_count_up_and_device_ids_are_random(registry: Registry) -> None:
    found = [reserve(registry, number, f"code{number}") for number in range(3)]
    assert [entry.serial for entry in found] == ["SN-000001", "SN-000002", "SN-000003"]
    assert len({entry.device_id for entry in found}) == 3


def test_a_hardware_id_keeps_its_identity_and_gets_a_new_code(registry: Registry) -> None:
    first = reserve(registry, 1, "code1")
    again = reserve(registry, 1, "code2")
    assert again == dataclasses.replace(first, is_resumed=True)
    assert registry.codes_generated(first.unit_id) == (2, 1)
    assert not registry.is_live_code(first.unit_id, "code1")
    assert registry.is_live_code(first.unit_id, "code2")


@pytest.mark.parametrize("hardware", [1, 2])
def test_a_burned_code_is_refused_for_every_unit(registry: Registry, hardware: int) -> None:
    reserve(registry, 1, "code1")
    reserve(registry, 1, "code2")
    with pytest.raises(DuplicateCodeError):
        reserve(registry, hardware, "code1")


def test_a_refused_code_leaves_no_trace_of_the_unit(registry: Registry) -> None:
    reserve(registry, 1, "code1")
    with pytest.raises(DuplicateCodeError):
        reserve(registry, 2, "code1")
    assert len(registry.units()) == 1
    assert reserve(registry, 2, "code2").serial == "SN-000002"


def test_everything_is_there_after_reopening(places: Places, registry: Registry) -> None:
    first = reserve(registry, 1, "code1")
    other = places.again(registry)
    assert reserve(other, 1, "code2").device_id == first.device_id
    with pytest.raises(DuplicateCodeError):
        reserve(other, 2, "code1")


def test_a_released_unit_is_not_reserved_again(registry: Registry) -> None:
    finish(registry, 1, "code1")
    with pytest.raises(AlreadyPassedError):
        reserve(registry, 1, "code2")
    assert registry.codes_generated(1) == (1, 1)


def test_a_unit_passes_only_after_it_is_complete(registry: Registry) -> None:
    reservation = reserve(registry, 1, "code1")
    with pytest.raises(RegistryError, match="is not complete"):
        registry.record_pass(reservation.unit_id, {})


def test_a_new_reservation_takes_the_seal_away(registry: Registry) -> None:
    reservation = reserve(registry, 1, "code1")
    registry.complete(reservation.unit_id, FACTS)
    reserve(registry, 1, "code2")
    with pytest.raises(RegistryError, match="is not complete"):
        registry.record_pass(reservation.unit_id, {})


def test_releasing_twice_is_one_record(registry: Registry) -> None:
    reservation = finish(registry, 1, "code1")
    assert registry.record_pass(reservation.unit_id, {}) == registry.record_pass(reservation.unit_id, {})
    assert registry.verify_chain() == 1


def test_the_label_is_known_by_its_bytes(registry: Registry) -> None:
    reservation = finish(registry, 1, "code1")
    assert registry.is_label(reservation.unit_id, b"label")
    assert not registry.is_label(reservation.unit_id, b"Label")


def test_a_document_of_a_batch_is_made_once(registry: Registry) -> None:
    assert registry.document("B1", "support", lambda: b"first") == b"first"
    assert registry.document("B1", "support", lambda: b"second") == b"first"
    assert registry.document("B1", "contact", lambda: b"third") == b"third"


def test_a_batch_is_one_product_and_one_kind_of_keys(registry: Registry) -> None:
    registry.open_batch("B1", "M", bytes(32), is_development=False)
    with pytest.raises(BatchError, match="another product"):
        registry.open_batch("B1", "M", b"x" * 32, is_development=False)
    with pytest.raises(BatchError, match="development"):
        registry.open_batch("B1", "M", bytes(32), is_development=True)


def test_a_closed_batch_number_is_not_used_again(registry: Registry) -> None:
    registry.close_batch("B1")
    with pytest.raises(BatchError, match="closed"):
        registry.open_batch("B1", "M", bytes(32), is_development=False)
    with pytest.raises(BatchError, match="no batch"):
        registry.close_batch("B2")


def test_a_unit_does_not_change_its_batch(registry: Registry) -> None:
    reserve(registry, 1, "code1")
    registry.open_batch("B2", "M", bytes(32), is_development=False)
    with pytest.raises(BatchError, match="started in batch B1"):
        reserve(registry, 1, "code2", "B2")


def test_phases_are_kept_in_order(registry: Registry) -> None:
    reservation = reserve(registry, 1, "code1")
    results = [
        PhaseResult("link", Outcome.PASS, 0.1, {"repeats": 0}),
        PhaseResult("x", Outcome.FAIL, 0.2, {}, "no"),
    ]
    registry.add_phases("run", reservation.unit_id, results)
    kept = registry.phases(reservation.unit_id)
    assert [(phase.name, phase.outcome, phase.error) for phase in kept] == [
        ("link", "PASS", None),
        ("x", "FAIL", "no"),
    ]
    assert json.loads(kept[0].measurements) == {"repeats": 0}


# The chain -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE production_record SET body = replace(body, 'SN-00000', 'SN-10000') WHERE number = 2",
        "UPDATE production_record SET hash = previous_hash WHERE number = 3",
        "DELETE FROM production_record WHERE number = 2",
        "DELETE FROM production_record WHERE number = 3",
        "UPDATE production_record SET number = number + 10 WHERE number = 3",
        "UPDATE production_record SET signature = previous_hash WHERE number = 3",
        "UPDATE chain SET public_key = '' WHERE name = 'station'",
        "UPDATE unit SET status = 'passed'",
    ],
    ids=[
        "changed",
        "hash changed",
        "dropped inside",
        "dropped at the end",
        "moved",
        "signature lost",
        "key lost",
        "released without a record",
    ],
)
def test_tampering_with_the_chain_is_noticed(registry: Registry, statement: str) -> None:
    for number in (1, 2, 3):
        finish(registry, number, f"code{number}")
    reserve(registry, 99, "code99")
    assert registry.verify_chain() == 3
    with registry.writing() as session:
        session.execute(text(statement))
    with pytest.raises(ChainError):
        registry.verify_chain()


# Quarantine and rework --------------------------------------------------------------------------------------


def test_a_quarantined_unit_does_not_continue_and_its_code_is_revoked(registry: Registry) -> None:
    reservation = reserve(registry, 1, "code1")
    assert registry.quarantine(reservation.unit_id, "record contact is not what was written")
    with pytest.raises(QuarantinedError, match="contact is not what was written"):
        reserve(registry, 1, "code2")
    assert registry.codes_generated(reservation.unit_id) == (1, 0)


def test_a_quarantined_unit_is_neither_sealed_nor_released(registry: Registry) -> None:
    reservation = reserve(registry, 1, "code1")
    registry.quarantine(reservation.unit_id, "failed")
    with pytest.raises(QuarantinedError):
        registry.complete(reservation.unit_id, FACTS)
    with pytest.raises(QuarantinedError):
        registry.record_pass(reservation.unit_id, {})


def test_a_finished_unit_is_not_quarantined_by_a_later_run(registry: Registry) -> None:
    reservation = finish(registry, 1, "code1")
    assert not registry.quarantine(reservation.unit_id, "failed")
    assert registry.codes_generated(reservation.unit_id) == (1, 1)


def test_rework_gives_the_board_another_identity_and_keeps_the_old_code_burned(registry: Registry) -> None:
    first = reserve(registry, 1, "code1")
    registry.quarantine(first.unit_id, "failed")
    registry.retire(first.serial, by="E. Example", reason="soldered anew")
    second = reserve(registry, 1, "code2")
    assert (second.serial, second.is_resumed) == ("SN-000002", False)
    assert second.device_id != first.device_id
    with pytest.raises(DuplicateCodeError):
        reserve(registry, 2, "code1")


def test_rework_of_a_released_unit_revokes_it_and_keeps_its_record(registry: Registry) -> None:
    first = finish(registry, 1, "code1")
    assert registry.retire(first.serial, by="E. Example", reason="returned").withdrawn_s == 1000
    finish(registry, 1, "code2")
    assert registry.verify_chain() == 2


def test_what_a_person_decided_is_kept_with_the_name(registry: Registry) -> None:
    first = reserve(registry, 1, "code1")
    registry.retire(first.serial, by="E. Example", reason="scratched")
    kept = registry.phases(first.unit_id)[-1]
    assert (kept.name, kept.outcome) == ("rework", "DECIDED")
    assert json.loads(kept.measurements) == {"by": "E. Example", "reason": "scratched", "was": "reserved"}


def test_nothing_is_reserved_in_a_batch_that_is_not_open(registry: Registry) -> None:
    with pytest.raises(BatchError, match="not open"):
        reserve(registry, 1, "code1", "B2")
    registry.close_batch("B1")
    with pytest.raises(BatchError, match="not open"):
        reserve(registry, 1, "code1")


# Several at once --------------------------------------------------------------------------------------------


def _many(place: Path | str, files: Path, first: int) -> None:
    registry = Registry(place, files=files)
    for number in range(first, first + 10):
        reserve(registry, number, f"code{number}")


def test_two_stations_at_once_give_no_identity_twice(places: Places, registry: Registry) -> None:
    location = registry.database.location
    place = location.file or location.url
    registry.close()
    context = multiprocessing.get_context("spawn")
    stations = [context.Process(target=_many, args=(place, location.folder, first)) for first in (0, 100)]
    for station in stations:
        station.start()
    for station in stations:
        station.join()
    units = places.again(registry).units()
    assert [station.exitcode for station in stations] == [0, 0]
    assert len({unit.serial for unit in units}) == len({unit.device_id for unit in units}) == 20
