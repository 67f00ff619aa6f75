"""Rollouts: a unit outside of the share waits, for a bounded time, and only for the named release."""

from memory_unit import PoweredUnit

from device.limits import ROLLOUT_SHARES, WITHHELD_S
from device.records.freshness import Freshness, Rollout
from device.update.rollout import holds, position
from device.update.withheld import Withheld

KEY = b"k" * 16
UNIT = bytes(range(16))
PLACE = position(KEY, UNIT)
NUMBERS = (1, 1)  # of support record and key set


def fresh(share, sequence=5, newest=5, key=KEY):
    return Freshness(0, newest, 1, 1, Rollout(sequence, key, share))


def counter():
    return PoweredUnit(Withheld)


def test_a_unit_waits_until_the_share_is_above_its_position():
    withheld = counter().counter
    assert 0 < PLACE < ROLLOUT_SHARES
    assert holds(fresh(0), 5, UNIT, withheld)
    assert holds(fresh(PLACE), 5, UNIT, withheld)
    assert not holds(fresh(PLACE + 1), 5, UNIT, withheld)
    assert not holds(fresh(ROLLOUT_SHARES), 5, UNIT, withheld)


def test_another_key_gives_another_position():
    places = [position(bytes((number,)) * 16, UNIT) for number in range(50)]
    assert len(set(places)) > 40 and min(places) < 2500 and max(places) > 7500


def test_positions_of_many_units_are_spread():
    below = [1 for number in range(400) if position(KEY, bytes((number >> 8, number & 255))) < 1000]
    assert 20 < len(below) < 65


def test_only_the_named_release_is_held_back():
    withheld = counter().counter
    assert not holds(fresh(0), 6, UNIT, withheld)
    assert not holds(fresh(0), 4, UNIT, withheld)


def test_nothing_is_held_back_without_a_rollout_or_an_id():
    withheld = counter().counter
    assert not holds(None, 5, UNIT, withheld)
    assert not holds(Freshness(0, 5, 1, 1, None), 5, UNIT, withheld)
    assert not holds(fresh(0), 5, None, withheld)


def test_a_release_that_the_tracker_does_not_name_as_newest_is_not_held_back():
    assert not holds(fresh(0, newest=4), 5, UNIT, counter().counter)


def test_the_wait_ends_after_the_time_of_a_withheld_release():
    unit = counter()
    for _ in range(3):
        unit.counter.hear(fresh(0))
        unit.counter.compare((4,) + NUMBERS)
        assert holds(fresh(0), 5, UNIT, unit.counter)
        unit.run(WITHHELD_S // 3)
    assert not holds(fresh(0), 5, UNIT, unit.counter)
