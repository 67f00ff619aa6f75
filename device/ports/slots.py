"""Two slots and their trailer marks, for chips whose boot loader keeps a record of its own (esp32.py, rp2.py).

Rules:
1. The trailer marks are what policy reads. The boot loader's record decides what starts.
2. A confirm goes to the boot loader first and is then marked: a power cut between the two repeats a confirm and never
   invents one. A stage is marked first and goes to the boot loader at the reset.
3. Regions follow each other: boot facts, slot 0, slot 1, `device`, `user`.
4. With `fuses`, lock and counter are in the chip's fuses (fuses.py), and their sectors of the boot facts are not used.
"""

from device.compat import const
from device.errors import FlashError
from device.layout import (
    CONFIRMED_PREFIX,
    MARK_CONFIRMED,
    MARK_STAGED,
    MARK_TRIED,
    RESET_EXTERNAL,
    UNIT_STAGED,
    UNIT_TRIED,
    NvmLayout,
)
from device.ports.blocks import BlockFlash, lay_out
from device.ports.fuses import FuseFacts

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable, Sequence

SECTOR_BYTES = 4096
UNIT_BYTES = 32
FACTS_BYTES = 16 * SECTOR_BYTES
BUTTON_HOLD_MS = const(5000)
BUTTON_POLL_MS = const(20)

_BLANK = b"\xff" * UNIT_BYTES


def chip_layout(sizes: "Sequence[int]") -> "NvmLayout":
    """Return the layout for regions of these sizes in bytes (rule 3). Raises FlashError if they cannot be right."""
    facts, slot_0, slot_1, device, user = sizes
    if facts < FACTS_BYTES or slot_0 != slot_1:
        raise FlashError(reason="partition sizes", offset=0)
    return NvmLayout(
        size_bytes=facts + 2 * slot_0 + device + user,
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
        set_offsets=(),  # these boards take no application sets yet
        set_bytes=0,
    )


class SlotFlash(BlockFlash):
    """interfaces.Flash over the five block devices of rule 3; a subclass reports a confirm to its boot loader."""

    def __init__(
        self, devices: "Sequence[Any]", running_slot: int, page_bytes: int, fuses: "Any" = None
    ) -> None:
        regions = lay_out(devices, SECTOR_BYTES)
        super().__init__(regions, sector_bytes=SECTOR_BYTES, unit_bytes=UNIT_BYTES, page_bytes=page_bytes)
        self.layout = chip_layout([region.size_bytes for region in regions])
        self.running_slot = running_slot
        self._facts = None if fuses is None else FuseFacts(fuses, self.layout)

    def read(self, offset: int, length: int) -> bytes:
        """As BlockFlash.read; lock and counter come from the fuses if the board has them (rule 4)."""
        if self._facts is not None and self._facts.covers(offset):
            return self._facts.read(offset, length)
        return super().read(offset, length)

    def erase(self, offset: int) -> None:
        """As BlockFlash.erase; FlashError for lock and counter in fuses."""
        if self._facts is not None and self._facts.covers(offset):
            raise FlashError(reason="forbidden", offset=offset)
        super().erase(offset)

    def confirm_to_boot_loader(self) -> None:
        """Make the boot loader keep the running slot. Raises OSError if it refuses."""
        raise NotImplementedError

    def write(self, offset: int, data: bytes) -> None:
        """As BlockFlash.write; FlashError also if the boot loader refuses the confirm (rule 2)."""
        if self._facts is not None and self._facts.covers(offset):
            self._facts.write(offset, data)
            return
        if offset == self.trailer(self.running_slot) + MARK_CONFIRMED and data.startswith(CONFIRMED_PREFIX):
            try:
                self.confirm_to_boot_loader()
            except OSError:
                raise FlashError(reason="boot loader refused the confirm", offset=offset) from None
        super().write(offset, data)

    def trailer(self, slot: int) -> int:
        """Return the offset of the trailer sector of `slot`."""
        end: int = self.layout.slot_offsets[slot] + self.layout.slot_bytes
        return end - SECTOR_BYTES

    def is_on_trial(self) -> bool:
        """Return whether the running slot is staged and not confirmed. Raises FlashError."""
        trailer = self.trailer(self.running_slot)
        is_staged = self.read(trailer + MARK_STAGED, UNIT_BYTES) == UNIT_STAGED
        return is_staged and self.read(trailer + MARK_CONFIRMED, UNIT_BYTES) == _BLANK

    def is_unit_locked(self) -> bool:
        """Return whether a copy of the lock is not blank. Raises FlashError."""
        unit = self.layout.unit_bytes
        return any([self.read(offset, unit) != b"\xff" * unit for offset in self.layout.lock_offsets])

    def mark_tried(self, slot: int) -> None:
        """Mark `slot` as tried, if it is not yet. Raises FlashError."""
        at = self.trailer(slot) + MARK_TRIED
        if self.read(at, UNIT_BYTES) == _BLANK:
            self.write(at, UNIT_TRIED)

    def start_staged(self, start: "Callable[[int], object]") -> None:
        """Call `start(slot)` if the other slot is staged and not tried. Raises FlashError.

        If `start` raises OSError, the boot loader refused the image: the slot counts as tried, its release failed.
        """
        slot = 1 - self.running_slot
        trailer = self.trailer(slot)
        if self.read(trailer + MARK_STAGED, UNIT_BYTES) != UNIT_STAGED:
            return
        if self.read(trailer + MARK_TRIED, UNIT_BYTES) != _BLANK:
            return
        try:
            start(slot)
        except OSError:
            self.mark_tried(slot)


class SlotBoot:
    """The shared part of interfaces.Boot: watchdog, button, and the facts that a subclass reads in `start()`."""

    def __init__(self, flash: SlotFlash) -> None:
        self._flash = flash
        self._watchdog: "Any" = None
        self._button: "Any" = None  # a pin that the button pulls low
        self.slot = flash.running_slot
        self.image_digest = bytes(32)
        self.image_key = self.image_key_count = 0  # eFuses or OTP revoke image keys, not the firmware
        self.version = (0, 0, 0, 0)
        self.is_trial = False
        self.reset_reason = RESET_EXTERNAL
        self.hardware_id = bytes(16)
        self.is_button_held = False
        self.is_test_seed = False

    def watchdog_feed(self) -> None:
        """Feed the watchdog that `start()` armed."""
        self._watchdog.feed()

    def is_button_pressed(self) -> bool:
        """Return whether the button pulls its pin low now."""
        return bool(self._button.value() == 0)

    def _is_held_long(self, time: "Any") -> bool:
        """Return whether the button stays down for BUTTON_HOLD_MS; a factory reset follows (interfaces.Boot).

        `time` is MicroPython's module, which only the ports import.
        """
        for _ in range(BUTTON_HOLD_MS // BUTTON_POLL_MS):
            if not self.is_button_pressed():
                return False
            time.sleep_ms(BUTTON_POLL_MS)
        return True
