"""The hardware of a host board, which stays while it restarts; ports of a filled folder, and faults to plant."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import Any

from device.errors import FlashError
from device.layout import MPS2
from simulator.ports.flash import SimFlash
from simulator.ports.keystore import SimKeyStore
from simulator.ports.records import device_records, user_records

is_nor = is_write_once = True
image_counter = 5


class HostFlash(SimFlash):
    """The simulator's flash, which also refuses to erase lock and counter."""

    def write(self, offset: int, data: bytes) -> None:
        if (
            not is_nor and MPS2.slot_offsets[0] <= offset < MPS2.device_offset
        ):  # the planted fault: flash that erases by itself
            sector = offset - offset % self.sector_bytes
            kept = self.read(sector, self.sector_bytes)
            self.erase(sector)
            merged = kept[: offset - sector] + data + kept[offset - sector + len(data) :]
            blank = b"\xff" * self.unit_bytes
            for at in range(0, len(merged), self.unit_bytes):
                if merged[at : at + self.unit_bytes] != blank:
                    super().write(sector + at, merged[at : at + self.unit_bytes])
            return
        super().write(offset, data)

    def erase(self, offset: int) -> None:
        if is_write_once and 0 <= offset < MPS2.revocation_offset:
            raise FlashError(reason="forbidden", offset=offset)
        super().erase(offset)


flash = HostFlash()


def renew() -> None:
    """Begin with a blank flash and without a fault."""
    global flash, is_nor, is_write_once, image_counter
    flash, is_nor, is_write_once, image_counter = HostFlash(), True, True, 5


def board_flash() -> Any:
    return flash


class HostBoot:
    """A boot loader that reads a security counter and nothing else."""

    slot = 0

    def parse_image(self, read: Any, limit: int) -> Any:
        return SimpleNamespace(security_counter=image_counter)


class HostRegions:
    """mount and format over the flash. `is_forgetful`: the planted fault, a delete that does nothing."""

    def __init__(self, is_forgetful: bool = False) -> None:
        self._is_forgetful = is_forgetful

    def _records(self, region: str) -> Any:
        records = {"device": device_records, "user": user_records}[region](flash)
        if self._is_forgetful:
            records.delete = lambda name: None  # type: ignore[method-assign]
        return records

    def mount(self, region: str) -> Any:
        records = self._records(region)
        records.mount()
        return records

    def format(self, region: str) -> Any:
        records = self._records(region)
        records.format()
        return records


class PlainStore:
    """The planted fault: a key store without a key."""

    def keyed_digest(self, data: bytes) -> bytes:
        return hashlib.sha256(data).digest()


key_store = SimKeyStore(bytes(range(32)))
