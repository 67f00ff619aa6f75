"""Stations that were offline: leased numbers, and the findings of a sync."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from provisioning.registry import branches
from provisioning.registry.errors import (
    BatchError,
    ChainError,
    ConflictError,
    NumbersUsedUpError,
    RegistryError,
)
from provisioning.registry.models import Unit
from provisioning.registry.registry import Registry
from tests.unit.provisioning.registry.registry_bench import Places, finish, open_batch, reserve


@pytest.fixture(params=["sqlite", "postgresql"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    is_sqlite = request.param == "sqlite"
    return Places(tmp_path, None if is_sqlite else request.getfixturevalue("postgres_cluster"))


@pytest.fixture
def main(places: Places) -> Iterator[Registry]:
    registry = places.new()
    open_batch(registry)
    registry.document("B1", "support", lambda: b"the batch's support record")
    yield registry
    registry.close()


def joined(main: Registry, tmp_path: Path, name: str, count: int = 10) -> Registry:
    branch = branches.join(main, tmp_path / name / "registry.db", name)
    branches.lease(main, branch, "SN-", count, "B1")
    return branch


@pytest.fixture
def line1(main: Registry, tmp_path: Path) -> Iterator[Registry]:
    branch = joined(main, tmp_path, "line1")
    yield branch
    branch.close()


@pytest.fixture
def line2(main: Registry, line1: Registry, tmp_path: Path) -> Iterator[Registry]:
    branch = joined(main, tmp_path, "line2")
    yield branch
    branch.close()


def status(registry: Registry, serial: str) -> str:
    unit = registry.find(serial=serial)
    assert isinstance(unit, Unit)
    return unit.status


def test_leased_numbers_are_given_out_once(main: Registry, line1: Registry, line2: Registry) -> None:
    serials = [
        finish(registry, number, f"code{number}").serial
        for number, registry in enumerate((line1, line2, main, line1))
    ]
    assert serials == ["SN-000001", "SN-000011", "SN-000021", "SN-000002"]


def test_a_branch_stops_when_its_numbers_are_used_up(main: Registry, tmp_path: Path) -> None:
    branch = joined(main, tmp_path, "small", 2)
    for number in (1, 2):
        reserve(branch, number, f"code{number}")
    with pytest.raises(NumbersUsedUpError, match="registry lease"):
        reserve(branch, 3, "code3")
    branches.lease(main, branch, "SN-", 1)
    assert reserve(branch, 3, "code3").serial == "SN-000003"


def test_the_batchs_signed_records_come_with_the_lease(line1: Registry) -> None:
    assert line1.document("B1", "support", lambda: b"another") == b"the batch's support record"


def test_a_sync_brings_units_codes_and_records_over_once(main: Registry, line1: Registry) -> None:
    unit = finish(line1, 1, "code1", "line1")
    first, second = branches.sync(main, line1), branches.sync(main, line1)
    assert (first.units, first.records, first.incidents) == (1, 1, ())
    assert (second.units, second.records) == (0, 0)
    known = main.find(serial=unit.serial)
    assert known is not None and main.is_live_code(known.id, "code1")
    assert main.verify().chains == {"line1": 1}


def test_a_unit_moves_on_between_two_syncs(main: Registry, line1: Registry) -> None:
    serial = reserve(line1, 1, "code1").serial
    branches.sync(main, line1)
    assert status(main, serial) == "reserved"
    finish(line1, 1, "code2", "line1")
    branches.sync(main, line1)
    assert status(main, serial) == "passed"
    known = main.find(serial=serial)
    assert (
        known is not None
        and main.codes_generated(known.id) == (2, 1)
        and main.is_live_code(known.id, "code2")
    )


def test_a_code_that_two_offline_stations_drew_quarantines_both_units(
    main: Registry, line1: Registry, line2: Registry
) -> None:
    first, second = finish(line1, 1, "same", "line1"), finish(line2, 2, "same", "line2")
    branches.sync(main, line1)
    found = branches.sync(main, line2).incidents
    assert len(found) == 1 and first.serial in found[0] and second.serial in found[0]
    assert {status(main, first.serial), status(main, second.serial)} == {"quarantined"}
    assert status(line2, second.serial) == "quarantined"
    branches.sync(main, line1)
    assert status(line1, first.serial) == "quarantined"
    assert status(main, first.serial) == "quarantined"  # and a later sync does not revive it


def test_a_board_that_got_an_identity_at_two_stations_is_stopped(
    main: Registry, line1: Registry, line2: Registry
) -> None:
    first, second = reserve(line1, 7, "code1"), finish(line2, 7, "code2", "line2")
    branches.sync(main, line1)
    assert "another identity" in branches.sync(main, line2).incidents[0]
    assert {status(main, first.serial), status(main, second.serial)} == {"quarantined"}


def test_a_batch_is_not_released_before_every_branch_was_synced_with_it_closed(
    main: Registry, line1: Registry, line2: Registry
) -> None:
    finish(line1, 1, "code1", "line1")
    main.close_batch("B1")
    line1.close_batch("B1")
    branches.sync(main, line1)
    assert branches.ship_problems(main, "B1") == [
        "branch line2 was not synced since the batch was closed there"
    ]
    branches.sync(main, line2)  # still open there
    with pytest.raises(BatchError, match="line2"):
        branches.ship_batch(main, "B1")
    line2.close_batch("B1")
    branches.sync(main, line2)
    assert branches.ship_batch(main, "B1") == 1000


def test_a_branch_releases_no_batch(line1: Registry) -> None:
    with pytest.raises(BatchError, match="main registry"):
        branches.ship_batch(line1, "B1")


def test_a_quarantined_unit_blocks_its_batch_until_it_is_retired(main: Registry) -> None:
    reservation = reserve(main, 1, "code1")
    main.quarantine(reservation.unit_id, "verify: record hash")
    main.close_batch("B1")
    assert branches.ship_problems(main, "B1") == ["unit SN-000001 is quarantined: verify: record hash"]
    main.retire("SN-000001", by="E. Example", reason="scrapped")
    assert branches.ship_problems(main, "B1") == []


def test_an_incident_blocks_until_a_named_person_settles_it(
    main: Registry, line1: Registry, line2: Registry
) -> None:
    for number, line in ((1, line1), (2, line2)):
        finish(line, number, "same", f"line{number}")
        line.close_batch("B1")
        branches.sync(main, line)
    main.close_batch("B1")
    for unit in main.units():
        main.retire(unit.serial, by="E. Example", reason="same code")
    assert len(branches.ship_problems(main, "B1")) == 1
    branches.settle(main, branches.incidents(main)[0].id, by="E. Example", reason="both scrapped")
    assert branches.ship_problems(main, "B1") == []


def test_a_branch_that_was_restored_from_an_old_copy_is_refused(
    main: Registry, line1: Registry, tmp_path: Path
) -> None:
    finish(line1, 1, "code1", "line1")
    branches.sync(main, line1)
    line1.close()
    shutil.copytree(line1.path.parent, tmp_path / "old")
    line1 = Registry(line1.path)
    finish(line1, 2, "code2", "line1")
    branches.sync(main, line1)
    restored = Registry(tmp_path / "old" / "registry.db")
    with pytest.raises(ConflictError, match="an old registry was restored"):
        branches.sync(main, restored)
    assert "restored" in branches.incidents(main)[0].text
    again = finish(restored, 3, "code3", "line1")  # it forks: the number is assigned a second time
    assert again.serial == "SN-000002"
    with pytest.raises(ConflictError, match="record 2 of chain line1"):
        branches.sync(main, restored)
    assert len(main.units()) == 2


def test_a_branch_with_a_tampered_record_is_not_taken(main: Registry, line1: Registry) -> None:
    finish(line1, 1, "code1", "line1")
    with line1.writing() as session:
        session.execute(text("UPDATE production_record SET body = replace(body, 'SN-', 'XX-')"))
    with pytest.raises(ChainError):
        branches.sync(main, line1)
    assert main.units() == []


def test_a_batch_with_another_definition_is_not_taken(main: Registry, line1: Registry) -> None:
    with line1.writing() as session:
        session.execute(text("UPDATE batch SET is_development = NOT is_development"))
    with pytest.raises(ConflictError, match="another product definition"):
        branches.sync(main, line1)


def test_signed_records_that_differ_are_an_incident(main: Registry, line1: Registry) -> None:
    with line1.writing() as session:
        session.execute(text("UPDATE document SET data = kind"))
    assert "another support" in branches.sync(main, line1).incidents[0]


def test_a_stranger_is_no_branch(main: Registry, places: Places, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="not a branch"):
        branches.sync(main, Registry.create(tmp_path / "stranger.db"))


def test_a_name_and_a_file_are_taken_once(main: Registry, line1: Registry, tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="exists"):
        branches.join(main, line1.path, "line9")
    with pytest.raises(RegistryError, match="branch line1 already"):
        branches.join(main, tmp_path / "x.db", "line1")
    with pytest.raises(RegistryError, match="only a main registry can have branches"):
        branches.join(line1, tmp_path / "x.db", "line3")


def test_the_main_registrys_checkpoints_join_the_chains_of_all_stations(
    main: Registry, line1: Registry, line2: Registry
) -> None:
    for number, line in ((1, line1), (2, line2)):
        finish(line, number, f"code{number}", f"line{number}")
        line.checkpoint()
        branches.sync(main, line)
    kept = main.checkpoint()
    assert main.verify([kept]).chains == {"line1": 1, "line2": 1}
    assert '"line1"' in kept and '"line2"' in kept
