"""The handover of the boot loader, and its image format (interfaces.Boot)."""

from device.boards.checklist.expect import expect, refused
from device.compat import const
from device.errors import ImageFormatError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

_PROBE = const(64)


def the_facts_of_this_start_are_there(port: "Any", bench: "Any") -> None:
    boot = port.boot(port.flash())
    expect(boot.slot in (0, 1), "slot is {}".format(boot.slot))
    expect(len(boot.image_digest) == 32, "image_digest has {} bytes".format(len(boot.image_digest)))
    expect(boot.image_digest != bytes(32), "image_digest is zero: the boot loader hands over none")
    expect(len(boot.version) == 4, "version is {}: major, minor, revision, build".format(boot.version))
    expect(0 <= boot.image_key <= boot.image_key_count, "image_key is {}".format(boot.image_key))
    expect(boot.is_trial in (False, True), "is_trial is {}".format(boot.is_trial))
    expect(boot.is_test_seed in (False, True), "is_test_seed is {}".format(boot.is_test_seed))


def the_chip_has_an_id_of_its_own(port: "Any", bench: "Any") -> None:
    found = port.boot(port.flash()).hardware_id
    expect(len(found) == 16, "hardware_id has {} bytes".format(len(found)))
    expect(found not in (bytes(16), b"\xff" * 16), "hardware_id is blank: every unit would have the same")


def the_image_that_runs_is_read_as_the_boot_loader_reads_it(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    boot = port.boot(flash)
    base = flash.layout.slot_offsets[boot.slot]
    limit = flash.layout.slot_bytes - flash.layout.sector_bytes
    info = boot.parse_image(lambda offset, length: flash.read(base + offset, length), limit)
    expect(info.digest == boot.image_digest, "parse_image() finds another digest than the boot loader")
    expect(
        tuple(info.version) == tuple(boot.version), "parse_image() finds another version than the boot loader"
    )
    expect(
        0 < info.total_bytes <= limit, "the image has {} bytes, more than its slot".format(info.total_bytes)
    )


def what_is_no_image_is_refused(port: "Any", bench: "Any") -> None:
    boot = port.boot(port.flash())
    for what, byte in (("blank flash", b"\xff"), ("zeros", b"\x00")):
        refused(
            ImageFormatError, what, boot.parse_image, lambda offset, length, byte=byte: byte * length, 65536
        )


def an_image_that_is_cut_off_is_refused(port: "Any", bench: "Any") -> None:
    flash = port.flash()
    boot = port.boot(flash)
    base = flash.layout.slot_offsets[boot.slot]

    def read(offset: int, length: int) -> bytes:
        return bytes(flash.read(base + offset, length))

    refused(ImageFormatError, "an image of 64 bytes", boot.parse_image, read, _PROBE)


def a_reset_starts_the_firmware_again_and_says_why(port: "Any", bench: "Any") -> None:
    print("RESTARTS")
    port.boot(port.flash()).reset()


def a_reset_starts_the_firmware_again_and_says_why_after(port: "Any", bench: "Any") -> None:
    reason = port.boot(port.flash()).reset_reason
    expect(reason in (0, 1, 2, 3), "reset_reason is {}, not one of layout.RESET_*".format(reason))


RESTARTS = {
    "a_reset_starts_the_firmware_again_and_says_why": "a_reset_starts_the_firmware_again_and_says_why_after",
}
