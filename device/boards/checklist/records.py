"""Settings and other records (interfaces.Records). The checks leave no record; they format what does not mount."""

from device.boards.checklist.expect import expect, refused
from device.compat import const
from device.errors import StorageError, StorageFullError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

_NAME = "porting"
_WRONG_NAMES = ("", "UPPER", "a/b", "..\x00", "a" * 33, "sp ace", "key.new")


def _records(port: "Any", region: str = "user") -> "Any":
    regions = port.regions(port.flash())
    try:
        records = regions.mount(region)
    except StorageError:
        records = regions.format(region)
    for name in list(records.names()):
        if name.startswith(_NAME):
            records.delete(name)
    return records


def both_regions_mount_or_can_be_formatted(port: "Any", bench: "Any") -> None:
    for region in ("device", "user"):
        records = _records(port, region)
        expect(records.read(_NAME) is None, "an absent record is not None in the region " + region)


def a_record_is_replaced_as_a_whole(port: "Any", bench: "Any") -> None:
    records = _records(port)
    records.write(_NAME, b"long" * 500)
    records.write(_NAME, b"short")
    expect(records.read(_NAME) == b"short", "a record has other content than was written last")
    records.delete(_NAME)


def an_empty_record_is_there(port: "Any", bench: "Any") -> None:
    records = _records(port)
    records.write(_NAME, b"")
    expect(records.read(_NAME) == b"", "an empty record does not read as empty bytes")
    expect(_NAME in list(records.names()), "names() leaves an empty record out")
    records.delete(_NAME)


def a_deleted_record_is_absent_and_may_be_deleted_again(port: "Any", bench: "Any") -> None:
    records = _records(port)
    records.write(_NAME, b"x")
    records.delete(_NAME)
    records.delete(_NAME)
    expect(records.read(_NAME) is None, "a deleted record can still be read")
    expect(_NAME not in list(records.names()), "names() still has a deleted record")


def a_name_outside_the_alphabet_is_refused(port: "Any", bench: "Any") -> None:
    records = _records(port)
    for name in _WRONG_NAMES:
        refused(StorageError, "a read of the name " + repr(name), records.read, name)
        refused(StorageError, "a delete of the name " + repr(name), records.delete, name)
        refused(StorageError, "a write of the name " + repr(name), records.write, name, b"")


def a_full_region_refuses_and_keeps_what_it_has(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    records = _records(port)
    records.write(_NAME, b"kept")
    pieces = flash.layout.user_bytes // 8192 + 1
    written = 0
    try:
        for at in range(pieces):
            records.write(_NAME + "." + str(at), bytes(8192))
            written = at + 1
    except StorageFullError:
        pass
    expect(written < pieces, "the region takes more bytes than it has")
    expect(records.read(_NAME) == b"kept", "a record is lost when the region is full")
    for at in range(pieces):
        records.delete(_NAME + "." + str(at))
    records.write(_NAME, b"fits")
    records.delete(_NAME)


def a_record_survives_a_restart(port: "Any", bench: "Any") -> None:
    _records(port).write(_NAME, b"kept")


def a_record_survives_a_restart_after(port: "Any", bench: "Any") -> None:
    records = port.regions(port.flash()).mount("user")
    expect(records.read(_NAME) == b"kept", "the record is gone after a restart")
    records.delete(_NAME)


RESTARTS = {"a_record_survives_a_restart": "a_record_survives_a_restart_after"}
