"""RP2350 (Pico 2, Pico 2 W): the ports on MicroPython 1.25 with the C module `_fbrp2`. NOT YET RUN ON HARDWARE.

How the ports use the chip (docs/how-to/rp2350.md has what was checked; the module: device/boards/rp2350/mod_fbrp2.c):
1. Slots, boot facts and both littlefs regions are the five partitions of the boot ROM's table (partitions.json).
2. The boot ROM starts an image that is marked "try before you buy" once, under its own watchdog, and only `buy` makes
   it stay. An image that it refuses is not started: the old one starts in its place, and marks the slot as tried.
3. With `fuses` (rp2_otp.py) lock and security counter are in OTP: a product needs that, with secure boot for its
   images. Without them they are in plain flash.
4. slots.py states the order of the boot ROM's record and the trailer marks.
"""

import time

import _fbrp2
import machine

from device.codec.rp2350_image import parse_rp2350_image
from device.compat import const
from device.errors import EntropyError, FlashError, ImageFormatError, LinkError
from device.layout import RESET_EXTERNAL, RESET_POWER_ON, RESET_WATCHDOG
from device.ports.rtc import RtcClock
from device.ports.slots import SECTOR_BYTES, SlotBoot, SlotFlash
from device.ports.sockets import SocketNetwork

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn, Sequence

    from device.codec.rp2350_image import Rp2350Image

SLOT_0, SLOT_1, FACTS, DEVICE, USER = 0, 1, 2, 3, 4  # partitions, by number
COUNTER_ROWS = (0x04E, 0x051)  # OTP rows of the rollback version, as rp2_otp.py
PAGE_BYTES = 256  # the flash chip programs whole pages; see blocks.py rule 3
WATCHDOG_MS = 8000  # the chip's longest is 8388 ms
_NO_ADDRESS = "0.0.0.0"  # noqa: S104  compared, never bound


def partition(number: int) -> "Any":
    """Return a partition as a block device. Raises FlashError: no table, or not this firmware's (rule 1)."""
    try:
        return _fbrp2.flash(number)
    except OSError:
        raise FlashError(reason="no partition " + str(number), offset=0) from None


def record_devices() -> "dict[str, Any]":
    """Return the block devices of the littlefs regions, as littlefs.Regions takes them. Raises FlashError."""
    return {"device": partition(DEVICE), "user": partition(USER)}


def _running_slot() -> int:
    try:
        return int(_fbrp2.slot())
    except OSError:
        raise FlashError(reason="the image is in no slot", offset=0) from None


class Rp2Flash(SlotFlash):
    """interfaces.Flash over the five partitions. Raises FlashError if one is missing or has a wrong size.

    `fuses`: lock and counter in OTP (rp2_otp.py).
    """

    def __init__(self, fuses: "Any" = None) -> None:
        devices = [partition(number) for number in (FACTS, SLOT_0, SLOT_1, DEVICE, USER)]
        super().__init__(devices, _running_slot(), PAGE_BYTES, fuses)

    def confirm_to_boot_loader(self) -> None:
        """Confirm the running image to the boot ROM ("explicit buy"), if it is on trial. Raises OSError if refused.

        The boot ROM raises the rollback version here, and may restart the chip to do it: the confirm is then repeated.
        """
        if _fbrp2.is_trial():
            _fbrp2.buy()


class Rp2Boot(SlotBoot):
    """interfaces.Boot. `start()` reads the running image once, asks the boot ROM how it started, arms the watchdog.

    The chip only distinguishes a watchdog reset from any other. `reset()` also goes through the watchdog, so a
    software reset reads as RESET_WATCHDOG here.
    """

    def __init__(self, flash: "Rp2Flash", button_pin: int) -> None:
        super().__init__(flash)
        self._button_pin = button_pin

    def start(self) -> None:
        """Read which slot runs and why. Raises FlashError, ImageFormatError (the slot has no signed image)."""
        base = self._flash.layout.slot_offsets[self.slot]
        limit = self._flash.layout.slot_bytes - SECTOR_BYTES
        info = parse_rp2350_image(lambda offset, length: self._flash.read(base + offset, length), limit, True)
        self.image_digest, self.version = info.digest, info.version
        try:
            self.is_trial = bool(_fbrp2.is_trial())
            is_refused = bool(_fbrp2.is_refused())
            self.hardware_id = (_fbrp2.unique_id() + bytes(16))[:16]
        except OSError:
            raise FlashError(reason="the boot ROM says nothing", offset=0) from None
        if self.is_trial:
            self._flash.mark_tried(self.slot)
        elif is_refused:
            self._flash.mark_tried(1 - self.slot)
        self.reset_reason = {
            machine.PWRON_RESET: RESET_POWER_ON,
            machine.WDT_RESET: RESET_WATCHDOG,
        }.get(machine.reset_cause(), RESET_EXTERNAL)
        self._button = machine.Pin(self._button_pin, machine.Pin.IN, machine.Pin.PULL_UP)
        self.is_button_held = self._is_held_long(time)
        self._watchdog = machine.WDT(timeout=WATCHDOG_MS)

    def parse_image(self, read: "Callable[[int, int], bytes]", limit: int) -> "Rp2350Image":
        """Return the facts of an image with the boot ROM's blocks. Raises ImageFormatError.

        Its rollback version must be the one of the rows that this firmware reads as its security counter.
        """
        info = parse_rp2350_image(read, limit)
        if info.rows != COUNTER_ROWS:
            raise ImageFormatError(reason="rollback rows")
        return info

    def reset(self) -> "NoReturn":
        """Restart. A slot that is staged and not tried starts once, if the boot ROM accepts its image."""
        self._flash.start_staged(_fbrp2.reboot_into)
        machine.reset()


class Rp2Entropy:
    """interfaces.Entropy on the RP2350's TRNG.

    os.urandom is not used: on this port of MicroPython it samples the ring oscillator, which is not fit for keys.
    """

    def is_ready(self) -> bool:
        """Return whether random numbers are available: whether the generator passes its tests now."""
        try:
            _fbrp2.random(1)
        except OSError:
            return False
        return True

    def random_bytes(self, length: int) -> bytes:
        """Return `length` random bytes. Raises EntropyError if the generator fails its own tests."""
        try:
            data: bytes = _fbrp2.random(length)
        except OSError:
            raise EntropyError(reason="generator failed") from None
        return data


class Rp2Clock(RtcClock):
    """interfaces.Clock on the RTC. Without trusted time Mbed TLS checks no dates (rp2350.c, rule 4)."""

    def __init__(self) -> None:
        super().__init__(0)

    def set_trusted_time(self, unix_s: "int | None") -> None:
        """Set the RTC to `unix_s` (Unix seconds) and check dates from now on; None checks none."""
        if unix_s is not None:
            super().set_trusted_time(unix_s)
        _fbrp2.check_dates(unix_s is not None)


class Rp2Network(SocketNetwork):
    """interfaces.Network on an interface of MicroPython's module `network`; None is a unit without a network."""

    def __init__(self, interface: "Any" = None) -> None:
        super().__init__()
        self._interface = interface

    def require_up(self) -> None:
        """Raise LinkError without an interface, or while it is off."""
        if self._interface is None or not self._interface.active():
            raise LinkError(reason="no network")

    def addresses(self) -> "Sequence[str]":
        """Return the unit's IPv4 address; nothing before the network gave one."""
        address: str = _NO_ADDRESS if self._interface is None else self._interface.ifconfig()[0]
        return () if address == _NO_ADDRESS else (address,)
