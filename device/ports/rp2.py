"""RP2350 (Pico 2 W): the ports on MicroPython 1.25. NOT YET RUN ON HARDWARE.

What the chip maps to (docs/porting.md has the whole list and what is missing):
1. Slots are two A/B partitions of the RP2350's partition table. Its boot ROM starts an image that is marked "try
   before you buy" once, under its own watchdog, and only `buy` makes it stay. Stock MicroPython reaches neither the
   partitions that hold code nor these ROM calls, so a product's build brings the C module `_fbrp2`:
       slot() -> 0 or 1                      the slot that runs
       is_trial() -> bool                    not bought yet
       image() -> (digest 32 bytes, (major, minor, revision, build))
       flash(slot) -> block device           the slot as a whole, 4096-byte blocks, 256-byte pages
       buy()                                 OSError when the boot ROM refuses
       reboot_into(slot)                     does not return; OSError when the boot ROM refuses the image
       random(n) -> bytes                    from the chip's TRNG through a DRBG; OSError when it fails its tests
   Nothing here guesses what it would say: without the module, importing this file fails.
2. Boot facts and both littlefs regions lie in the storage part of the flash, which `rp2.Flash` gives.
3. Lock, security counter and revocation belong in OTP (rows that only go from 0 to 1) on a product; here they lie
   in plain flash. Signed boot is the chip's own: a key hash in OTP, image signatures by picotool.
4. A confirm is first told to the boot ROM, then marked; a stage is first marked, then told at the reset.
"""

import _fbrp2
import machine
import rp2

from device.compat import const
from device.errors import EntropyError, FlashError
from device.layout import (
    CONFIRMED_PREFIX,
    MARK_CONFIRMED,
    MARK_STAGED,
    MARK_TRIED,
    RESET_EXTERNAL,
    RESET_POWER_ON,
    RESET_WATCHDOG,
    UNIT_STAGED,
    UNIT_TRIED,
    NvmLayout,
)
from device.ports.blocks import BlockFlash, lay_out

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, NoReturn

SECTOR_BYTES = 4096
UNIT_BYTES = 32
PAGE_BYTES = 256  # the flash chip programs whole pages; see blocks.py rule 3
FACTS_BYTES = 16 * SECTOR_BYTES
DEVICE_BYTES = 64 * SECTOR_BYTES
USER_BYTES = 64 * SECTOR_BYTES
WATCHDOG_MS = 8000  # the chip's longest is 8388 ms


def storage_devices() -> "tuple[Any, Any, Any]":
    """Give the block devices of boot facts, `device` region and `user` region.

    Raises FlashError when the build's storage part is smaller than the three together.
    """
    try:
        facts = rp2.Flash(start=0, len=FACTS_BYTES)  # type: ignore[call-arg]  # the stub knows no arguments
        device = rp2.Flash(start=FACTS_BYTES, len=DEVICE_BYTES)  # type: ignore[call-arg]
        user = rp2.Flash(start=FACTS_BYTES + DEVICE_BYTES, len=USER_BYTES)  # type: ignore[call-arg]
    except ValueError:
        raise FlashError(reason="storage too small", offset=0) from None
    return facts, device, user


class Rp2Flash(BlockFlash):
    """interfaces.Flash: facts, slot 0, slot 1, `device`, `user`; a confirm is told to the boot ROM first."""

    def __init__(self) -> None:
        facts, device, user = storage_devices()
        regions = lay_out((facts, _fbrp2.flash(0), _fbrp2.flash(1), device, user), SECTOR_BYTES)
        super().__init__(regions, sector_bytes=SECTOR_BYTES, unit_bytes=UNIT_BYTES, page_bytes=PAGE_BYTES)
        if regions[1].size_bytes != regions[2].size_bytes:
            raise FlashError(reason="slots differ in size", offset=regions[1].offset)
        self.layout = NvmLayout(
            size_bytes=self.size_bytes,
            sector_bytes=SECTOR_BYTES,
            unit_bytes=UNIT_BYTES,
            lock_offsets=(0, SECTOR_BYTES),
            counter_offset=2 * SECTOR_BYTES,
            counter_sectors=4,
            revocation_offset=6 * SECTOR_BYTES,
            entropy_offset=7 * SECTOR_BYTES,
            slot_offsets=(regions[1].offset, regions[2].offset),
            slot_bytes=regions[1].size_bytes,
            device_offset=regions[3].offset,
            device_bytes=DEVICE_BYTES,
            user_offset=regions[4].offset,
            user_bytes=USER_BYTES,
            set_offsets=(),  # no application sets on this board yet
            set_bytes=0,
        )
        self.running_slot: int = _fbrp2.slot()

    def trailer(self, slot: int) -> int:
        """Offset of the trailer sector of `slot`."""
        end: int = self.layout.slot_offsets[slot] + self.layout.slot_bytes
        return end - SECTOR_BYTES

    def write(self, offset: int, data: bytes) -> None:
        """As BlockFlash.write; FlashError also when the boot ROM does not take the confirm."""
        if offset == self.trailer(self.running_slot) + MARK_CONFIRMED and data.startswith(CONFIRMED_PREFIX):
            try:
                if _fbrp2.is_trial():
                    _fbrp2.buy()
            except OSError:
                raise FlashError(reason="boot ROM refused the confirm", offset=offset) from None
        super().write(offset, data)


class Rp2Boot:
    """interfaces.Boot. `start()` asks the boot ROM what runs; the watchdog starts with it.

    The chip tells a watchdog reset from any other and nothing more; a reset of our own goes through the watchdog
    too, so a software reset reads as RESET_WATCHDOG here.
    """

    def __init__(self, flash: "Rp2Flash") -> None:
        self._flash = flash
        self._watchdog: "Any" = None
        self.slot = flash.running_slot
        self.image_digest = bytes(32)
        self.image_key = self.image_key_count = 0  # eFuses or OTP revoke image keys, not the firmware
        self.version = (0, 0, 0, 0)
        self.is_trial = False
        self.reset_reason = RESET_EXTERNAL
        self.hardware_id = bytes(16)
        self.is_button_held = False
        self.is_test_seed = False

    def start(self) -> None:
        """Learn what runs and why. Raises FlashError."""
        self.image_digest, self.version = _fbrp2.image()
        trailer = self._flash.trailer(self.slot)
        self.is_trial = _fbrp2.is_trial()
        if self.is_trial and self._flash.read(trailer + MARK_TRIED, UNIT_BYTES) == b"\xff" * UNIT_BYTES:
            self._flash.write(trailer + MARK_TRIED, UNIT_TRIED)
        self.reset_reason = {
            machine.PWRON_RESET: RESET_POWER_ON,
            machine.WDT_RESET: RESET_WATCHDOG,
        }.get(machine.reset_cause(), RESET_EXTERNAL)
        self.hardware_id = (machine.unique_id() + bytes(16))[:16]
        self.is_button_held = rp2.bootsel_button() == 1
        self._watchdog = machine.WDT(timeout=WATCHDOG_MS)

    def is_button_pressed(self) -> bool:
        """False: BOOTSEL cannot be read while code runs from the flash."""
        return False

    def reset(self) -> "NoReturn":
        """Restart; a slot that is staged and not tried starts, once, when the boot ROM accepts its image."""
        other = 1 - self.slot
        trailer = self._flash.trailer(other)
        is_staged = self._flash.read(trailer + MARK_STAGED, UNIT_BYTES) == UNIT_STAGED
        if is_staged and self._flash.read(trailer + MARK_TRIED, UNIT_BYTES) == b"\xff" * UNIT_BYTES:
            try:
                _fbrp2.reboot_into(other)
            except OSError:
                # Refused images count as tried: the release failed, and the running one goes on.
                self._flash.write(trailer + MARK_TRIED, UNIT_TRIED)
        machine.reset()

    def watchdog_feed(self) -> None:
        """Feed the watchdog that `start()` armed."""
        self._watchdog.feed()


class Rp2Entropy:
    """interfaces.Entropy on the RP2350's TRNG.

    Not os.urandom: on this port of MicroPython it samples the ring oscillator, which is no source for keys.
    """

    def is_ready(self) -> bool:
        return True

    def random_bytes(self, length: int) -> bytes:
        """Give `length` random bytes. Raises EntropyError when the generator fails its own tests."""
        try:
            data: bytes = _fbrp2.random(length)
        except OSError:
            raise EntropyError(reason="generator failed") from None
        return data
