"""The RP2350's port on a virtual chip: start, slots, confirm, lock and counter in OTP, with power cuts.

virtual_rp2350.py has the rules of the chip and of its boot ROM. Nothing here ran on a chip.
"""

import importlib
import sys
from types import ModuleType

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
from device.errors import EntropyError, FlashError, ImageFormatError, LinkError
from device.layout import MARK_CONFIRMED, UNIT_LOCKED
from device.update.slots import BootState
from tests.unit.device.ports.memory_blocks import SECTOR, MemoryBlocks
from tests.unit.device.ports.virtual_rp2350 import PowerCutError, RestartError, VirtualChip, put

PORTS = ("rp2", "rp2_otp", "sockets", "socket_group", "rtc")


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> VirtualChip:
    """A chip with release 1, confirmed, in slot 0."""
    chip = VirtualChip()
    for name, module in {**chip.modules(), "tls": ModuleType("tls")}.items():
        monkeypatch.setitem(sys.modules, name, module)
    for name in PORTS:
        monkeypatch.delitem(sys.modules, "device.ports." + name, raising=False)
    put(chip, 0, build=1, is_trial=False)
    chip.start()
    return chip


def start(chip: VirtualChip) -> tuple:
    """Return flash, boot and boot state of a fresh start of the firmware on `chip`."""
    port = importlib.import_module("device.ports.rp2")
    otp = importlib.import_module("device.ports.rp2_otp")
    flash = port.Rp2Flash(otp.OtpFuses() if chip.is_product else None)
    boot = port.Rp2Boot(flash, 22)
    boot.start()
    return flash, boot, BootState(flash, flash.layout, boot.parse_image)


def restarted(chip: VirtualChip, boot: object) -> tuple:
    """Let the firmware restart the chip, and return the next start."""
    with pytest.raises(RestartError):
        boot.reset()
    chip.start()
    return start(chip)


def staged(chip: VirtualChip, build: int = 2, counter: int = 1) -> tuple:
    """Stage a release in slot 1 and restart."""
    put(chip, 1, build, counter)
    _, boot, state = start(chip)
    state.stage(1)
    return restarted(chip, boot)


# Slots ----------------------------------------------------------------------------------------------------------
def test_a_staged_slot_runs_as_a_trial_and_stays_after_its_confirm(chip: VirtualChip) -> None:
    _, boot, state = staged(chip)
    assert (boot.slot, boot.is_trial, boot.version) == (1, True, (2, 0, 0, 2))
    assert state.marks(1).is_tried
    state.confirm(1)
    chip.start()
    _, boot, state = start(chip)
    assert (boot.slot, boot.is_trial) == (1, False) and state.marks(1).is_confirmed


def test_a_trial_that_is_not_confirmed_gives_way_to_the_old_image(chip: VirtualChip) -> None:
    staged(chip)
    chip.start()
    _, boot, state = start(chip)
    assert (boot.slot, boot.is_trial) == (0, False) and state.marks(1).is_tried


def test_an_image_that_the_boot_rom_refuses_counts_as_tried_and_is_not_started_again(
    chip: VirtualChip,
) -> None:
    put(chip, 1, build=2)
    _, boot, state = start(chip)
    state.stage(1)
    chip.untrusted.add(1)  # its key is not one of the key hashes in OTP
    _, boot, state = restarted(chip, boot)
    assert boot.slot == 0 and state.marks(1).is_tried
    restarted(chip, boot)
    assert chip.calls == ["reboot 1"]


def test_a_confirm_goes_to_the_boot_rom_before_it_is_marked(chip: VirtualChip) -> None:
    flash, _, state = staged(chip)
    chip.cut_at = chip.writes
    with pytest.raises(PowerCutError):
        state.confirm(1)
    assert chip.calls[-1] == "buy"
    assert flash.read(flash.trailer(1) + MARK_CONFIRMED, 32) == b"\xff" * 32


def test_a_confirm_that_the_boot_rom_refuses_is_not_marked(chip: VirtualChip) -> None:
    flash, _, state = staged(chip)
    sys.modules["_fbrp2"].buy = start_error  # type: ignore[attr-defined]
    with pytest.raises(FlashError, match="refused the confirm"):
        state.confirm(1)
    assert flash.read(flash.trailer(1) + MARK_CONFIRMED, 32) == b"\xff" * 32


def start_error() -> None:
    raise OSError(5)


def test_the_running_image_gives_its_digest_also_after_its_flag_is_cleared(chip: VirtualChip) -> None:
    _, boot, state = staged(chip)
    before = boot.image_digest
    state.confirm(1)
    chip.start()
    assert start(chip)[1].image_digest == before


def test_slots_of_different_sizes_are_refused(chip: VirtualChip) -> None:
    chip.partitions[1] = MemoryBlocks(4, 256)  # type: ignore[assignment]
    with pytest.raises(FlashError, match="partition sizes"):
        start(chip)


def test_a_chip_without_this_partition_table_is_refused(chip: VirtualChip) -> None:
    del chip.partitions[3:]
    with pytest.raises(FlashError, match="no partition 3"):
        start(chip)


def test_an_image_in_the_other_slot_is_read_by_the_boot_roms_blocks(chip: VirtualChip) -> None:
    payload, digest = test_rp2350_image.signed()
    _, _, state = start(chip)
    chip.partitions[1].data[: len(payload)] = payload
    info = state.image(1, len(payload))
    assert (info.digest, info.version) == (digest, (2, 0, 0, 2))


def test_an_image_that_counts_in_other_rows_is_refused(chip: VirtualChip) -> None:
    payload, _ = test_rp2350_image.signed(version=test_rp2350_image.version_item(rows=(0x4E, 0x60)))
    _, _, state = start(chip)
    chip.partitions[1].data[: len(payload)] = payload
    with pytest.raises(ImageFormatError, match="rollback rows"):
        state.image(1, len(payload))


def test_an_image_without_blocks_is_refused(chip: VirtualChip) -> None:
    _, _, state = start(chip)
    with pytest.raises(ImageFormatError, match="no block"):
        state.image(1, 4096)


# Security counter and lock in OTP -------------------------------------------------------------------------------
def test_the_boot_roms_rollback_version_is_the_security_counter(chip: VirtualChip) -> None:
    _, _, state = staged(chip, counter=5)
    assert state.security_counter() == 0
    state.confirm(1)
    assert state.security_counter() == chip.rollback() == 5
    state.raise_security_counter(5)
    assert chip.otp == {0x4E: 0x10, 0x4F: 0x10, 0x50: 0x10}  # one bit, as the boot ROM wrote it


def test_the_counter_of_a_chip_without_secure_boot_is_raised_by_the_firmware(chip: VirtualChip) -> None:
    chip.is_secure = False
    _, _, state = start(chip)
    state.raise_security_counter(26)
    assert state.security_counter() == chip.rollback() == 26
    state.raise_security_counter(3)
    assert state.security_counter() == 26


def test_a_confirm_over_the_end_of_a_row_restarts_and_is_then_completed(chip: VirtualChip) -> None:
    _, _, state = staged(chip, counter=30)
    with pytest.raises(RestartError):
        state.confirm(1)
    chip.start()
    _, boot, state = start(chip)
    assert (boot.slot, boot.is_trial) == (1, True)
    state.confirm(1)
    assert state.security_counter() == 30


def test_the_counter_ends_at_47(chip: VirtualChip) -> None:
    _, _, state = start(chip)
    state.raise_security_counter(47)
    with pytest.raises(FlashError, match="exhausted"):
        state.raise_security_counter(48)
    assert state.security_counter() == 47


@pytest.mark.parametrize("value", [1, 24, 25, 47])
def test_a_power_cut_at_any_write_of_the_counter_is_made_good_by_the_next_try(
    chip: VirtualChip, value: int
) -> None:
    chip.is_secure = False
    cut = 0
    while True:
        chip.otp.clear()
        _, _, state = start(chip)
        chip.cut_at, chip.writes = cut, 0
        try:
            state.raise_security_counter(value)
            break
        except PowerCutError:
            cut += 1
        chip.start()
        _, _, state = start(chip)
        assert state.security_counter() <= value
        state.raise_security_counter(value)
        assert state.security_counter() == chip.rollback() == value
    assert cut == 3 * value


@pytest.mark.parametrize("cut", [0, 1, 2])
def test_a_power_cut_in_the_lock_leaves_it_open_or_set_and_never_between(chip: VirtualChip, cut: int) -> None:
    _, _, state = start(chip)
    chip.cut_at, chip.writes = cut, 0
    with pytest.raises(PowerCutError):
        state.lock()
    chip.start()
    _, _, state = start(chip)
    assert state.is_locked() == (cut > 0)
    if not state.is_locked():
        state.lock()
    assert start(chip)[2].is_locked()


def test_any_bit_of_the_lock_and_an_unreadable_row_are_a_lock(chip: VirtualChip) -> None:
    otp = importlib.import_module("device.ports.rp2_otp").OtpFuses()
    assert not otp.is_locked()
    chip.otp[0xE82] = 1 << 13
    assert otp.is_locked()
    chip.otp.clear()
    chip.are_otp_reads_broken = True
    assert otp.is_locked()


def test_the_lock_is_not_taken_back(chip: VirtualChip) -> None:
    flash, _, state = start(chip)
    state.lock()
    for offset in flash.layout.lock_offsets:
        assert flash.read(offset, 32) == UNIT_LOCKED
        with pytest.raises(FlashError, match="forbidden"):
            flash.erase(offset - offset % SECTOR)


def test_a_counter_that_cannot_be_read_is_an_error_and_not_zero(chip: VirtualChip) -> None:
    _, _, state = start(chip)
    chip.are_otp_reads_broken = True
    with pytest.raises(FlashError, match="read"):
        state.security_counter()


def test_a_jump_over_the_end_of_a_row_sets_the_rows_last_bit_too_as_the_boot_rom_does(
    chip: VirtualChip,
) -> None:
    importlib.import_module("device.ports.rp2_otp").OtpFuses().raise_counter(30)
    assert chip.otp[0x4E] == 1 << 23 and chip.otp[0x51] == 1 << 5


@pytest.mark.parametrize("value", [0, 48])
def test_a_counter_that_does_not_exist_is_refused_before_any_bit(chip: VirtualChip, value: int) -> None:
    otp = importlib.import_module("device.ports.rp2_otp").OtpFuses()
    with pytest.raises(ValueError, match="security counter"):
        otp.raise_counter(value)
    assert chip.otp == {}


def cuts_in_a_confirm(chip: VirtualChip, counter: int) -> list[tuple[int, int | None]]:
    """Return (cut, slot that starts afterwards; None if none does) for every power cut in a confirm of slot 1."""
    found: list[tuple[int, int | None]] = []
    for cut in range(100):
        chip.otp.clear()
        for partition in chip.partitions:
            partition.data[:] = b"\xff" * len(partition.data)
        put(chip, 0, build=1, is_trial=False)
        chip.start()
        _, _, state = staged(chip, counter=counter)
        chip.cut_at, chip.writes = cut, 0
        try:
            state.confirm(1)
            return found
        except PowerCutError:
            pass
        try:
            chip.start()
        except AssertionError:
            found.append((cut, None))
            continue
        found.append((cut, start(chip)[1].slot))
    raise AssertionError("the confirm never ends")


def test_a_power_cut_in_a_confirm_with_the_old_counter_always_leaves_an_image_that_starts(
    chip: VirtualChip,
) -> None:
    chip.is_secure = False  # the boot ROM then raises nothing
    assert [slot for _, slot in cuts_in_a_confirm(chip, 1)] == [0, 0, 1]


def test_a_power_cut_that_costs_the_unit_exists_only_while_the_boot_rom_rewrites_a_sector_after_a_raise(
    chip: VirtualChip,
) -> None:
    """docs/how-to/rp2350.md names this gap of the boot ROM, and how a release avoids it."""
    cuts = cuts_in_a_confirm(chip, 2)
    assert [cut for cut, slot in cuts if slot is None] == [2, 3, 4]


# Random numbers, time, network ----------------------------------------------------------------------------------
def test_random_numbers_end_when_the_generator_fails(chip: VirtualChip) -> None:
    entropy = importlib.import_module("device.ports.rp2").Rp2Entropy()
    assert entropy.is_ready() and entropy.random_bytes(4) == bytes(range(4))
    chip.is_generator_broken = True
    assert not entropy.is_ready()
    with pytest.raises(EntropyError, match="generator failed"):
        entropy.random_bytes(4)


def test_dates_are_checked_only_with_a_trusted_time(chip: VirtualChip) -> None:
    clock = importlib.import_module("device.ports.rp2").Rp2Clock()
    clock.set_trusted_time(1_800_000_000)
    assert chip.dates_checked
    clock.set_trusted_time(None)
    assert not chip.dates_checked


def test_a_board_without_a_network_says_so(chip: VirtualChip) -> None:
    network = importlib.import_module("device.ports.rp2").Rp2Network()
    assert network.addresses() == ()
    with pytest.raises(LinkError, match="no network"):
        network.require_up()


# The signed digest ----------------------------------------------------------------------------------------------
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


@pytest.mark.parametrize("at", [0, 300, 4095, 4096 + 12])
def test_a_change_of_code_or_version_changes_the_digest(at: int) -> None:
    data, digest = test_rp2350_image.signed()
    other = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    found = parse_rp2350_image(lambda offset, length: other[offset : offset + length], len(other))
    assert found.digest != digest
