"""Flash and the two slots (interfaces.Flash). The checks write to the slot that does not run."""

from device.boards.checklist.expect import expect, refused
from device.compat import const
from device.errors import FlashError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any


def _scratch(flash: "Any") -> int:
    """Return the offset of two sectors before the trailer of the slot that does not run."""
    layout = flash.layout
    other = 1 - getattr(flash, "running_slot", 0)
    return int(layout.slot_offsets[other] + layout.slot_bytes - 3 * layout.sector_bytes)


def _blank(flash: "Any") -> int:
    at = _scratch(flash)
    flash.erase(at)
    flash.erase(at + flash.sector_bytes)
    return at


def the_layout_has_two_equal_slots_inside_the_flash(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    layout = flash.layout
    expect(len(layout.slot_offsets) == 2, "the layout has {} slots".format(len(layout.slot_offsets)))
    regions = sorted(
        [(at, layout.slot_bytes) for at in layout.slot_offsets]
        + [(layout.device_offset, layout.device_bytes), (layout.user_offset, layout.user_bytes)]
        + [(at, layout.set_bytes) for at in layout.set_offsets]
        + [(at, layout.sector_bytes) for at in layout.lock_offsets]
        + [(layout.counter_offset, layout.counter_sectors * layout.sector_bytes)]
        + [(layout.revocation_offset, layout.sector_bytes)]
    )
    end = 0
    for at, size in regions:
        expect(at >= end, "two regions of the layout overlap at {}".format(at))
        expect(
            at % layout.sector_bytes == 0, "a region of the layout begins inside a sector, at {}".format(at)
        )
        end = at + size
    expect(end <= flash.size_bytes, "the layout ends at {}, behind the flash".format(end))
    same = (layout.size_bytes, layout.sector_bytes, layout.unit_bytes)
    own = (flash.size_bytes, flash.sector_bytes, flash.unit_bytes)
    expect(same == own, "layout and flash have other sizes: {} and {}".format(same, own))


def an_erased_sector_reads_as_ones(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    at = _blank(flash)
    for offset in range(0, 2 * flash.sector_bytes, 512):
        expect(flash.read(at + offset, 512) == b"\xff" * 512, "an erased sector has other bytes than 0xFF")


def what_was_written_is_read_back(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    at = _blank(flash)
    data = bytes(range(flash.unit_bytes)) * 4
    flash.write(at + flash.sector_bytes - 2 * flash.unit_bytes, data)  # across the border of two sectors
    read = flash.read(at + flash.sector_bytes - 2 * flash.unit_bytes, len(data))
    expect(bytes(read) == data, "other bytes are read than were written")


def a_unit_is_written_once_between_two_erases(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    at = _blank(flash)
    flash.write(at, b"a" * flash.unit_bytes)
    refused(FlashError, "a second write of the same unit", flash.write, at, b"a" * flash.unit_bytes)
    flash.erase(at)
    flash.write(at, b"b" * flash.unit_bytes)


def an_erase_takes_exactly_one_sector(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    at, unit = _blank(flash), flash.unit_bytes
    flash.write(at + flash.sector_bytes - unit, b"a" * 2 * unit)
    flash.erase(at)
    expect(flash.read(at + flash.sector_bytes - unit, unit) == b"\xff" * unit, "the sector still has data")
    expect(flash.read(at + flash.sector_bytes, unit) == b"a" * unit, "the next sector lost its data")
    flash.erase(at + flash.sector_bytes)


def a_write_that_is_unaligned_empty_or_outside_is_refused(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    at, unit = _blank(flash), flash.unit_bytes
    wrong = ((at + 1, unit), (at, unit - 1), (at, 0), (flash.size_bytes, unit), (-unit, unit))
    for offset, length in wrong:
        what = "a write of {} bytes at {}".format(length, offset)
        refused(FlashError, what, flash.write, offset, b"a" * length)
    expect(flash.read(at, 2 * unit) == b"\xff" * 2 * unit, "a refused write changed the flash")


def an_erase_that_is_unaligned_or_outside_is_refused(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    at = _scratch(flash)
    for offset in (at + 1, at + flash.unit_bytes, -flash.sector_bytes, flash.size_bytes):
        refused(FlashError, "an erase at {}".format(offset), flash.erase, offset)


def a_read_outside_is_refused(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    for offset, length in ((-1, 1), (0, -1), (flash.size_bytes, 1), (flash.size_bytes - 1, 2)):
        refused(FlashError, "a read of {} bytes at {}".format(length, offset), flash.read, offset, length)


def what_was_written_survives_a_restart(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    flash.write(_blank(flash), b"k" * flash.unit_bytes)


def what_was_written_survives_a_restart_after(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    at = _scratch(flash)
    expect(flash.read(at, flash.unit_bytes) == b"k" * flash.unit_bytes, "the data is gone after a restart")
    flash.erase(at)


RESTARTS = {"what_was_written_survives_a_restart": "what_was_written_survives_a_restart_after"}
