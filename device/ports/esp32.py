"""ESP32 family: the ports on stock MicroPython 1.25 with OTA partitions. NOT YET RUN ON HARDWARE.

What the chip maps to (docs/porting.md has the whole list and what is missing):
1. Slots are the app partitions ota_0 and ota_1. ESP-IDF's boot loader starts a slot that `set_boot` named once and
   falls back to the other one unless `mark_app_valid_cancel_rollback` was called: the same promise as the boot ROM
   of the emulated board, kept in `otadata`.
2. The trailer marks stay, as what policy reads. The boot loader's own word is written first (rule 4), so a power
   cut between the two repeats a confirm and never invents one.
3. Lock, security counter and entropy state lie in the data partition fb_facts, in plain flash. A product burns
   them into eFuses (secure boot v2 for images, the anti-rollback field for the counter): C code of the product.
4. A confirm is first told to the boot loader, then marked; a stage is first marked, then told at the reset.
5. The partition table names ota_0, ota_1, fb_facts (16 sectors), fb_device and fb_user.
"""

import os
import time

import esp32
import machine

from device.compat import const
from device.errors import EntropyError, FlashError
from device.layout import (
    CONFIRMED_PREFIX,
    MARK_CONFIRMED,
    MARK_STAGED,
    MARK_TRIED,
    RESET_EXTERNAL,
    RESET_POWER_ON,
    RESET_SOFTWARE,
    RESET_WATCHDOG,
    UNIT_STAGED,
    UNIT_TRIED,
    NvmLayout,
)
from device.ports.blocks import BlockFlash, lay_out
from device.ports.esp_image import parse_esp_image

BUTTON_HOLD_MS = const(5000)
BUTTON_POLL_MS = const(20)

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, NoReturn

FACTS, SLOT_0, SLOT_1, DEVICE, USER = "fb_facts", "ota_0", "ota_1", "fb_device", "fb_user"
SECTOR_BYTES = 4096
UNIT_BYTES = 32  # flash encryption writes 32 bytes at once
FACTS_BYTES = 16 * SECTOR_BYTES
WATCHDOG_MS = 10000


def find_partition(label: str) -> "Any":
    """Give the partition called `label`. Raises FlashError when the table does not name it."""
    for kind in (esp32.Partition.TYPE_APP, esp32.Partition.TYPE_DATA):
        found = esp32.Partition.find(kind, 0xFF, label=label)
        if found:
            return found[0]
    raise FlashError(reason="no partition " + label, offset=0)


def layout_of(flash: "BlockFlash", sizes: "tuple[int, ...]") -> "NvmLayout":
    """Where things lie when facts, two slots, device and user follow each other with these sizes in bytes."""
    facts, slot_0, slot_1, device, user = sizes
    if facts < FACTS_BYTES or slot_0 != slot_1:
        raise FlashError(reason="partition sizes", offset=0)
    return NvmLayout(
        size_bytes=flash.size_bytes,
        sector_bytes=SECTOR_BYTES,
        unit_bytes=UNIT_BYTES,
        lock_offsets=(0, SECTOR_BYTES),
        counter_offset=2 * SECTOR_BYTES,
        counter_sectors=4,
        revocation_offset=6 * SECTOR_BYTES,
        entropy_offset=7 * SECTOR_BYTES,
        slot_offsets=(facts, facts + slot_0),
        slot_bytes=slot_0,
        device_offset=facts + 2 * slot_0,
        device_bytes=device,
        user_offset=facts + 2 * slot_0 + device,
        user_bytes=user,
        set_offsets=(),  # no application sets on this board yet
        set_bytes=0,
    )


class Esp32Flash(BlockFlash):
    """interfaces.Flash over the five partitions; a confirm mark is told to the boot loader first (rule 4)."""

    def __init__(self) -> None:
        regions = lay_out(
            [find_partition(name) for name in (FACTS, SLOT_0, SLOT_1, DEVICE, USER)], SECTOR_BYTES
        )
        super().__init__(regions, sector_bytes=SECTOR_BYTES, unit_bytes=UNIT_BYTES, page_bytes=UNIT_BYTES)
        self.layout = layout_of(self, tuple([region.size_bytes for region in regions]))
        running = esp32.Partition(esp32.Partition.RUNNING)  # type: ignore[arg-type]  # the stub knows labels only
        self.running_slot = 1 if running.info()[4] == SLOT_1 else 0

    def trailer(self, slot: int) -> int:
        """Offset of the trailer sector of `slot`."""
        end: int = self.layout.slot_offsets[slot] + self.layout.slot_bytes
        return end - SECTOR_BYTES

    def write(self, offset: int, data: bytes) -> None:
        """As BlockFlash.write; FlashError also when the boot loader does not take the confirm."""
        if offset == self.trailer(self.running_slot) + MARK_CONFIRMED and data.startswith(CONFIRMED_PREFIX):
            try:
                esp32.Partition.mark_app_valid_cancel_rollback()
            except OSError:
                raise FlashError(reason="boot loader refused the confirm", offset=offset) from None
        super().write(offset, data)


class Esp32Boot:
    """interfaces.Boot. `start()` reads the running image once; the watchdog starts with it."""

    def __init__(self, flash: "Esp32Flash", button_pin: int = 0) -> None:
        self._flash = flash
        self._button_pin = button_pin
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
        """Learn what runs and why. Raises FlashError, ImageFormatError (the slot does not hold an ESP image)."""
        base = self._flash.layout.slot_offsets[self.slot]
        limit = self._flash.layout.slot_bytes - SECTOR_BYTES
        info = parse_esp_image(lambda offset, length: self._flash.read(base + offset, length), limit)
        self.image_digest = info.digest
        self.version = info.version
        self.is_trial = self._begin_trial()
        self.reset_reason = {
            machine.PWRON_RESET: RESET_POWER_ON,
            machine.WDT_RESET: RESET_WATCHDOG,
            machine.HARD_RESET: RESET_SOFTWARE,  # ESP-IDF counts esp_restart() as this one
            machine.SOFT_RESET: RESET_SOFTWARE,
        }.get(machine.reset_cause(), RESET_EXTERNAL)
        self.hardware_id = (machine.unique_id() + bytes(16))[:16]
        self._button = machine.Pin(self._button_pin, machine.Pin.IN, machine.Pin.PULL_UP)
        self.is_button_held = self._is_held_long()
        self._watchdog = machine.WDT(timeout=WATCHDOG_MS)

    def _is_held_long(self) -> bool:
        """True when the button stays down for BUTTON_HOLD_MS; a factory reset follows (interfaces.Boot)."""
        for _ in range(BUTTON_HOLD_MS // BUTTON_POLL_MS):
            if not self.is_button_pressed():
                return False
            time.sleep_ms(BUTTON_POLL_MS)
        return True

    def is_button_pressed(self) -> bool:
        """Whether the button pulls its pin low now."""
        return bool(self._button.value() == 0)

    def _begin_trial(self) -> bool:
        """True while the running slot was staged and is not confirmed; marks it tried on its first start."""
        trailer = self._flash.trailer(self.slot)
        if self._flash.read(trailer + MARK_STAGED, UNIT_BYTES) != UNIT_STAGED:
            return False
        if self._flash.read(trailer + MARK_CONFIRMED, UNIT_BYTES) != b"\xff" * UNIT_BYTES:
            return False
        if self._flash.read(trailer + MARK_TRIED, UNIT_BYTES) == b"\xff" * UNIT_BYTES:
            self._flash.write(trailer + MARK_TRIED, UNIT_TRIED)
        return True

    def reset(self) -> "NoReturn":
        """Restart; a slot that is staged and not tried starts, once, when the boot loader accepts its image."""
        other = 1 - self.slot
        trailer = self._flash.trailer(other)
        is_staged = self._flash.read(trailer + MARK_STAGED, UNIT_BYTES) == UNIT_STAGED
        if is_staged and self._flash.read(trailer + MARK_TRIED, UNIT_BYTES) == b"\xff" * UNIT_BYTES:
            try:
                find_partition((SLOT_0, SLOT_1)[other]).set_boot()  # ESP-IDF verifies the image here
            except OSError:
                # Refused images count as tried: the release failed, and the running one goes on.
                self._flash.write(trailer + MARK_TRIED, UNIT_TRIED)
        machine.reset()

    def watchdog_feed(self) -> None:
        """Feed the watchdog that `start()` armed."""
        self._watchdog.feed()


class Esp32Entropy:
    """interfaces.Entropy on the chip's generator, which is a true one only while a radio is on (ESP-IDF, RNG).

    `radio` is the network.WLAN object that the board's main brought up.
    """

    def __init__(self, radio: "Any") -> None:
        self._radio = radio

    def is_ready(self) -> bool:
        return bool(self._radio.active())

    def random_bytes(self, length: int) -> bytes:
        """Give `length` random bytes. Raises EntropyError while the radio is off."""
        if not self.is_ready():
            raise EntropyError(reason="radio is off")
        return os.urandom(length)
