"""The simulator's faults: cuts before, inside and after an operation, snapshots, damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from device.errors import FlashError, StorageError
from device.layout import MPS2
from simulator.ports.flash import AFTER, BEFORE, CUTS, TORN, PowerCut, SimFlash
from simulator.ports.records import device_records

UNIT = MPS2.unit_bytes
SECTOR = MPS2.sector_bytes
DATA = bytes(range(UNIT)) * 8


def cut_write(when: str, seed: int = 0) -> SimFlash:
    flash = SimFlash(seed=seed)
    flash.cut_at(1, when)
    with pytest.raises(PowerCut):
        flash.write(0, DATA)
    flash.power_on()
    return flash


def test_a_cut_before_leaves_nothing() -> None:
    assert cut_write(BEFORE).read(0, len(DATA)) == b"\xff" * len(DATA)


def test_a_cut_after_leaves_everything() -> None:
    assert cut_write(AFTER).read(0, len(DATA)) == DATA


def test_a_torn_write_leaves_whole_units_then_a_damaged_one_then_erased_ones() -> None:
    shapes = set()
    for seed in range(30):
        found = cut_write(TORN, seed).read(0, len(DATA))
        done = 0
        while found[done : done + UNIT] == DATA[done : done + UNIT]:
            done += UNIT
        torn, rest = found[done : done + UNIT], found[done + UNIT :]
        assert all(have & want == want for have, want in zip(torn, DATA[done:], strict=False))
        assert rest == b"\xff" * len(rest)
        shapes.add(done)
    assert len(shapes) > 3


def test_a_torn_erase_leaves_neither_the_old_nor_an_erased_sector() -> None:
    flash = SimFlash()
    flash.write(0, b"\x00" * SECTOR)
    flash.cut_at(1, TORN)
    with pytest.raises(PowerCut):
        flash.erase(0)
    flash.power_on()
    assert flash.read(0, SECTOR) not in (b"\x00" * SECTOR, b"\xff" * SECTOR)


def test_the_same_seed_tears_the_same_way() -> None:
    assert cut_write(TORN, 7).image() == cut_write(TORN, 7).image()


def test_without_power_nothing_answers() -> None:
    flash = SimFlash()
    flash.cut_now()
    for access in (lambda: flash.read(0, 1), lambda: flash.write(0, DATA), lambda: flash.erase(0)):
        with pytest.raises(PowerCut):
            access()


def test_code_that_catches_every_exception_does_not_survive_the_cut() -> None:
    assert not issubclass(PowerCut, Exception)


def test_a_cut_comes_at_the_counted_operation() -> None:
    flash = SimFlash()
    flash.cut_at(3, BEFORE)
    flash.write(0, DATA)
    flash.erase(0)
    with pytest.raises(PowerCut):
        flash.write(0, DATA)


def test_a_refused_operation_is_not_counted() -> None:
    flash = SimFlash()
    with pytest.raises(FlashError):
        flash.write(1, DATA)
    assert flash.operations == 0


@pytest.mark.parametrize(("operation", "when"), [(0, BEFORE), (1, "sometimes")])
def test_a_cut_that_cannot_be_is_refused(operation: int, when: str) -> None:
    with pytest.raises(ValueError, match="no such cut"):
        SimFlash().cut_at(operation, when)


def test_a_snapshot_is_unaffected_by_later_writes_and_brings_everything_back() -> None:
    flash = SimFlash()
    flash.write(0, DATA)
    before = flash.snapshot()
    flash.erase(0)
    flash.write(SECTOR, DATA)
    flash.restore(before)
    assert flash.read(0, len(DATA)) == DATA and flash.read(SECTOR, UNIT) == b"\xff" * UNIT


def test_an_image_goes_to_a_file_of_its_owner_and_comes_back(tmp_path: Path) -> None:
    flash = SimFlash()
    flash.write(5 * SECTOR, DATA)
    path = tmp_path / "nvm.bin"
    flash.save(path)
    assert path.stat().st_mode & 0o777 == 0o600 and path.stat().st_size == MPS2.size_bytes
    other = SimFlash()
    other.load_image(path.read_bytes())
    assert other.snapshot() == flash.snapshot()


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(FlashError):
        SimFlash().load_image(b"\xff" * 100)


def test_a_region_without_a_file_system_is_not_formatted_by_itself() -> None:
    flash = SimFlash()
    with pytest.raises(StorageError):
        device_records(flash).mount()
    assert flash.operations == 0


def test_mounting_writes_nothing() -> None:
    flash = SimFlash()
    records = device_records(flash)
    records.format()
    records.write("identity", b"x")
    before = flash.operations
    device_records(flash).mount()
    assert flash.operations == before


def test_erasing_a_region_leaves_no_byte_of_it() -> None:
    flash = SimFlash()
    records = device_records(flash)
    records.format()
    records.write("identity", b"canary")
    records.delete("identity")
    assert b"canary" in flash.image()
    records.erase_all()
    assert flash.snapshot() == {}


@pytest.mark.parametrize("when", CUTS)
def test_a_cut_inside_littlefs_is_raised_and_not_lost(when: str) -> None:
    flash = SimFlash()
    records = device_records(flash)
    records.format()
    flash.cut_at(1, when)
    with pytest.raises(PowerCut):
        records.write("identity", b"x")


def test_a_failing_chip_is_a_flash_error_and_not_a_silent_success() -> None:
    flash = SimFlash()
    records = device_records(flash)
    records.format()

    def broken(offset: int, data: bytes) -> None:
        raise FlashError(reason="verify", offset=offset)

    flash.write = broken  # type: ignore[method-assign]
    with pytest.raises(FlashError):
        records.write("identity", b"x")
