"""ESP32 family: the ports on stock MicroPython 1.25 with OTA partitions. NOT YET RUN ON HARDWARE.

How the ports use the chip (docs/porting.md has the whole list, and the gaps):
1. Slots are the app partitions ota_0 and ota_1. ESP-IDF's boot loader starts a slot that `set_boot` named once. It
   falls back to the other one unless `mark_app_valid_cancel_rollback` was called: the same promise as the boot ROM
   of the emulated board, kept in `otadata`. slots.py states the order of its record and the trailer marks.
2. Lock and security counter lie in the data partition fb_facts, in plain flash. With `fuses` (esp32_fuses.py, the C
   module `_fbesp`) they are in eFuses: a product needs that, with secure boot v2 for its images.
3. The partition table names ota_0, ota_1, fb_facts (16 sectors), fb_device and fb_user. The flash writes 32 bytes
   at once, as flash encryption needs.
"""

import os
import time

import esp32
import machine

from device.codec.esp_image import parse_esp_image
from device.compat import const
from device.errors import EntropyError, FlashError, ImageFormatError
from device.layout import RESET_EXTERNAL, RESET_POWER_ON, RESET_SOFTWARE, RESET_WATCHDOG
from device.ports.slots import SECTOR_BYTES, UNIT_BYTES, SlotBoot, SlotFlash

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn

    from device.codec.esp_image import EspImage

FACTS, SLOT_0, SLOT_1, DEVICE, USER = "fb_facts", "ota_0", "ota_1", "fb_device", "fb_user"
WATCHDOG_MS = 10000


def find_partition(label: str) -> "Any":
    """Return the partition called `label`. Raises FlashError if the table does not name it."""
    for kind in (esp32.Partition.TYPE_APP, esp32.Partition.TYPE_DATA):
        found = esp32.Partition.find(kind, 0xFF, label=label)
        if found:
            return found[0]
    raise FlashError(reason="no partition " + label, offset=0)


class Esp32Flash(SlotFlash):
    """interfaces.Flash over the five partitions. Raises FlashError if one is missing or has a wrong size.

    `fuses`: lock and counter in eFuses (fuses.py). `encrypted`: makes a block device of an encrypted partition, None
    without flash encryption. The boot facts stay plain: they are marks and no secrets.
    """

    def __init__(self, fuses: "Any" = None, encrypted: "Callable[[Any], Any] | None" = None) -> None:
        running = esp32.Partition(esp32.Partition.RUNNING)  # type: ignore[arg-type]  # the stub knows labels only
        devices = [find_partition(name) for name in (FACTS, SLOT_0, SLOT_1, DEVICE, USER)]
        if encrypted is not None:
            devices = devices[:1] + [encrypted(device) for device in devices[1:]]
        super().__init__(devices, 1 if running.info()[4] == SLOT_1 else 0, UNIT_BYTES, fuses)
        self.counter_max: "int | None" = None if fuses is None else fuses.counter_max

    def confirm_to_boot_loader(self) -> None:
        """End the boot loader's rollback. Raises OSError if it refuses."""
        esp32.Partition.mark_app_valid_cancel_rollback()


class Esp32Boot(SlotBoot):
    """interfaces.Boot. `start()` reads the running image once; the watchdog starts with it.

    `is_signed`: the board has secure boot v2, so an image without signature blocks is refused.
    """

    _flash: "Esp32Flash"

    def __init__(self, flash: "Esp32Flash", button_pin: int = 0, is_signed: bool = False) -> None:
        super().__init__(flash)
        self._button_pin = button_pin
        self._is_signed = is_signed
        self._chip: "int | None" = None

    def start(self) -> None:
        """Read which slot runs and why. Raises FlashError, ImageFormatError (the slot has no ESP image)."""
        base = self._flash.layout.slot_offsets[self.slot]
        limit = self._flash.layout.slot_bytes - SECTOR_BYTES
        info = self.parse_image(lambda offset, length: self._flash.read(base + offset, length), limit)
        self._chip = info.chip
        self.image_digest = info.digest
        self.version = info.version
        self.is_trial = self._flash.is_on_trial()
        if self.is_trial:
            self._flash.mark_tried(self.slot)
        self.reset_reason = {
            machine.PWRON_RESET: RESET_POWER_ON,
            machine.WDT_RESET: RESET_WATCHDOG,
            machine.HARD_RESET: RESET_SOFTWARE,  # ESP-IDF counts esp_restart() as this one
            machine.SOFT_RESET: RESET_SOFTWARE,
        }.get(machine.reset_cause(), RESET_EXTERNAL)
        self.hardware_id = (machine.unique_id() + bytes(16))[:16]
        self._button = machine.Pin(self._button_pin, machine.Pin.IN, machine.Pin.PULL_UP)
        self.is_button_held = self._is_held_long(time)
        self._watchdog = machine.WDT(timeout=WATCHDOG_MS)

    def parse_image(self, read: "Callable[[int, int], bytes]", limit: int) -> "EspImage":
        """Return the facts of an ESP image; only one for the chip of the running image is accepted.

        A security counter that the chip's eFuses cannot reach is refused: after such a confirm no other image would
        start. Raises ImageFormatError.
        """
        info = parse_esp_image(read, limit, self._is_signed, self._chip)
        most = self._flash.counter_max
        if most is not None and info.security_counter > most:
            raise ImageFormatError(reason="security counter")
        return info

    def reset(self) -> "NoReturn":
        """Restart. A slot that is staged and not tried starts once, if the boot loader accepts its image."""
        self._flash.start_staged(
            lambda slot: find_partition((SLOT_0, SLOT_1)[slot]).set_boot()
        )  # verifies the image
        machine.reset()


class Esp32Entropy:
    """interfaces.Entropy on the chip's generator, which is a true one only while a radio is on (ESP-IDF, RNG).

    `radio` is the network.WLAN object that the board's main brought up.
    """

    def __init__(self, radio: "Any") -> None:
        self._radio = radio

    def is_ready(self) -> bool:
        return bool(self._radio.active())

    def random_bytes(self, length: int) -> bytes:
        """Return `length` random bytes. Raises EntropyError while the radio is off."""
        if not self.is_ready():
            raise EntropyError(reason="radio is off")
        return os.urandom(length)
