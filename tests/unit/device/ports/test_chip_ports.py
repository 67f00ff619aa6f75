"""Flash over block devices, as the ESP32 and RP2350 ports use it."""

import pytest

from device.errors import FlashError
from device.ports.blocks import BlockFlash, lay_out
from tests.unit.device.ports.memory_blocks import SECTOR, MemoryBlocks


def block_flash(*sectors: int, page_bytes: int = 32) -> BlockFlash:
    devices = [MemoryBlocks(count, page_bytes) for count in sectors]
    return BlockFlash(lay_out(devices, SECTOR), page_bytes=page_bytes)


@pytest.mark.parametrize("page_bytes", [32, 256])
def test_units_written_one_by_one_into_a_page_all_read_back(page_bytes: int) -> None:
    flash = block_flash(2, page_bytes=page_bytes)
    units = [bytes([number]) * 32 for number in range(16)]
    for number, unit in enumerate(units):
        flash.write(number * 32, unit)
    assert flash.read(0, 512) == b"".join(units)


def test_a_second_region_begins_where_the_first_ends() -> None:
    flash = block_flash(1, 2)
    flash.write(SECTOR, b"b" * 32)
    assert flash.size_bytes == 3 * SECTOR
    assert flash.read(0, SECTOR) == b"\xff" * SECTOR
    assert flash.read(SECTOR, 32) == b"b" * 32


def test_a_unit_that_is_not_blank_is_not_programmed() -> None:
    flash = block_flash(1)
    flash.write(0, b"\xfe" * 32)
    with pytest.raises(FlashError, match="not erased"):
        flash.write(0, b"\xfc" * 32)
    assert flash.read(0, 32) == b"\xfe" * 32


def test_an_erased_sector_is_blank_and_its_neighbour_untouched() -> None:
    flash = block_flash(2)
    flash.write(0, b"a" * 32)
    flash.write(SECTOR, b"b" * 32)
    flash.erase(0)
    assert flash.read(0, 32) == b"\xff" * 32
    assert flash.read(SECTOR, 32) == b"b" * 32


@pytest.mark.parametrize(
    ("offset", "length"), [(-1, 32), (SECTOR - 16, 32), (2 * SECTOR, 1), (0, -1), (0, 2 * SECTOR)]
)
def test_a_read_outside_one_region_is_refused(offset: int, length: int) -> None:
    with pytest.raises(FlashError, match="outside"):
        block_flash(1, 1).read(offset, length)


@pytest.mark.parametrize(("offset", "data"), [(1, b"a" * 32), (0, b"a" * 31), (0, b"")])
def test_a_write_of_anything_but_whole_units_is_refused(offset: int, data: bytes) -> None:
    with pytest.raises(FlashError, match="whole units"):
        block_flash(1).write(offset, data)


def test_a_driver_that_drops_a_write_is_noticed() -> None:
    blocks = MemoryBlocks(1)
    flash = BlockFlash(lay_out([blocks], SECTOR))
    blocks.writeblocks = lambda block, data, offset: None  # type: ignore[method-assign]
    with pytest.raises(FlashError, match="read back"):
        flash.write(0, b"a" * 32)
