"""Releases that the tracker names and no source has: powered-on time is counted, and reported past a limit (UP-13)."""

from memory_unit import PoweredUnit

from device.errors import FreshnessError
from device.limits import STALE_GRACE_S, STALE_STEP_S, WITHHELD_S
from device.records import freshness
from device.records.counters import NOTHING_WITHHELD
from device.records.freshness import Freshness
from device.records.store import DEVICE, RECORDS, Store
from device.update.withheld import ABOVE_ALL, KINDS, Withheld, words

RELEASE = (9, 1, 1)
ALL = (9, 9, 9)
HAVE = (1, 1, 1)


class Unit(PoweredUnit):
    def __init__(self):
        super().__init__(Withheld)

    @property
    def withheld(self):
        return self.counter

    def check(self, named=RELEASE, have=HAVE):
        """One exchange with a source. Returns the bits that it adds."""
        self.withheld.hear(Freshness(0, named[0], named[1], named[2], None))
        return self.withheld.compare(have)

    def is_zero(self):
        return Store(self.records, DEVICE).read_map("withheld") == NOTHING_WITHHELD


def withheld_unit(named=ALL):
    unit = Unit()
    unit.check(named)
    unit.run(WITHHELD_S)
    unit.check(named)
    return unit


def test_a_unit_that_has_what_is_named_writes_nothing_for_ever():
    unit = Unit()
    for _ in range(10):
        assert unit.check(HAVE) == 0
        unit.run(WITHHELD_S)
    assert unit.withheld.bits == 0 and unit.records.log == []


def test_each_kind_is_withheld_by_itself_exactly_from_the_bound_on():
    for index in range(len(KINDS)):
        named = list(HAVE)
        named[index] = 9
        unit = Unit()
        unit.check(named)
        unit.run(WITHHELD_S - STALE_STEP_S)
        assert unit.withheld.seconds[index] == WITHHELD_S - STALE_STEP_S
        assert unit.check(named) == 0 and unit.withheld.bits == 0, KINDS[index]
        unit.run(STALE_STEP_S)
        assert unit.withheld.bits == 0, "only an exchange shows that it is still missing"
        assert unit.check(named) == 1 << index
        assert unit.withheld.bits == 1 << index
        assert words(unit.withheld.bits) == [KINDS[index]]
        assert unit.check(named) == 0, "it began once"


def test_a_number_that_is_one_above_counts_and_an_equal_one_does_not():
    for named, is_behind in ((1, False), (2, True), (0, False)):
        unit = Unit()
        unit.check((named, 1, 1))
        unit.run(WITHHELD_S)
        assert bool(unit.check((named, 1, 1))) == is_behind, named


def test_the_time_and_the_state_outlive_restarts():
    unit = Unit()
    unit.check()
    for _ in range(40):
        unit.run(3600)
        unit.restart()
    assert unit.check() == 0
    for _ in range(40):
        unit.run(3600)
        unit.restart()
    assert unit.check() == 1
    unit.restart()
    assert unit.withheld.bits == 1, "shown before the first exchange after a restart"
    assert unit.check() == 0, "and no second event"


def test_it_ends_when_the_newest_arrives_and_stays_ended():
    unit = withheld_unit()
    assert unit.withheld.bits == 7
    assert unit.check(ALL, (9, 1, 9)) == 0
    assert words(unit.withheld.bits) == ["support record"]
    assert unit.check(ALL, ALL) == 0
    assert unit.withheld.bits == 0 and unit.is_zero()
    unit.restart()
    assert unit.withheld.bits == 0


def test_what_ends_at_the_first_check_of_a_start_stays_ended():
    unit = withheld_unit()
    unit.restart()
    assert unit.check(ALL, ALL) == 0 and unit.is_zero()


def test_only_an_exchange_replaces_a_damaged_record():
    unit = withheld_unit()
    unit.records.damage("withheld")
    unit.restart()
    unit.records.log = []
    unit.withheld.tick()
    assert unit.records.log == []
    unit.check()
    assert unit.records.log == ["write withheld"]


def test_it_ends_when_the_tracker_names_what_the_unit_has():
    unit = withheld_unit()
    unit.check(HAVE)
    assert unit.withheld.bits == 0 and unit.is_zero()


def test_a_tracker_that_names_no_key_set_says_nothing_about_one():
    unit = withheld_unit()
    unit.check((9, 9, None))
    assert words(unit.withheld.bits) == ["release", "support record"]


def test_a_unit_that_is_one_release_late_but_advances_is_never_late_for_long():
    unit = Unit()
    for number in range(1, 60):
        assert unit.check((number + 1, 1, 1), (number, 1, 1)) == 0
        unit.run(7200)
    assert unit.withheld.bits == 0


def test_newer_names_do_not_begin_the_time_again():
    unit = Unit()
    for number in range(100):
        unit.check((9 + number, 1, 1))
        unit.run(WITHHELD_S // 50)
    assert unit.withheld.bits == 1


def test_a_key_set_of_the_roots_ends_what_a_stolen_tracker_key_named():
    unit = withheld_unit((ABOVE_ALL - 1, ABOVE_ALL - 1, ABOVE_ALL - 1))
    assert unit.withheld.bits == 7
    unit.withheld.forget()
    assert unit.withheld.bits == 0 and unit.is_zero()
    assert unit.withheld.compare(HAVE) == 0, "nothing is named until the next record"
    unit.run(WITHHELD_S)
    assert unit.is_zero(), "so nothing is counted"
    assert unit.check(HAVE) == 0 and unit.is_zero()


def test_the_lowest_number_that_was_named_is_the_one_that_is_waited_for():
    unit = Unit()
    unit.check((10, 1, 1))
    unit.check((12, 1, 1))
    unit.run(WITHHELD_S)
    assert unit.check((12, 1, 1), (10, 1, 1)) == 0, "what was missing arrived"


def test_a_newer_release_than_the_missing_one_begins_the_time_again():
    unit = Unit()
    unit.check((10, 1, 1))
    unit.run(WITHHELD_S)
    assert unit.check((12, 1, 1), (11, 1, 1)) == 0
    assert unit.withheld.numbers[0] == 12 and unit.withheld.seconds[0] == 0


def test_a_tracker_that_names_less_than_the_unit_has_ends_the_time():
    unit = Unit()
    unit.check((9, 1, 1))
    unit.run(WITHHELD_S)
    assert unit.check((3, 1, 1), (5, 1, 1)) == 0
    assert unit.withheld.numbers == unit.withheld.seconds == [0, 0, 0]


def test_before_the_first_record_nothing_is_compared():
    assert Unit().withheld.compare(HAVE) == 0


def test_the_number_of_a_damaged_record_is_the_first_that_no_tracker_may_name():
    assert ABOVE_ALL == 9007199254740992
    asked = freshness.challenge(b"n" * 16, b"c" * 16, 0)
    for number, is_taken in ((ABOVE_ALL - 1, True), (ABOVE_ALL, False)):
        payload = freshness.encode_payload(asked.class_id, asked.nonce, 0, number, 0)
        try:
            freshness.accept(payload, asked, 0, 0)
            assert is_taken
        except FreshnessError:
            assert not is_taken


def test_an_ordinary_update_writes_nothing():
    unit = Unit()
    unit.run(120)
    unit.check()
    unit.clock.ms += 600000
    unit.check(RELEASE, (9, 1, 1))
    unit.withheld.tick()
    assert unit.records.log == []


def test_writes_are_bounded_by_the_step_and_end_at_the_bound():
    unit = Unit()
    unit.check(ALL)
    for _ in range(6):
        unit.run(WITHHELD_S // 2)
        unit.check(ALL)
    assert len(unit.records.log) <= WITHHELD_S // STALE_STEP_S + 1


def test_restarting_does_not_keep_the_state_away():
    unit = Unit()
    for _ in range(WITHHELD_S // STALE_STEP_S + 1):
        unit.check()
        unit.run(STALE_GRACE_S)
        unit.restart()
    assert unit.withheld.bits == 1


def test_a_damaged_record_counts_as_a_full_time_if_the_unit_is_late():
    for named, bits in ((ALL, 7), (RELEASE, 1), (HAVE, 0)):
        unit = Unit()
        unit.check(ALL)
        unit.run(7200)
        unit.records.damage("withheld")
        unit.restart()
        assert unit.withheld.bits == 0
        assert unit.check(named) == bits
        unit.restart()
        assert unit.withheld.bits == bits
        assert unit.is_zero() == (bits == 0)


def test_a_record_that_cannot_be_counts_as_a_damaged_one():
    good = {1: 0, 2: [9, 0, 0], 3: [1800, 0, 0]}
    for key, value in (
        (1, 8), (1, True), (1, None), (2, [9, 0]), (2, [9, 0, 0, 0]), (2, [-1, 0, 0]), (2, [True, 0, 0]), (2, 9),
        (2, [(1 << 64) - 1, 0, 0]), (3, [WITHHELD_S + 1, 0, 0]), (3, [b"x", 0, 0]), (3, []),
    ):  # fmt: skip
        unit = Unit()
        fields = dict(good)
        fields[key] = value
        Store(unit.records, DEVICE).write_map("withheld", fields)
        unit.restart()
        assert unit.withheld.bits == 0, (key, value)
        assert unit.check(ALL) == 7, (key, value)


def test_the_largest_record_fits():
    unit = withheld_unit((ABOVE_ALL - 1, ABOVE_ALL - 1, ABOVE_ALL - 1))
    most = [entry.max_bytes for entry in RECORDS if entry.name == "withheld"]
    assert len(Store(unit.records, DEVICE).read("withheld")) <= most[0]


def test_without_a_named_key_set_a_unit_with_the_factorys_keys_is_not_behind():
    unit = Unit()
    unit.check((1, 1, None), (1, 1, 0))
    assert unit.withheld.named(2) == 0
    unit.run(WITHHELD_S)
    assert unit.check((1, 1, None), (1, 1, 0)) == 0 and unit.records.log == []


def test_the_number_that_was_named_last_is_kept_for_each_kind():
    unit = Unit()
    for named in ((5, 6, 7), (4, 8, 9)):
        unit.check(named)
        assert tuple([unit.withheld.named(index) for index in range(3)]) == named
