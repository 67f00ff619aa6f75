"""Boot facts: marks, lock, security counter."""

from hashlib import sha256

from memory_flash import SMALL, MemoryFlash

from device.errors import FlashError
from device.layout import CONFIRMED_PREFIX, UNIT_STAGED
from device.update.slots import BootState, confirm_sequence, confirmed_unit


def fresh():
    flash = MemoryFlash()
    return flash, BootState(flash, SMALL)


def test_a_blank_slot_has_no_marks():
    _, boot = fresh()
    assert boot.marks(0) == (False, False, False, 0)
    assert boot.is_blank_trailer(0)


def test_each_mark_is_read_back_and_the_other_slot_keeps_its_own():
    _, boot = fresh()
    boot.stage(0)
    boot.mark_tried(0)
    boot.confirm(0)
    assert boot.marks(0) == (True, True, True, 1)
    assert boot.marks(1) == (False, False, False, 0)


def test_a_trailer_with_any_one_mark_is_not_blank():
    for mark in (BootState.stage, BootState.mark_tried, BootState.confirm):
        _, boot = fresh()
        mark(boot, 0)
        assert not boot.is_blank_trailer(0)


def test_the_slot_confirmed_last_has_the_highest_sequence():
    _, boot = fresh()
    boot.confirm(0)
    boot.confirm(1)
    boot.clear_marks(0)
    boot.confirm(0)
    assert boot.marks(1).confirm_sequence == 2
    assert boot.marks(0).confirm_sequence == 3


def test_confirming_twice_changes_nothing():
    _, boot = fresh()
    boot.confirm(0)
    boot.confirm(0)
    assert boot.marks(0).confirm_sequence == 1


def test_a_torn_staged_or_confirmed_mark_does_not_count():
    flash, boot = fresh()
    trailer = SMALL.slot_offsets[0] + boot.slot_limit_bytes
    flash.data[trailer : trailer + 16] = UNIT_STAGED[:16]
    flash.data[trailer + 64 : trailer + 84] = confirmed_unit(7)[:20]
    assert boot.marks(0) == (False, False, False, 0)


def test_a_torn_tried_mark_counts():
    flash, boot = fresh()
    flash.data[SMALL.slot_offsets[0] + boot.slot_limit_bytes + 32] = 0
    assert boot.marks(0).is_tried


def test_every_damaged_byte_of_a_confirmed_unit_unconfirms_it():
    unit = confirmed_unit(5)
    assert confirm_sequence(unit) == 5
    for at in range(len(unit)):
        damaged = bytearray(unit)
        damaged[at] ^= 1
        assert confirm_sequence(bytes(damaged)) == 0


def test_either_copy_of_the_lock_locks_even_half_written():
    for offset in SMALL.lock_offsets:
        flash, boot = fresh()
        assert not boot.is_locked()
        flash.data[offset + 31] = 0xFE
        assert boot.is_locked()


def test_any_byte_in_the_sector_of_a_lock_copy_locks():
    for offset in SMALL.lock_offsets:
        for at in (offset, offset + SMALL.unit_bytes, offset + SMALL.sector_bytes - 1):
            flash, boot = fresh()
            flash.data[at] = 0x7F
            assert boot.is_locked()


def test_locking_twice_is_allowed_and_completes_a_torn_lock():
    flash, boot = fresh()
    flash.data[SMALL.lock_offsets[0]] = 0
    boot.lock()
    boot.lock()
    assert flash.data[SMALL.lock_offsets[1]] != 0xFF


def test_the_security_counter_only_grows():
    _, boot = fresh()
    boot.raise_security_counter(3)
    boot.raise_security_counter(1)
    assert boot.security_counter() == 3


def test_a_counter_beyond_the_board_is_refused_and_changes_nothing():
    _, boot = fresh()
    try:
        boot.raise_security_counter(129)
        raise AssertionError("accepted")
    except FlashError:
        assert boot.security_counter() == 0


def refused(action, *arguments):
    try:
        action(*arguments)
    except FlashError as error:
        return error
    raise AssertionError("accepted")


def test_every_place_of_a_slot_is_read_and_none_outside_of_it():
    _, boot = fresh()
    limit = boot.slot_limit_bytes
    for offset, length in ((0, 0), (0, limit), (limit, 0), (limit - 1, 1)):
        assert boot.read(0, offset, length) == b"\xff" * length
    for offset, length in ((limit - 1, 2), (limit, 1), (0, limit + 1), (-1, 1), (-2, 1), (1, -1), (2, -2)):
        assert refused(boot.read, 0, offset, length).fields == {
            "reason": "outside the slot",
            "offset": offset,
        }


def test_nothing_is_erased_or_written_outside_of_a_slot():
    flash, boot = fresh()
    limit = boot.slot_limit_bytes
    for action, arguments in (
        (boot.rewrite_sector, (0, limit - 4096, bytes(4128))),
        (boot.rewrite_sector, (0, limit, bytes(32))),
        (boot.rewrite_sector, (0, -4096, bytes(32))),
        (boot.erase_sector, (0, limit)),
        (boot.erase_sector, (1, -4096)),
        (boot.program, (0, limit - 32, bytes(64))),
        (boot.program, (0, -32, bytes(32))),
    ):
        refused(action, *arguments)
    assert flash.erased == [] and flash.data == b"\xff" * len(flash.data)


def test_a_sector_is_erased_before_it_is_written_again_and_no_other_one_is():
    flash, boot = fresh()
    limit = boot.slot_limit_bytes
    for slot in (0, 1):
        for content in (b"a" * 4096, b"b" * 33):
            boot.rewrite_sector(slot, limit - 4096, content)
            assert boot.read(slot, limit - 4096, len(content)) == content
        assert boot.read(slot, limit - 4063, 4063) == b"\xff" * 4063
        boot.erase_sector(slot, limit - 4096)
        assert boot.read(slot, limit - 4096, 4096) == b"\xff" * 4096
        assert flash.erased == [SMALL.slot_offsets[slot] + limit - 4096] * 3
        flash.erased = []


def test_the_unit_of_a_confirm_is_prefix_number_its_complement_and_zeros():
    for number, text in (
        (5, "05000000faffffff"),
        (0x01020304, "04030201fbfcfdfe"),
        (0xFFFFFFFE, "feffffff01000000"),
    ):
        unit = CONFIRMED_PREFIX + bytes([int(text[at : at + 2], 16) for at in range(0, 16, 2)]) + bytes(8)
        assert confirmed_unit(number) == unit and confirm_sequence(unit) == number
    for number in (
        0,
        0xFFFFFFFF,
    ):  # never written: 0 means not confirmed, the other one reads like an erased unit
        assert confirm_sequence(confirmed_unit(number)) == 0
    assert confirm_sequence(b"\xff" * 32) == confirm_sequence(bytes(32)) == 0


def test_another_value_in_the_place_of_a_staged_mark_does_not_count():
    flash, boot = fresh()
    trailer = SMALL.slot_offsets[0] + boot.slot_limit_bytes
    for other in (bytes(32), UNIT_STAGED[:-1] + bytes((UNIT_STAGED[-1] ^ 1,))):
        flash.data[trailer : trailer + 32] = other
        assert boot.marks(0).is_staged is False and not boot.is_blank_trailer(0)


def test_the_counter_reaches_its_capacity():
    _, boot = fresh()
    assert boot.counter_capacity == 128
    boot.raise_security_counter(128)
    assert boot.security_counter() == 128
    refused(boot.raise_security_counter, 129)


def test_a_unit_that_is_not_locked_says_so():
    _, boot = fresh()
    assert boot.is_locked() is False
    boot.lock()
    assert boot.is_locked() is True


def test_the_digest_is_that_of_the_stored_bytes_from_its_start():
    _, boot = fresh()
    content = bytes([at % 251 for at in range(4096)])
    boot.rewrite_sector(1, 4096, content)
    for start, size in ((4096, 4096), (4096, 1024), (4096, 1025), (5000, 3000), (4096, 0), (4096, 1)):
        part = content[start - 4096 : start - 4096 + size]
        assert boot.digest(1, size, start) == sha256(part).digest()


def test_the_image_of_a_slot_is_read_by_the_boards_own_parser():
    boot = BootState(MemoryFlash(), SMALL, lambda read, limit: (read(1, 3), limit))
    boot.rewrite_sector(1, 0, b"abcd" + bytes(28))
    assert boot.image(1, 4096) == (b"bcd", 4096)
    assert boot.image(0, 64) == (b"\xff" * 3, 64)


class Listed(MemoryFlash):
    """A flash that lists where and how much was written."""

    def __init__(self):
        super().__init__()
        self.written = []

    def write(self, offset, data):
        super().write(offset, data)
        self.written.append((offset, len(data)))


def test_only_the_last_unit_of_a_payload_is_padded_and_written_apart():
    start = SMALL.slot_offsets[1]
    for length, pieces in (
        (100, [(start, 96), (start + 96, 32)]),
        (96, [(start, 96)]),
        (5, [(start, 32)]),
        (0, []),
    ):
        flash = Listed()
        data = bytes(range(length))
        BootState(flash, SMALL).program(1, 0, memoryview(data))
        assert flash.written == pieces
        assert bytes(flash.data[start : start + 128]) == data + b"\xff" * (128 - length)
