"""An RP2350 in memory, as MicroPython sees it: `_fbrp2`, `machine` and `network`, over a virtual flash and OTP.

It keeps the rules of the real one (datasheet; the published source of the boot ROM), as far as the firmware can see:
1. A bit of OTP only goes from 0 to 1. A write that holds a 0 where the row has a 1 is refused as a whole.
2. A normal start takes the bought image with the higher version. `reboot_into` starts the other slot once if its image
   is valid: signed blocks, and a rollback version that is not below the one in OTP. Else the old image starts.
3. `buy` raises the rollback version by one bit, and restarts before anything else if more bits are needed; then it
   clears the flag in the flash; then it erases the other slot's first sector if that image has a higher version.
4. `cut_at` is the number of the write (flash, OTP) that the power cut prevents; writes before it are durable.
"""

import types

import test_rp2350_image  # tests/dual is on the path

from device.codec.rp2350_image import Block, first_block, parse_rp2350_image
from device.errors import ImageFormatError
from tests.unit.device.ports.memory_blocks import SECTOR, MemoryBlocks

ROW_BITS = 0xFFFFFF
SLOT_SECTORS = 8
FACTS_SECTORS = 16
COUNTER_ROWS = range(0x4E, 0x54)
LOCK_ROWS = range(0xE80, 0xE83)
TRIAL_FLAG = 0x80


class PowerCutError(Exception):
    """The power fails before a write."""


class RestartError(BaseException):
    """The chip restarts: the real call does not return."""


class CountedBlocks(MemoryBlocks):
    """Flash of a chip whose power can be cut before each write and erase."""

    def __init__(self, chip: "VirtualChip", sectors: int) -> None:
        super().__init__(sectors, 256)
        self._chip = chip

    def ioctl(self, operation: int, argument: int) -> int:
        if operation == 6:
            self._chip.count_write()
        return super().ioctl(operation, argument)

    def writeblocks(self, block: int, data: bytes, offset: int) -> None:
        self._chip.count_write()
        super().writeblocks(block, data, offset)


class VirtualChip:
    """One chip; `otp` and `partitions` keep their content over restarts."""

    def __init__(self, *, is_secure: bool = True, is_product: bool = True) -> None:
        self.is_secure, self.is_product = is_secure, is_product
        self.otp: dict[int, int] = {}
        sizes = (SLOT_SECTORS, SLOT_SECTORS, FACTS_SECTORS, 64, 64)
        self.partitions = [CountedBlocks(self, sectors) for sectors in sizes]
        self.cut_at: int | None = None
        self.writes = 0
        self.untrusted: set[int] = set()  # slots with an image whose signature the boot ROM does not accept
        self.is_generator_broken = False
        self.are_otp_reads_broken = False
        self.calls: list[str] = []
        self.slot = 0
        self.is_trial = self.is_refused = False
        self.wanted: int | None = None
        self.dates_checked = False

    # Power, flash and OTP ---------------------------------------------------------------------------------------
    def count_write(self) -> None:
        if self.cut_at == self.writes:
            raise PowerCutError
        self.writes += 1

    def otp_read(self, row: int) -> int:
        if row not in COUNTER_ROWS and row not in LOCK_ROWS:
            raise ValueError("row")
        if self.are_otp_reads_broken:
            raise OSError(5)
        return self.otp.get(row, 0)

    def otp_write(self, row: int, value: int) -> None:
        have = self.otp_read(row)
        if not 0 <= value <= ROW_BITS:
            raise ValueError("value")
        if have & ~value:
            raise OSError(5)  # a bit would go back
        self.count_write()
        self.otp[row] = value

    # The boot ROM ------------------------------------------------------------------------------------------------
    def rollback(self) -> int:
        """The rollback version in OTP: the highest bit of the later row that has one, counted from 1."""
        for index, row in ((1, 0x51), (0, 0x4E)):
            copies = [self.otp.get(row + copy, 0) for copy in range(3)]
            bits = copies[0] & copies[1] | copies[0] & copies[2] | copies[1] & copies[2]
            if bits:
                return index * 24 + bits.bit_length()
        return 0

    def image(self, slot: int):
        """The facts of a slot's image, None if the boot ROM would not start it."""
        data = self.partitions[slot].data
        try:
            info = parse_rp2350_image(
                lambda at, length: bytes(data[at : at + length]), len(data) - SECTOR, True
            )
        except ImageFormatError:
            return None
        is_old = self.is_secure and info.security_counter < self.rollback()
        return None if is_old or slot in self.untrusted else info

    def trial_at(self, slot: int) -> int:
        """Where the byte with the flag "try before you buy" of a slot's image lies."""
        data = self.partitions[slot].data

        def read(at: int, length: int) -> bytes:
            return bytes(data[at : at + length])

        first = at = first_block(read, len(data))
        while (block := Block(read, at, len(data))).next != first:
            at = block.next
        return at + 7

    def start(self) -> None:
        """Start as after a reset: into `wanted` once, else into the bought image with the higher version."""
        self.cut_at, self.writes = None, 0
        wanted, self.wanted = self.wanted, None
        self.is_trial = self.is_refused = self.dates_checked = False
        if wanted is not None and self.image(wanted) is not None:
            self.slot = wanted
            self.is_trial = bool(self.partitions[wanted].data[self.trial_at(wanted)] & TRIAL_FLAG)
            return
        self.is_refused = wanted is not None
        bought = [
            (info.version, slot)
            for slot in (0, 1)
            if (info := self.image(slot)) is not None
            and not self.partitions[slot].data[self.trial_at(slot)] & TRIAL_FLAG
        ]
        assert bought, "the chip has nothing that it would start"
        self.slot = max(bought)[1]

    def reboot_into(self, slot: int) -> None:
        self.calls.append(f"reboot {slot}")
        self.wanted = slot
        raise RestartError

    def buy(self) -> None:
        self.calls.append("buy")
        if not self.is_trial:
            raise OSError(5)
        info = self.image(self.slot)
        if self.is_secure and info.security_counter > self.rollback():
            self._raise_rollback(info.security_counter)
        data, at = self.partitions[self.slot].data, self.trial_at(self.slot)
        sector = bytes(data[at - at % SECTOR :][:SECTOR])
        self.count_write()
        data[at - at % SECTOR : at - at % SECTOR + SECTOR] = b"\xff" * SECTOR
        self.count_write()
        data[at - at % SECTOR : at - at % SECTOR + SECTOR] = sector
        data[at] &= ~TRIAL_FLAG
        other = self.image(1 - self.slot)
        if other is not None and other.version > info.version:
            self.partitions[1 - self.slot].ioctl(6, 0)
        self.is_trial = False

    def _raise_rollback(self, value: int) -> None:
        row, bit, is_more = (0x4E, 0, False)
        low = self.otp.get(0x4E, 0)
        if value > 24 and not low >> 23 & 1:
            bit, is_more = 23, True
        else:
            row, bit = ((0x4E, 0x51)[(value - 1) // 24], (value - 1) % 24)
        for copy in range(row, row + 3):
            self.otp_write(copy, self.otp.get(copy, 0) | 1 << bit)
        if is_more:
            self.wanted = self.slot
            raise RestartError

    # What MicroPython sees ---------------------------------------------------------------------------------------
    def random(self, length: int) -> bytes:
        if self.is_generator_broken:
            raise OSError(5)
        return bytes(range(length))

    def flash(self, number: int) -> MemoryBlocks:
        if not 0 <= number < len(self.partitions):
            raise OSError(19)
        return self.partitions[number]

    def check_dates(self, is_checked: bool) -> None:
        self.dates_checked = is_checked

    def modules(self) -> dict[str, types.ModuleType]:
        def restart() -> None:
            raise RestartError

        names = ("flash", "buy", "reboot_into", "otp_read", "otp_write", "random", "check_dates")
        watchdog = type("WDT", (), {"__init__": lambda self, timeout: None, "feed": lambda self: None})
        contents: dict[str, dict[str, object]] = {
            "_fbrp2": {
                **{name: getattr(self, name) for name in names},
                "slot": lambda: self.slot,
                "is_trial": lambda: self.is_trial,
                "is_refused": lambda: self.is_refused,
                "is_product": lambda: self.is_product,
                "protection": lambda: (self.is_secure, self.is_secure),
                "unique_id": lambda: bytes(range(12)),
            },
            "machine": {
                **{"PWRON_RESET": 1, "WDT_RESET": 3, "WDT": watchdog, "reset": restart},
                **{
                    "reset_cause": lambda: 1,
                    "Pin": Pin,
                    "RTC": lambda: types.SimpleNamespace(datetime=print),
                },
            },
            "network": {},
        }
        made = {}
        for name, members in contents.items():
            made[name] = types.ModuleType(name)
            vars(made[name]).update(members)
        return made


class Pin:
    """A pin with a pull-up that nobody presses."""

    IN, OUT, PULL_UP = 0, 1, 2

    def __init__(self, *_: object) -> None:
        pass

    def value(self) -> int:
        return 1


def put(chip: VirtualChip, slot: int, build: int, counter: int = 1, *, is_trial: bool = True) -> bytes:
    """Write an image with this build number and rollback version into a slot; returns it."""
    flags = test_rp2350_image.FLAGS if is_trial else test_rp2350_image.FLAGS & ~0x8000
    version = test_rp2350_image.version_item(build=build, rollback=counter)
    data, _ = test_rp2350_image.signed(flags=flags, version=version)
    slot_data = chip.partitions[slot].data
    slot_data[:] = b"\xff" * len(slot_data)
    slot_data[: len(data)] = data
    return data
