"""The slot that the ROM starts on the machine: staged, tried, confirmed, torn, watchdog, lock."""

import pytest

from device.layout import (
    MARK_CONFIRMED,
    MARK_STAGED,
    MARK_TRIED,
    MPS2,
    UNIT_LOCKED,
    UNIT_STAGED,
    UNIT_TRIED,
)
from renode.nvm import confirmed_unit, trailer_offset
from tests.emulated.boot_support import START_TIMEOUT_S, stub_line

pytestmark = pytest.mark.emulated

POWER_ON, SOFTWARE, WATCHDOG, EXTERNAL = "0", "1", "2", "3"


@pytest.fixture
def old_and_new(bench, board):
    """Image 1 confirmed in slot 0, image 2 staged in slot 1."""
    board.nvm.install(0, bench.recipe.signed(), is_tried=True, confirm_sequence=1)
    board.nvm.install(1, bench.recipe.but(version=(2, 0, 0, 0)).signed())
    return board


def started(board) -> tuple[str, str, str]:
    """Return (slot, is it a trial, reset reason) of the image that starts next."""
    said = stub_line(board)
    return said["slot"], said["trial"], said["reset"]


def test_a_staged_slot_starts_once_as_a_trial_and_is_marked_tried_before(old_and_new):
    old_and_new.power_on()
    assert old_and_new.console.wait_for(r"^rom: slot (.*)\n", START_TIMEOUT_S).group(1) == (
        "1 trial, image 2.0.0, counter 0"
    )
    assert started(old_and_new) == ("1", "1", POWER_ON)
    old_and_new.cut_power()
    assert old_and_new.nvm.read(trailer_offset(1) + MARK_TRIED, 32) == UNIT_TRIED


@pytest.mark.parametrize("restart, reason", [("r", SOFTWARE), ("w", WATCHDOG)])
def test_a_trial_that_restarts_without_confirming_is_reverted(old_and_new, restart, reason):
    old_and_new.power_on()
    assert started(old_and_new)[:2] == ("1", "1")
    old_and_new.console.send(restart.encode())
    assert started(old_and_new) == ("0", "0", reason)


def test_a_trial_whose_power_was_cut_is_reverted(old_and_new):
    old_and_new.power_on()
    stub_line(old_and_new)
    old_and_new.cut_power()
    old_and_new.power_on()
    assert started(old_and_new) == ("0", "0", POWER_ON)


def test_a_trial_that_is_reset_from_outside_is_reverted(old_and_new):
    old_and_new.power_on()
    stub_line(old_and_new)
    old_and_new.reset()
    assert started(old_and_new) == ("0", "0", EXTERNAL)


def test_a_trial_that_confirmed_starts_again_and_again(old_and_new):
    old_and_new.power_on()
    stub_line(old_and_new)
    old_and_new.console.send(b"c2r")
    assert started(old_and_new) == ("1", "0", SOFTWARE)
    old_and_new.reset()
    assert started(old_and_new) == ("1", "0", EXTERNAL)


def test_a_trial_that_hangs_is_ended_by_the_watchdog_as_the_rom_set_it(bench, tmp_path):
    # 128 ns of guest time per instruction: the watchdog's 20 s pass within a second.
    with bench.board(tmp_path / "board", icount_shift=7) as board:
        board.nvm.install(0, bench.recipe.signed(), is_tried=True, confirm_sequence=1)
        board.nvm.install(1, bench.recipe.signed())
        board.power_on(button_held=True)
        board.console.wait_for(r"^rom: slot 1 trial", START_TIMEOUT_S)
        board.console.wait_for(r"^stub: watchdog\n", START_TIMEOUT_S)
        assert started(board) == ("0", "0", WATCHDOG)


def test_the_watchdog_is_armed_for_ten_seconds_before_the_jump(bench, board):
    board.nvm.install(0, bench.recipe.signed(), is_tried=True, confirm_sequence=1)
    board.power_on()
    said = stub_line(board)
    assert (said["watchdog_load"], said["watchdog_control"]) == (str(10 * 25_000_000), "3")


def test_the_vector_table_is_the_images(bench, board):
    board.nvm.install(0, bench.recipe.signed(), is_tried=True, confirm_sequence=1)
    board.power_on()
    assert stub_line(board)["vtor"] == str(0x00100200)


def test_the_slot_confirmed_last_wins_whatever_its_version(bench, board):
    board.nvm.install(0, bench.recipe.but(version=(9, 0, 0, 0)).signed(), is_tried=True, confirm_sequence=4)
    board.nvm.install(1, bench.recipe.but(version=(1, 0, 0, 0)).signed(), is_tried=True, confirm_sequence=5)
    board.power_on()
    assert started(board)[:2] == ("1", "0")


def test_when_the_slot_confirmed_last_is_damaged_the_other_confirmed_one_starts(bench, board):
    board.nvm.install(0, bench.recipe.signed(), is_tried=True, confirm_sequence=4)
    board.nvm.install(1, bench.recipe.but(key=bench.stranger).signed(), is_tried=True, confirm_sequence=5)
    board.power_on()
    board.console.wait_for(r"^rom: slot 1 refused: unknown key\n", START_TIMEOUT_S)
    assert started(board)[:2] == ("0", "0")


TORN = {
    "staged": (MARK_STAGED, UNIT_STAGED[:31], ("0", "0")),
    "tried by one byte": (MARK_TRIED, UNIT_TRIED[:1], ("0", "0")),
    "confirmed": (MARK_CONFIRMED, confirmed_unit(9)[:31], ("1", "1")),
}


@pytest.mark.parametrize("mark, torn, expected", TORN.values(), ids=TORN.keys())
def test_a_torn_mark_errs_on_the_side_that_starts_less(old_and_new, mark, torn, expected):
    unit = trailer_offset(1) + mark
    old_and_new.nvm.write(unit, torn.ljust(32, b"\xff"))
    old_and_new.power_on()
    assert started(old_and_new)[:2] == expected


def test_a_confirm_whose_complement_is_wrong_does_not_count(bench, board):
    unit = bytearray(confirmed_unit(9))
    unit[20] ^= 1
    board.nvm.install(0, bench.recipe.signed(), is_tried=True, confirm_sequence=1)
    board.nvm.install(1, bench.recipe.signed(), is_tried=True)
    board.nvm.write(trailer_offset(1) + MARK_CONFIRMED, bytes(unit))
    board.power_on()
    assert started(board)[:2] == ("0", "0")


def test_a_slot_tried_but_never_confirmed_does_not_start_even_as_the_only_one(bench, board):
    board.nvm.install(0, bench.recipe.signed(), is_tried=True)
    board.power_on()
    board.console.wait_for(r"^rom: no valid image in either slot: not booting\n", START_TIMEOUT_S)


LOCKS = {
    "erased": (0, b"", "0"),
    "first copy": (MPS2.lock_offsets[0], UNIT_LOCKED, "1"),
    "second copy": (MPS2.lock_offsets[1], UNIT_LOCKED, "1"),
    "first copy torn to one byte": (MPS2.lock_offsets[0], UNIT_LOCKED[:1], "1"),
    "one bit at the end of the second copy's sector": (MPS2.lock_offsets[1] + 4095, b"\xfe", "1"),
}


@pytest.mark.parametrize("offset, data, is_locked", LOCKS.values(), ids=LOCKS.keys())
def test_any_programmed_byte_of_either_lock_copy_is_locked(bench, board, offset, data, is_locked):
    board.nvm.install(0, bench.recipe.signed(), is_tried=True, confirm_sequence=1)
    board.nvm.write(offset, data)
    board.power_on()
    assert stub_line(board)["locked"] == is_locked


def test_a_boot_of_a_confirmed_slot_writes_nothing_to_nvm(bench, board):
    board.nvm.install(0, bench.recipe.signed(), is_tried=True, confirm_sequence=1)
    before = board.nvm.path.read_bytes()
    board.power_on()
    stub_line(board)
    board.cut_power()
    assert board.nvm.path.read_bytes() == before
