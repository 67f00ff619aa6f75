"""RP2350 (Pico 2 W): the ports on MicroPython 1.25. NOT YET RUN ON HARDWARE.

How the ports use the chip (docs/porting.md has the whole list, and the gaps):
1. Slots are two A/B partitions of the RP2350's partition table. Its boot ROM starts an image that is marked "try
   before you buy" once, under its own watchdog, and only `buy` makes it stay. Stock MicroPython reaches neither the
   partitions that hold code nor these ROM calls, so a product's build brings the C module `_fbrp2`:
       slot() -> 0 or 1                      the running slot
       is_trial() -> bool                    not bought yet
       image() -> (digest 32 bytes, (major, minor, 0, build)), as device/codec/rp2350_image.py reads them
       flash(slot) -> block device           the slot as a whole, 4096-byte blocks, 256-byte pages
       buy()                                 OSError when the boot ROM refuses
       reboot_into(slot)                     does not return; OSError when the boot ROM refuses the image
       random(n) -> bytes                    from the chip's TRNG through a DRBG; OSError when it fails its tests
   Without the module, importing this file fails. slots.py states the order of the
   boot ROM's record and the trailer marks.
2. Boot facts and both littlefs regions lie in the storage part of the flash, which `rp2.Flash` gives.
3. On a product, lock, security counter and revocation belong in OTP (rows that only go from 0 to 1); here they are
   in plain flash. Signed boot is the chip's own: a key hash in OTP, image signatures by picotool.
"""

import _fbrp2
import machine
import rp2

from device.codec.rp2350_image import parse_rp2350_image
from device.compat import const
from device.errors import EntropyError, FlashError
from device.layout import RESET_EXTERNAL, RESET_POWER_ON, RESET_WATCHDOG
from device.ports.slots import FACTS_BYTES, SECTOR_BYTES, SlotBoot, SlotFlash

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn

    from device.codec.rp2350_image import Rp2350Image

PAGE_BYTES = 256  # the flash chip programs whole pages; see blocks.py rule 3
DEVICE_BYTES = 64 * SECTOR_BYTES
USER_BYTES = 64 * SECTOR_BYTES
WATCHDOG_MS = 8000  # the chip's longest is 8388 ms


def storage_devices() -> "tuple[Any, Any, Any]":
    """Return the block devices of boot facts, `device` region and `user` region.

    Raises FlashError if the build's storage part is smaller than the three together.
    """
    try:
        facts = rp2.Flash(start=0, len=FACTS_BYTES)  # type: ignore[call-arg]  # the stub knows no arguments
        device = rp2.Flash(start=FACTS_BYTES, len=DEVICE_BYTES)  # type: ignore[call-arg]
        user = rp2.Flash(start=FACTS_BYTES + DEVICE_BYTES, len=USER_BYTES)  # type: ignore[call-arg]
    except ValueError:
        raise FlashError(reason="storage too small", offset=0) from None
    return facts, device, user


class Rp2Flash(SlotFlash):
    """interfaces.Flash over boot facts, both slots, `device` and `user`. Raises FlashError if their sizes are wrong."""

    def __init__(self) -> None:
        facts, device, user = storage_devices()
        devices = (facts, _fbrp2.flash(0), _fbrp2.flash(1), device, user)
        super().__init__(devices, _fbrp2.slot(), PAGE_BYTES)

    def confirm_to_boot_loader(self) -> None:
        """Confirm the running image to the boot ROM ("explicit buy"), if it is on trial. Raises OSError if refused."""
        if _fbrp2.is_trial():
            _fbrp2.buy()


class Rp2Boot(SlotBoot):
    """interfaces.Boot. `start()` asks the boot ROM what runs, and starts the watchdog.

    The chip only distinguishes a watchdog reset from any other. `reset()` also goes through the watchdog, so a
    software reset reads as RESET_WATCHDOG here.
    """

    def start(self) -> None:
        """Read which slot runs and why. Raises FlashError."""
        self.image_digest, self.version = _fbrp2.image()
        self.is_trial = _fbrp2.is_trial()
        if self.is_trial:
            self._flash.mark_tried(self.slot)
        self.reset_reason = {
            machine.PWRON_RESET: RESET_POWER_ON,
            machine.WDT_RESET: RESET_WATCHDOG,
        }.get(machine.reset_cause(), RESET_EXTERNAL)
        self.hardware_id = (machine.unique_id() + bytes(16))[:16]
        self.is_button_held = rp2.bootsel_button() == 1
        self._watchdog = machine.WDT(timeout=WATCHDOG_MS)

    def parse_image(self, read: "Callable[[int, int], bytes]", limit: int) -> "Rp2350Image":
        """Return the facts of an image with the boot ROM's blocks. Raises ImageFormatError."""
        return parse_rp2350_image(read, limit)

    def is_button_pressed(self) -> bool:
        """False: BOOTSEL cannot be read while code runs from the flash."""
        return False

    def reset(self) -> "NoReturn":
        """Restart. A slot that is staged and not tried starts once, if the boot ROM accepts its image."""
        self._flash.start_staged(_fbrp2.reboot_into)
        machine.reset()


class Rp2Entropy:
    """interfaces.Entropy on the RP2350's TRNG.

    os.urandom is not used: on this port of MicroPython it samples the ring oscillator, which is not fit for keys.
    """

    def is_ready(self) -> bool:
        """Return whether random numbers are available: always, on this chip."""
        return True

    def random_bytes(self, length: int) -> bytes:
        """Return `length` random bytes. Raises EntropyError if the generator fails its own tests."""
        try:
            data: bytes = _fbrp2.random(length)
        except OSError:
            raise EntropyError(reason="generator failed") from None
        return data
