"""Boot facts: marks, lock, security counter."""

from memory_flash import SMALL, MemoryFlash

from device.errors import FlashError
from device.layout import UNIT_STAGED
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


def test_reading_outside_a_slot_is_refused():
    _, boot = fresh()
    try:
        boot.read(0, boot.slot_limit_bytes - 1, 2)
        raise AssertionError("accepted")
    except FlashError:
        pass
