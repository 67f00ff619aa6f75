"""Lock and security counter in a chip's fuses, as policy reads and programs them (device/ports/fuses.py)."""

import pytest

from device.errors import FlashError
from device.layout import UNIT_COUNTED, UNIT_LOCKED
from device.ports.slots import FACTS_BYTES, SECTOR_BYTES, SlotFlash
from device.update.slots import BootState
from tests.unit.device.ports.memory_blocks import MemoryBlocks


class Fuses:
    """Fuses of a chip that can count to 16, with a log and faults."""

    counter_max = 16

    def __init__(self) -> None:
        self.locked = False
        self.count = 0
        self.burns: list[str] = []
        self.is_refusing = False  # raises OSError
        self.is_weak = False  # a burn changes nothing

    def is_locked(self) -> bool:
        return self.locked

    def counter(self) -> int:
        if self.is_refusing:
            raise OSError(5)
        return self.count

    def lock(self) -> None:
        self._burn("lock")
        self.locked = self.locked or not self.is_weak

    def raise_counter(self, value: int) -> None:
        self._burn(f"counter {value}")
        self.count = self.count if self.is_weak else value

    def _burn(self, text: str) -> None:
        if self.is_refusing:
            raise OSError(5)
        self.burns.append(text)


@pytest.fixture
def fuses() -> Fuses:
    return Fuses()


@pytest.fixture
def flash(fuses: Fuses) -> SlotFlash:
    devices = [MemoryBlocks(count, 32) for count in (16, 8, 8, 4, 4)]
    return SlotFlash(devices, 0, 32, fuses)


def facts_in_flash(flash: SlotFlash) -> bytes:
    return bytes(flash._regions[0].device.data)


def test_a_lock_is_one_burn_and_both_copies_show_it(flash: SlotFlash, fuses: Fuses) -> None:
    state = BootState(flash, flash.layout)
    assert not state.is_locked()
    state.lock()
    assert state.is_locked() and fuses.burns == ["lock"]
    assert [flash.read(offset, 32) for offset in flash.layout.lock_offsets] == [UNIT_LOCKED] * 2


def test_the_counter_is_what_the_fuses_count(flash: SlotFlash, fuses: Fuses) -> None:
    fuses.count = 3
    assert BootState(flash, flash.layout).security_counter() == 3


def test_each_step_of_the_counter_is_a_burn(flash: SlotFlash, fuses: Fuses) -> None:
    state = BootState(flash, flash.layout)
    fuses.count = 1
    state.raise_security_counter(3)
    assert fuses.burns == ["counter 2", "counter 3"] and state.security_counter() == 3


def test_nothing_of_lock_and_counter_is_written_to_the_flash(flash: SlotFlash) -> None:
    state = BootState(flash, flash.layout)
    state.lock()
    state.raise_security_counter(2)
    assert facts_in_flash(flash) == b"\xff" * FACTS_BYTES


def test_a_counter_past_the_last_fuse_is_refused_without_a_burn(flash: SlotFlash, fuses: Fuses) -> None:
    fuses.count = 16
    with pytest.raises(FlashError, match="exhausted"):
        BootState(flash, flash.layout).raise_security_counter(17)
    assert fuses.burns == []


@pytest.mark.parametrize("offset", [0, 2 * SECTOR_BYTES])
def test_a_burn_that_changed_nothing_is_an_error(flash: SlotFlash, fuses: Fuses, offset: int) -> None:
    fuses.is_weak = True
    with pytest.raises(FlashError, match="read back differs"):
        flash.write(offset, UNIT_LOCKED if offset == 0 else UNIT_COUNTED)


def test_an_error_of_the_chip_is_a_flash_error(flash: SlotFlash, fuses: Fuses) -> None:
    fuses.is_refusing = True
    for action in (lambda: flash.read(0, 32), lambda: flash.write(0, UNIT_LOCKED)):
        with pytest.raises(FlashError):
            action()


@pytest.mark.parametrize(
    ("offset", "data"),
    [
        (0, b"x" * 32),
        (0, UNIT_LOCKED[:16]),
        (32, UNIT_LOCKED),
        (2 * SECTOR_BYTES, UNIT_LOCKED),
        (2 * SECTOR_BYTES + 32, UNIT_COUNTED),
        (2 * SECTOR_BYTES + 1, UNIT_COUNTED),
    ],
)
def test_every_other_write_is_forbidden(flash: SlotFlash, fuses: Fuses, offset: int, data: bytes) -> None:
    with pytest.raises(FlashError, match="forbidden"):
        flash.write(offset, data)
    assert fuses.burns == []


def test_lock_and_counter_are_never_erased(flash: SlotFlash, fuses: Fuses) -> None:
    for sector in range(6):
        with pytest.raises(FlashError, match="forbidden"):
            flash.erase(sector * SECTOR_BYTES)
    flash.erase(6 * SECTOR_BYTES)  # the next fact is in flash


@pytest.mark.parametrize(("offset", "length"), [(5 * SECTOR_BYTES, 2 * SECTOR_BYTES), (0, -1)])
def test_a_read_that_leaves_the_fuses_part_is_refused(flash: SlotFlash, offset: int, length: int) -> None:
    with pytest.raises(FlashError, match="outside"):
        flash.read(offset, length)


def test_a_read_of_part_of_a_unit_gives_that_part(flash: SlotFlash, fuses: Fuses) -> None:
    fuses.locked = True
    assert flash.read(8, 40) == UNIT_LOCKED[8:] + b"\xff" * 16


def test_a_board_without_fuses_keeps_both_in_its_flash() -> None:
    devices = [MemoryBlocks(count, 32) for count in (16, 8, 8, 4, 4)]
    flash = SlotFlash(devices, 0, 32)
    BootState(flash, flash.layout).lock()
    assert facts_in_flash(flash).startswith(UNIT_LOCKED)
