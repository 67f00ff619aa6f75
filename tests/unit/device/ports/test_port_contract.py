"""The contract of device.interfaces, tested with every port that runs here: the simulator's and the host's.

A new port adds itself to the fixtures; the tests are the contract (docs/porting.md).
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.errors import EntropyError, FlashError, StorageError, StorageFullError
from device.layout import MPS2
from device.ports.host import HostClock, HostEntropy
from simulator.ports.clock import SimClock, SimEntropy
from simulator.ports.flash import SimFlash
from simulator.ports.records import LfsRecords, device_records, user_records

UNIT = MPS2.unit_bytes
SECTOR = MPS2.sector_bytes


# Flash -----------------------------------------------------------------------------------------------


@pytest.fixture
def flash() -> SimFlash:
    return SimFlash()


def test_fresh_flash_reads_as_erased(flash: SimFlash) -> None:
    assert flash.read(flash.size_bytes - 10, 10) == b"\xff" * 10


def test_what_was_programmed_is_read_back(flash: SimFlash) -> None:
    data = bytes(range(UNIT)) * 4
    flash.write(SECTOR - 2 * UNIT, data)
    assert flash.read(SECTOR - 2 * UNIT, len(data)) == data


def test_a_unit_is_programmed_once_between_two_erases(flash: SimFlash) -> None:
    flash.write(0, b"a" * UNIT)
    with pytest.raises(FlashError):
        flash.write(0, b"a" * UNIT)
    flash.erase(0)
    flash.write(0, b"b" * UNIT)


def test_erasing_takes_exactly_one_sector(flash: SimFlash) -> None:
    flash.write(SECTOR - UNIT, b"a" * 3 * UNIT)
    flash.erase(0)
    assert flash.read(SECTOR - UNIT, UNIT) == b"\xff" * UNIT
    assert flash.read(SECTOR, 2 * UNIT) == b"a" * 2 * UNIT


@pytest.mark.parametrize(
    ("offset", "length"), [(1, UNIT), (0, UNIT - 1), (0, 0), (MPS2.size_bytes, UNIT), (-UNIT, UNIT)]
)
def test_a_write_that_is_unaligned_empty_or_outside_is_refused(
    flash: SimFlash, offset: int, length: int
) -> None:
    with pytest.raises(FlashError):
        flash.write(offset, b"a" * length)
    assert flash.operations == 0


@pytest.mark.parametrize("offset", [1, UNIT, -SECTOR, MPS2.size_bytes])
def test_an_erase_that_is_unaligned_or_outside_is_refused(flash: SimFlash, offset: int) -> None:
    with pytest.raises(FlashError):
        flash.erase(offset)


@pytest.mark.parametrize(
    ("offset", "length"), [(-1, 1), (0, -1), (MPS2.size_bytes, 1), (0, MPS2.size_bytes + 1)]
)
def test_a_read_outside_is_refused(flash: SimFlash, offset: int, length: int) -> None:
    with pytest.raises(FlashError):
        flash.read(offset, length)


# Records ---------------------------------------------------------------------------------------------


@pytest.fixture(params=[device_records, user_records])
def records(request: pytest.FixtureRequest) -> LfsRecords:
    made: LfsRecords = request.param(SimFlash())
    made.format()
    return made


def test_an_absent_record_is_none(records: LfsRecords) -> None:
    assert records.read("identity") is None


def test_a_record_is_replaced_as_a_whole(records: LfsRecords) -> None:
    records.write("identity", b"long" * 2000)
    records.write("identity", b"short")
    assert records.read("identity") == b"short"


def test_an_empty_record_is_there(records: LfsRecords) -> None:
    records.write("identity", b"")
    assert records.read("identity") == b"" and list(records.names()) == ["identity"]


def test_a_deleted_record_is_absent_and_may_be_deleted_again(records: LfsRecords) -> None:
    records.write("identity", b"x")
    records.delete("identity")
    records.delete("identity")
    assert records.read("identity") is None and list(records.names()) == []


@pytest.mark.parametrize("name", ["", "UPPER", "a/b", "..\x00", "a" * 33, "sp ace", "key.new"])
def test_a_name_outside_the_alphabet_is_refused(records: LfsRecords, name: str) -> None:
    for action in (records.read, records.delete):
        with pytest.raises(StorageError):
            action(name)
    with pytest.raises(StorageError):
        records.write(name, b"")


def test_a_full_region_refuses_and_keeps_what_it_has(records: LfsRecords) -> None:
    records.write("identity", b"kept")
    with pytest.raises(StorageFullError):
        records.write("big", bytes(MPS2.device_bytes))
    assert records.read("identity") == b"kept" and records.read("big") is None
    records.write("small", b"fits")


@given(
    st.lists(
        st.tuples(st.sampled_from(["identity", "setup", "web.key"]), st.none() | st.binary(max_size=3000)),
        max_size=20,
    )
)
def test_records_behave_like_a_dictionary_also_after_a_mount(steps: list[tuple[str, bytes | None]]) -> None:
    flash = SimFlash()
    records = device_records(flash)
    records.format()
    expected: dict[str, bytes] = {}
    for name, data in steps:
        if data is None:
            records.delete(name)
            expected.pop(name, None)
        else:
            records.write(name, data)
            expected[name] = data
        again = device_records(flash)
        again.mount()
        assert {found: again.read(found) for found in again.names()} == expected
        records = again


# Clock and entropy -----------------------------------------------------------------------------------


@pytest.fixture(params=[SimClock, HostClock])
def clock(request: pytest.FixtureRequest) -> Any:
    return request.param()


def test_ticks_stay_below_their_period(clock: Any) -> None:
    assert 0 <= clock.ticks_ms() < 1 << 30


def test_a_distance_of_ticks_is_right_across_the_wrap(clock: Any) -> None:
    assert clock.ticks_diff(5, (1 << 30) - 5) == 10
    assert clock.ticks_diff((1 << 30) - 5, 5) == -10
    assert clock.ticks_diff(7, 7) == 0


def test_ticks_do_not_go_back(clock: Any) -> None:
    first = clock.ticks_ms()
    assert clock.ticks_diff(clock.ticks_ms(), first) >= 0


@pytest.fixture(params=[SimEntropy, HostEntropy])
def entropy(request: pytest.FixtureRequest) -> Any:
    return request.param()


@pytest.mark.parametrize("length", [0, 1, 16, 100])
def test_random_bytes_have_the_length_asked_for(entropy: Any, length: int) -> None:
    assert len(entropy.random_bytes(length)) == length


def test_two_random_numbers_differ(entropy: Any) -> None:
    assert entropy.is_ready() and entropy.random_bytes(16) != entropy.random_bytes(16)


def test_a_source_that_is_not_ready_refuses() -> None:
    unseeded = SimEntropy(is_seeded=False)
    assert not unseeded.is_ready()
    with pytest.raises(EntropyError):
        unseeded.random_bytes(1)
