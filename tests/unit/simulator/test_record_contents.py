"""Records that are read once for the same bytes: the same answers as the unit's own file system gives."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from device.errors import StorageError
from simulator.ports import record_contents
from simulator.ports.flash import PowerCut, SimFlash
from simulator.ports.records import device_records


@pytest.fixture(params=[True, False], ids=["shared", "plain"], autouse=True)
def sharing(request: pytest.FixtureRequest) -> Iterator[None]:
    record_contents.set_shared(request.param)
    yield
    record_contents.set_shared(True)


def prepared() -> SimFlash:
    flash = SimFlash()
    records = device_records(flash)
    records.format()
    for size in (0, 1, 100, 1000, 5000):
        records.write(f"r{size}", bytes((size % 251,)) * size)
    return flash


def test_every_record_reads_as_it_was_written() -> None:
    records = device_records(prepared())
    records.mount()
    assert {name: len(records.read(name) or b"") for name in records.names()} == {
        "r0": 0, "r1": 1, "r100": 100, "r1000": 1000, "r5000": 5000,
    }  # fmt: skip
    assert records.read("absent") is None


def test_a_write_is_seen_at_once_and_by_another_mount() -> None:
    flash = prepared()
    records, other = device_records(flash), device_records(flash)
    records.mount()
    assert records.read("r1") == b"\x01"
    records.write("r1", b"new")
    other.mount()
    assert records.read("r1") == other.read("r1") == b"new"
    records.delete("r1")
    assert records.read("r1") is None


def test_two_units_with_the_same_bytes_do_not_share_what_one_writes() -> None:
    first = prepared()
    second = SimFlash()
    second.restore(first.snapshot())
    one, other = device_records(first), device_records(second)
    one.mount()
    other.mount()
    one.write("r1", b"one")
    assert other.read("r1") == b"\x01"


def test_a_region_without_a_file_system_does_not_mount() -> None:
    with pytest.raises(StorageError):
        device_records(SimFlash()).mount()


def test_no_power_no_answer() -> None:
    flash = prepared()
    records = device_records(flash)
    records.mount()
    assert records.read("r1") == b"\x01"
    flash.cut_now()
    with pytest.raises(PowerCut):
        records.read("r1")
    with pytest.raises(PowerCut):
        device_records(flash).mount()
