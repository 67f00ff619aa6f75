"""The shapes that a torn program or erase leaves: within the physics of NOR flash, each by its name."""

from __future__ import annotations

import random

import pytest

from simulator.ports import torn
from simulator.ports.flash import TORN, PowerCut, SimFlash
from simulator.ports.torn import ERASES, MOST, STABLE, WRITES

OLD = bytes(range(256)) * 16
WRITE_TEARS = range(len(WRITES))
ERASE_TEARS = range(len(ERASES))


def torn_flash(tear: int, action: str) -> SimFlash:
    flash = SimFlash(seed=7)
    flash.corrupt(4096, OLD)
    flash.cut_at(1, TORN, tear)
    with pytest.raises(PowerCut):
        if action == "erase":
            flash.erase(4096)
        else:
            flash.write(0, OLD)
    flash.power_on()
    return flash


@pytest.mark.parametrize("tear", WRITE_TEARS)
def test_a_torn_write_sets_no_bit_that_was_not_wanted(tear: int) -> None:
    left = torn.torn_write(OLD, 32, tear, random.Random(1))
    assert all(want & ~got & 0xFF == 0 for want, got in zip(OLD, left.data, strict=False))
    assert left.data != OLD or any(left.unstable)


@pytest.mark.parametrize("tear", ERASE_TEARS)
def test_a_torn_erase_leaves_something_of_the_old_content_or_zeros(tear: int) -> None:
    left = torn.torn_erase(OLD, tear, random.Random(1))
    assert len(left.data) == len(OLD)
    is_between = all(old & ~got & 0xFF == 0 for old, got in zip(OLD, left.data, strict=True))
    assert is_between or not any(left.data)


def test_the_measured_shares_of_an_erase_are_kept() -> None:
    zeros = 8 * 4096
    for tear, share in ((1, 0.045), (2, 0.0035)):
        left = torn.torn_erase(bytes(4096), tear, random.Random(1)).data
        still = sum(8 - byte.bit_count() for byte in left)
        assert 0.9 * share < still / zeros <= share


def test_words_may_end_in_the_middle_of_a_unit() -> None:
    ends = {len(torn.torn_write(OLD, 32, 1, random.Random(seed)).data) % 32 for seed in range(50)}
    assert len(ends) > 4 and all(end % 4 == 0 for end in ends)


@pytest.mark.parametrize("action", ["write", "erase"])
def test_an_unstable_bit_reads_differently_until_its_sector_is_erased(action: str) -> None:
    flash = torn_flash(MOST - 1, action)
    offset = 4096 if action == "erase" else 0
    assert len({flash.read(offset, 4096) for _ in range(20)}) > 1
    flash.erase(offset)
    assert {flash.read(offset, 4096) for _ in range(20)} == {b"\xff" * 4096}


def test_unstable_bits_survive_a_snapshot() -> None:
    flash = torn_flash(MOST - 1, "erase")
    again = SimFlash()
    again.restore(flash.snapshot())
    assert len({again.read(4096, 4096) for _ in range(20)}) > 1


@pytest.mark.parametrize("tear", range(STABLE))
def test_every_other_shape_reads_the_same_each_time(tear: int) -> None:
    for action, offset in (("write", 0), ("erase", 4096)):
        flash = torn_flash(tear, action)
        assert len({flash.read(offset, 4096) for _ in range(5)}) == 1


def test_a_shape_has_its_name() -> None:
    assert [torn.shape_name("write", tear) for tear in range(7)] == [
        "bits", "words", "page", "stuck", "faint", "unstable", "bits",
    ]  # fmt: skip
    assert torn.shape_name("erase", 3) == "zeros"
