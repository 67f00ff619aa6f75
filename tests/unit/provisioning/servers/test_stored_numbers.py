"""The server's own OSCORE numbers when their file is lost: no number is used twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioning.servers.oscore_context import StoredNumbers
from provisioning.servers.oscore_store import OscoreStore, OscoreStoreError

DEVICE = bytes(range(16))
NOW_S = 1_790_000_000.0


def test_without_the_file_and_with_an_earlier_clock_a_later_range_is_still_higher(tmp_path: Path) -> None:
    clock_s = [NOW_S]
    store = OscoreStore(tmp_path, lambda: clock_s[0])
    unit = store.add(DEVICE, bytes(16), bytes(8))
    numbers = StoredNumbers(store)
    before = numbers.reserve(unit)
    (tmp_path / f"{unit.sender_id.hex()}.sequence").unlink()
    clock_s[0] -= 3600
    assert numbers.reserve(unit).start == before.stop


def test_without_a_stored_number_and_a_clock_nothing_is_reserved(tmp_path: Path) -> None:
    store = OscoreStore(tmp_path, lambda: 0.0)
    unit = store.add(DEVICE, bytes(16), bytes(8))
    with pytest.raises(OscoreStoreError, match="set the clock"):
        StoredNumbers(store).reserve(unit)
    assert not (tmp_path / f"{unit.sender_id.hex()}.sequence").exists()
    store.reserve(unit.sender_id, 512)
    assert StoredNumbers(store).reserve(unit).start == 512


def test_a_server_that_starts_twice_in_one_second_goes_on_behind_the_stored_number(tmp_path: Path) -> None:
    store = OscoreStore(tmp_path, lambda: NOW_S)
    unit = store.add(DEVICE, bytes(16), bytes(8))
    before = StoredNumbers(store).reserve(unit)
    assert StoredNumbers(OscoreStore(tmp_path, lambda: NOW_S)).reserve(unit).start == before.stop


def test_a_store_that_was_restored_from_a_backup_begins_above_what_was_used_since(tmp_path: Path) -> None:
    clock_s = [NOW_S]
    store = OscoreStore(tmp_path, lambda: clock_s[0])
    unit = store.add(DEVICE, bytes(16), bytes(8))
    StoredNumbers(store).reserve(unit)
    file = tmp_path / f"{unit.sender_id.hex()}.sequence"
    backup = file.read_bytes()
    clock_s[0] += 3600
    used = StoredNumbers(store).reserve(unit)
    file.write_bytes(backup)
    clock_s[0] += 1
    assert StoredNumbers(store).reserve(unit).start >= used.stop
