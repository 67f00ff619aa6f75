"""The registry: durable, one identity for a unit, no code twice, a chain that shows tampering."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import sqlite3
from pathlib import Path

import pytest

from provisioning.factory.phases import Outcome, PhaseResult
from provisioning.registry.database import RegistryError
from provisioning.registry.registry import (
    AlreadyReleasedError,
    BatchError,
    DuplicateCodeError,
    Registry,
    Reservation,
    SealedFacts,
)

FACTS = SealedFacts(
    version="1.0.0+0",
    image_digest=bytes(32),
    device_certificate=b"certificate",
    web_fingerprint=bytes(32),
    record_hash=bytes(32),
    statement_sha256=bytes(32),
    support_end_day=22000,
    label=b"label",
    label_name="SN.png",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry.db"


@pytest.fixture
def registry(path: Path) -> Registry:
    book = Registry(path, now=lambda: 1000)
    book.open_batch("B1", "M", bytes(32), is_development=False)
    return book


def reserve(registry: Registry, hardware: int, code: str, batch: str = "B1") -> Reservation:
    return registry.reserve(hardware.to_bytes(16, "big"), batch, "SN-", code, is_development=False)


def finish(registry: Registry, hardware: int, code: str) -> Reservation:
    reservation = reserve(registry, hardware, code)
    registry.seal(reservation.unit_id, FACTS)
    registry.release(reservation.unit_id, {"serial": reservation.serial})
    return reservation


def test_serials_count_up_and_device_ids_are_random(registry: Registry) -> None:
    found = [reserve(registry, number, f"code{number}") for number in range(3)]
    assert [entry.serial for entry in found] == ["SN-000001", "SN-000002", "SN-000003"]
    assert len({entry.device_id for entry in found}) == 3


def test_a_hardware_id_keeps_its_identity_and_gets_a_new_code(registry: Registry) -> None:
    first = reserve(registry, 1, "code1")
    again = reserve(registry, 1, "code2")
    assert again == dataclasses.replace(first, is_resumed=True)
    assert registry.codes_drawn(first.unit_id) == (2, 1)
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


def test_everything_is_there_after_reopening(path: Path, registry: Registry) -> None:
    first = reserve(registry, 1, "code1")
    registry.close()
    other = Registry(path)
    assert reserve(other, 1, "code2").device_id == first.device_id
    with pytest.raises(DuplicateCodeError):
        reserve(other, 2, "code1")


def test_a_released_unit_is_not_reserved_again(registry: Registry) -> None:
    finish(registry, 1, "code1")
    with pytest.raises(AlreadyReleasedError):
        reserve(registry, 1, "code2")
    assert registry.codes_drawn(1) == (1, 1)


def test_a_unit_is_released_only_behind_its_seal(registry: Registry) -> None:
    reservation = reserve(registry, 1, "code1")
    with pytest.raises(RegistryError, match="not sealed"):
        registry.release(reservation.unit_id, {})


def test_a_new_reservation_takes_the_seal_away(registry: Registry) -> None:
    reservation = reserve(registry, 1, "code1")
    registry.seal(reservation.unit_id, FACTS)
    reserve(registry, 1, "code2")
    with pytest.raises(RegistryError, match="not sealed"):
        registry.release(reservation.unit_id, {})


def test_releasing_twice_is_one_record(registry: Registry) -> None:
    reservation = finish(registry, 1, "code1")
    assert registry.release(reservation.unit_id, {}) == registry.release(reservation.unit_id, {})
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
    with pytest.raises(BatchError, match="begun in batch B1"):
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


def tampered(path: Path, registry: Registry, statement: str) -> Registry:
    for number in (1, 2, 3):
        finish(registry, number, f"code{number}")
    assert registry.verify_chain() == 3
    registry.close()
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()
    return Registry(path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE production_record SET body = replace(body, 'SN-00000', 'SN-10000') WHERE number = 2",
        "UPDATE production_record SET hash = zeroblob(32) WHERE number = 3",
        "DELETE FROM production_record WHERE number = 2",
        "DELETE FROM production_record WHERE number = 3",
        "UPDATE production_record SET number = number + 10 WHERE number = 3",
        "UPDATE unit SET status = 'released'",
    ],
    ids=[
        "changed",
        "hash changed",
        "dropped inside",
        "dropped at the end",
        "moved",
        "released without a record",
    ],
)
def test_tampering_with_the_chain_is_noticed(path: Path, registry: Registry, statement: str) -> None:
    reserve(registry, 99, "code99")
    with pytest.raises(RegistryError):
        tampered(path, registry, statement).verify_chain()


# The key and the file --------------------------------------------------------------------------------------


def test_no_code_is_in_the_file(path: Path, registry: Registry) -> None:
    finish(registry, 1, "CANARYCANARYCANARY")
    registry.close()
    for file in path.parent.iterdir():
        assert b"CANARY" not in file.read_bytes()


def test_a_registry_without_its_key_is_refused(path: Path, registry: Registry) -> None:
    registry.close()
    path.with_suffix(".db.key").unlink()
    with pytest.raises(RegistryError, match="restore it"):
        Registry(path)


def test_the_key_of_another_registry_is_refused(path: Path, registry: Registry) -> None:
    registry.close()
    path.with_suffix(".db.key").write_bytes(bytes(32))
    with pytest.raises(RegistryError, match="not the key of this registry"):
        Registry(path)


def test_a_key_that_others_can_read_is_refused(path: Path, registry: Registry) -> None:
    registry.close()
    path.with_suffix(".db.key").chmod(0o640)
    with pytest.raises(RegistryError, match="0600"):
        Registry(path)


def test_files_are_their_owners_alone(path: Path, registry: Registry) -> None:
    reserve(registry, 1, "code1")
    assert {oct(file.stat().st_mode & 0o777) for file in path.parent.iterdir()} == {"0o600"}


def test_a_file_that_is_no_registry_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(RegistryError, match="no registry"):
        Registry(path)


def test_a_registry_of_another_version_is_refused(path: Path, registry: Registry) -> None:
    registry.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE setting SET value = '9' WHERE name = 'schema'")
    connection.close()
    with pytest.raises(RegistryError, match="another version"):
        Registry(path)


def test_a_start_that_died_before_its_first_commit_is_repeated(path: Path) -> None:
    path.touch(mode=0o600)
    path.with_suffix(".db.key").touch(mode=0o600)
    path.with_suffix(".db.key").write_bytes(b"k" * 32)
    Registry(path).open_batch("B1", "M", bytes(32), is_development=False)


def _many(path: Path, first: int) -> None:
    book = Registry(path)
    for number in range(first, first + 10):
        reserve(book, number, f"code{number}")


def test_two_stations_at_once_give_no_identity_twice(path: Path, registry: Registry) -> None:
    registry.close()
    context = multiprocessing.get_context("spawn")
    stations = [context.Process(target=_many, args=(path, first)) for first in (0, 100)]
    for station in stations:
        station.start()
    for station in stations:
        station.join()
    units = Registry(path).units()
    assert [station.exitcode for station in stations] == [0, 0]
    assert len({unit.serial for unit in units}) == len({unit.device_id for unit in units}) == 20
