"""The part of the RP2350 port that runs without the chip: its calls to the boot ROM, and its marks."""

import importlib
import sys
import types

import pytest
import test_rp2350_image  # tests/dual is on the path
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from device.codec.rp2350_image import parse_rp2350_image
from device.errors import FlashError, ImageFormatError
from device.layout import MARK_CONFIRMED
from device.update.slots import BootState
from tests.unit.device.ports.memory_blocks import SECTOR, MemoryBlocks


class Reset(BaseException):
    """Raised by the fake machine.reset(): the real one does not return."""


class Chip:
    """Fake `_fbrp2`, `rp2` and `machine`: storage, two slots, and a log of calls to the boot ROM."""

    def __init__(self) -> None:
        self.storage: dict[int, MemoryBlocks] = {}
        self.slots = [MemoryBlocks(8, 256), MemoryBlocks(8, 256)]
        self.running = 0
        self.is_trial = False
        self.calls: list[str] = []
        self.is_refusing = False

    def call(self, text: str) -> None:
        if self.is_refusing:
            raise OSError(5)
        self.calls.append(text)

    def flash(self, start: int, len: int) -> MemoryBlocks:
        return self.storage.setdefault(start, MemoryBlocks(len // SECTOR, 256))

    def modules(self) -> dict[str, types.ModuleType]:
        def reset() -> None:
            raise Reset

        watchdog = type("WDT", (), {"__init__": lambda self, timeout: None, "feed": lambda self: None})
        contents = {
            "_fbrp2": {
                "slot": lambda: self.running,
                "is_trial": lambda: self.is_trial,
                "image": lambda: (b"d" * 32, (1, 2, 3, 4)),
                "flash": lambda slot: self.slots[slot],
                "buy": lambda: self.call("buy"),
                "reboot_into": lambda slot: self.call(f"reboot {slot}"),
            },
            "rp2": {"Flash": self.flash, "bootsel_button": lambda: 0},
            "machine": {
                **{"PWRON_RESET": 1, "WDT_RESET": 3, "WDT": watchdog, "reset": reset},
                **{"reset_cause": lambda: 1, "unique_id": lambda: b"\x01\x02"},
            },
        }
        made = {}
        for name, members in contents.items():
            made[name] = types.ModuleType(name)
            vars(made[name]).update(members)
        return made


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Chip:
    chip = Chip()
    for name, module in chip.modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, "device.ports.rp2", raising=False)
    return chip


def start(chip: Chip) -> tuple:
    """Return flash, boot and boot state of a fresh start of `chip`."""
    port = importlib.import_module("device.ports.rp2")
    flash = port.Rp2Flash()
    boot = port.Rp2Boot(flash)
    boot.start()
    return flash, boot, BootState(flash, flash.layout)


def test_a_staged_slot_goes_to_the_boot_rom_at_the_reset(chip: Chip) -> None:
    _, boot, state = start(chip)
    state.stage(1)
    with pytest.raises(Reset):
        boot.reset()
    assert chip.calls == ["reboot 1"]


def test_an_image_that_the_boot_rom_refuses_counts_as_tried(chip: Chip) -> None:
    _, boot, state = start(chip)
    state.stage(1)
    chip.is_refusing = True
    with pytest.raises(Reset):
        boot.reset()
    assert state.marks(1).is_tried


def test_a_trial_is_marked_tried_at_its_first_start(chip: Chip) -> None:
    _, _, state = start(chip)
    state.stage(1)
    chip.running, chip.is_trial = 1, True
    for _ in range(2):
        _, boot, state = start(chip)
        assert boot.is_trial and state.marks(1).is_tried


def test_a_confirm_goes_to_the_boot_rom_before_it_is_marked(chip: Chip) -> None:
    _, _, state = start(chip)
    state.stage(0)
    chip.is_trial = chip.is_refusing = True
    flash, _, state = start(chip)
    with pytest.raises(FlashError, match="refused the confirm"):
        state.confirm(0)
    assert flash.read(flash.trailer(0) + MARK_CONFIRMED, 32) == b"\xff" * 32
    chip.is_refusing = False
    state.confirm(0)
    assert chip.calls == ["buy"] and state.marks(0).is_confirmed


def test_slots_of_different_sizes_are_refused(chip: Chip) -> None:
    chip.slots[1] = MemoryBlocks(4, 256)
    with pytest.raises(FlashError, match="partition sizes"):
        start(chip)


def test_an_image_in_the_other_slot_is_read_by_the_boot_roms_blocks(chip: Chip) -> None:
    payload, digest = test_rp2350_image.signed()
    flash, boot, _ = start(chip)
    chip.slots[1].data[: len(payload)] = payload
    info = BootState(flash, flash.layout, boot.parse_image).image(1, len(payload))
    assert (info.digest, info.version) == (digest, (2, 0, 0, 2))


def test_an_image_without_blocks_is_refused(chip: Chip) -> None:
    flash, boot, _ = start(chip)
    with pytest.raises(ImageFormatError, match="no block"):
        BootState(flash, flash.layout, boot.parse_image).image(1, 4096)


def public_numbers(point: bytes) -> ec.EllipticCurvePublicKey:
    """Return a secp256k1 key from the block's 64 bytes: x and y, big endian."""
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), b"\x04" + point)


def test_the_digest_that_the_reader_returns_is_the_one_that_the_signature_covers() -> None:
    key = ec.generate_private_key(ec.SECP256K1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]

    def sign(digest: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(digest, ec.ECDSA(Prehashed(hashes.SHA256()))))
        return point + r.to_bytes(32, "big") + s.to_bytes(32, "big")

    data, _ = test_rp2350_image.signed(sign=sign)
    found = parse_rp2350_image(lambda offset, length: data[offset : offset + length], len(data))
    halves = [int.from_bytes(found.signature[at : at + 32], "big") for at in (0, 32)]
    public_numbers(found.public_key).verify(
        encode_dss_signature(*halves), found.digest, ec.ECDSA(Prehashed(hashes.SHA256()))
    )


@pytest.mark.parametrize("at", [0, 300, 4095, 4096 + 16])
def test_a_change_of_code_or_version_changes_the_digest(at: int) -> None:
    data, digest = test_rp2350_image.signed()
    other = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    found = parse_rp2350_image(lambda offset, length: other[offset : offset + length], len(other))
    assert found.digest != digest
