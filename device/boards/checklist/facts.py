"""Factory lock and security counter, which only grow. Checks that write them need your word (`--burn`)."""

from device.boards.checklist.expect import AbsentError, expect, refused
from device.compat import const
from device.errors import FlashError
from device.layout import UNIT_COUNTED, UNIT_LOCKED

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any


def _is_locked(flash: "Any") -> bool:
    unit = flash.unit_bytes
    return any([flash.read(at, unit) != b"\xff" * unit for at in flash.layout.lock_offsets])


def _counter(flash: "Any") -> int:
    layout, unit = flash.layout, flash.unit_bytes
    most = int(layout.counter_sectors * layout.sector_bytes // unit)
    for count in range(most):
        if flash.read(layout.counter_offset + count * unit, unit) == b"\xff" * unit:
            return count
    return most


def both_copies_of_the_lock_say_the_same(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    copies = [flash.read(at, flash.unit_bytes) for at in flash.layout.lock_offsets]
    expect(len(copies) == 2, "the layout has {} copies of the lock".format(len(copies)))
    for copy in copies:
        expect(
            copy in (UNIT_LOCKED, b"\xff" * flash.unit_bytes), "a copy of the lock is neither blank nor set"
        )
    expect(copies[0] == copies[1], "one copy of the lock is set, the other is blank")


def the_counter_can_be_read(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    layout, unit = flash.layout, flash.unit_bytes
    for step in range(_counter(flash)):
        found = flash.read(layout.counter_offset + step * unit, unit)
        expect(found == UNIT_COUNTED, "step {} of the counter has other content".format(step))


def _image_counter(port: "Any", flash: "Any") -> int:
    boot = port.boot(flash)
    base = flash.layout.slot_offsets[boot.slot]
    limit = flash.layout.slot_bytes - flash.layout.sector_bytes
    info = boot.parse_image(lambda offset, length: flash.read(base + offset, length), limit)
    return int(info.security_counter)


def the_counter_goes_up_by_one_and_not_back(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    before, layout = _counter(flash), flash.layout
    if _image_counter(port, flash) <= before:  # the boot loader would never start this image again
        raise AbsentError(
            "the counter stays: the running image has no higher one. Sign it with {}".format(before + 1)
        )
    flash.write(layout.counter_offset + before * flash.unit_bytes, UNIT_COUNTED)
    expect(_counter(flash) == before + 1, "the counter is {} after one step".format(_counter(flash)))
    refused(FlashError, "an erase of the counter", flash.erase, layout.counter_offset)
    expect(_counter(flash) == before + 1, "the counter went back")
    print("KEEP", before + 1)


def the_counter_goes_up_by_one_and_not_back_after(port: "Any", bench: "Any") -> None:
    found = _counter(port.flash())
    expect(found == int(bench["kept"]), "the counter is {} after a restart".format(found))


def the_lock_is_set_for_ever(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    if not _is_locked(flash):
        for at in flash.layout.lock_offsets:
            flash.write(at, UNIT_LOCKED)
    for at in flash.layout.lock_offsets:
        refused(FlashError, "an erase of the lock", flash.erase, at)
    expect(_is_locked(flash), "the lock is not set")


def the_lock_is_set_for_ever_after(port: "Any", bench: "Any") -> None:
    expect(_is_locked(port.flash()), "the lock is gone after a restart")


NEEDS = {"the_counter_goes_up_by_one_and_not_back": "burn", "the_lock_is_set_for_ever": "burn"}
RESTARTS = {
    "the_counter_goes_up_by_one_and_not_back": "the_counter_goes_up_by_one_and_not_back_after",
    "the_lock_is_set_for_ever": "the_lock_is_set_for_ever_after",
}
