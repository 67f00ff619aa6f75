"""Staleness: 72 hours of powered-on time without a freshness record, counted over restarts, few writes (UP-13)."""

from memory_unit import PoweredUnit

from device.limits import STALE_AFTER_S, STALE_GRACE_S, STALE_STEP_S
from device.records.staleness import Staleness
from device.records.store import DEVICE, Store


class Unit(PoweredUnit):
    def __init__(self):
        super().__init__(Staleness)

    @property
    def staleness(self):
        return self.counter

    def writes(self):
        return len(self.records.log)


def test_a_fresh_unit_is_not_stale():
    assert not Unit().staleness.is_stale


def test_72_hours_in_one_go_make_a_unit_stale():
    unit = Unit()
    unit.run(STALE_AFTER_S - STALE_STEP_S)
    assert not unit.staleness.is_stale
    unit.run(STALE_STEP_S)
    assert unit.staleness.is_stale


def test_the_hours_of_many_starts_add_up():
    unit = Unit()
    for _ in range(80):
        unit.run(3600)
        unit.restart()
    assert unit.staleness.is_stale


def test_a_restart_takes_no_time_back():
    unit = Unit()
    unit.run(3600)
    charged = unit.staleness.charged_s
    unit.restart()
    assert unit.staleness.charged_s == charged >= 3600


def test_restarting_does_not_keep_a_unit_from_becoming_stale():
    unit = Unit()
    for _ in range(STALE_AFTER_S // STALE_STEP_S):
        unit.run(STALE_GRACE_S)
        unit.restart()
    assert unit.staleness.is_stale


def test_word_of_the_maker_ends_it_and_is_stored():
    unit = Unit()
    unit.run(STALE_AFTER_S)
    unit.staleness.heard()
    assert not unit.staleness.is_stale
    unit.restart()
    assert not unit.staleness.is_stale and unit.staleness.charged_s == 0


def test_a_unit_that_reaches_its_server_at_once_writes_nothing():
    unit = Unit()
    for _ in range(100):
        unit.clock.ms += 30000
        unit.staleness.tick()
        unit.staleness.heard()
        unit.restart()
    assert unit.writes() == 0


def test_writes_are_bounded_by_the_step_and_end_when_stale():
    unit = Unit()
    unit.run(2 * STALE_AFTER_S)
    assert unit.writes() <= STALE_AFTER_S // STALE_STEP_S


def test_a_damaged_count_is_stale_until_word_comes():
    unit = Unit()
    unit.run(3600)
    unit.records.damage("unheard")
    unit.restart()
    assert unit.staleness.is_stale
    unit.staleness.heard()
    unit.restart()
    assert not unit.staleness.is_stale


def test_a_count_that_cannot_be_is_stale():
    for value in (-1, True, STALE_AFTER_S + 1, b"x"):
        unit = Unit()
        Store(unit.records, DEVICE).write_map("unheard", {1: value})
        unit.restart()
        assert unit.staleness.is_stale, value


def charged_after(unit, length_ms):
    """Return what is charged once so many milliseconds more have passed in one go."""
    unit.clock.ms += length_ms
    unit.staleness.tick()
    return unit.staleness.charged_s


def test_the_first_step_is_charged_at_the_end_of_the_grace_and_each_further_one_when_it_begins():
    unit = Unit()
    assert charged_after(unit, 0) == 0
    assert charged_after(unit, STALE_GRACE_S * 1000 - 1) == 0
    assert charged_after(unit, 1) == STALE_STEP_S
    assert charged_after(unit, STALE_STEP_S * 1000 - 1) == STALE_STEP_S
    assert charged_after(unit, 1) == 2 * STALE_STEP_S
    assert charged_after(unit, 3 * STALE_STEP_S * 1000) == 5 * STALE_STEP_S


def test_a_distance_that_looks_negative_counts_as_none():
    unit = Unit()
    assert charged_after(unit, (1 << 29) + 1000) == 0
    assert charged_after(unit, STALE_GRACE_S * 1000 - 1) == 0
    assert charged_after(unit, 1) == STALE_STEP_S


def test_after_a_record_the_next_step_is_charged_a_whole_step_later():
    unit = Unit()
    for passed_ms in (0, 30000, STALE_GRACE_S * 1000 + 5):
        unit.clock.ms += passed_ms
        unit.staleness.heard()
        assert charged_after(unit, STALE_STEP_S * 1000 - 1) == 0
        assert charged_after(unit, 1) == STALE_STEP_S


def test_the_count_ends_at_its_bound_and_is_stored_under_its_number():
    unit = Unit()
    assert charged_after(unit, 2 * STALE_AFTER_S * 1000) == STALE_AFTER_S
    assert unit.records.names() == ["unheard"]
    assert Store(unit.records, DEVICE).read_map("unheard") == {1: STALE_AFTER_S}
    assert charged_after(unit, STALE_STEP_S * 1000) == STALE_AFTER_S and unit.writes() == 1
