"""PW-14: the delay by the count of failures, to the millisecond and over the wrap of the ticks."""

from memory_unit import MemoryClock, MemoryRecords

from device.limits import THROTTLE_CAP_S, THROTTLE_FREE
from device.owner.throttle import Throttle, delay_s
from device.records.store import DEVICE, USER, Store

PERIOD_MS = 1 << 30


class Unit:
    """The count of a unit that nobody owns, in memory."""

    def __init__(self):
        self.records = MemoryRecords()
        self.store = Store(self.records, USER)
        self.clock = MemoryClock()
        self.restart()

    def restart(self):
        self.throttle = Throttle(self.store, self.clock, Store(MemoryRecords(), DEVICE))

    def fail(self, times):
        for _ in range(times):
            self.throttle.count()


def test_the_delay_follows_from_the_count_of_failures():
    for failures in range(THROTTLE_FREE + 1):
        assert delay_s(failures) == 0
    for beyond, expected in ((1, 1), (2, 2), (9, 256), (10, THROTTLE_CAP_S), (17, THROTTLE_CAP_S)):
        assert delay_s(THROTTLE_FREE + beyond) == expected
    assert delay_s(1000) == THROTTLE_CAP_S


def test_a_count_that_cannot_be_read_is_a_thousand_and_a_thousand_is_the_most():
    unit = Unit()
    unit.fail(1)
    unit.records.damage("attempts")
    unit.restart()
    assert unit.throttle.failures == 1000
    unit.fail(1)
    assert unit.throttle.failures == 1000 and unit.store.read_map("attempts") == {1: 1000}


def test_a_delay_that_was_found_over_to_the_millisecond_does_not_return_when_the_ticks_wrap():
    unit = Unit()
    unit.fail(THROTTLE_FREE + 3)
    unit.clock.ms += 4000
    assert unit.throttle.wait_s() == 0
    unit.clock.ms += PERIOD_MS - 4000  # the same ticks as at the failure
    assert unit.throttle.wait_s() == 0


def test_a_distance_that_looks_negative_by_any_length_ends_the_delay():
    for passed_ms in (PERIOD_MS - 1, PERIOD_MS // 2):
        unit = Unit()
        unit.fail(THROTTLE_FREE + 3)
        unit.clock.ms += passed_ms
        assert unit.throttle.wait_s() == 0
