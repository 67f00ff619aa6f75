"""A durable counter that is missing in an owned unit is lost: its reader assumes the worst (records/counters.py)."""

import test_keyset as base
from memory_unit import MemoryClock, MemoryUnit, refused
from test_update_keys import Bench, FakeSource

from device.errors import CounterLostError, KeySetError, PressError
from device.limits import STALE_AFTER_S, THROTTLE_CAP_S, WITHHELD_S
from device.owner import onboarding
from device.records import counters
from device.records.floors import Floors
from device.records.staleness import Staleness
from device.trust import keyset
from device.update.withheld import Withheld


def owned_unit():
    unit = MemoryUnit()
    unit.set_up()
    return unit


def test_set_up_begins_every_counter_before_it_marks_the_unit():
    unit = owned_unit()
    assert counters.are_kept(unit.device)
    assert unit.user.read_map("attempts") == {1: 0}
    assert unit.device.has("unheard") and unit.device.has("withheld")
    written = unit.device_records.log
    assert written.index("write withheld") < written.index("write owned")


def test_lost_attempts_of_an_owned_unit_count_as_many_until_the_password_was_right():
    unit = owned_unit()
    unit.user.delete("attempts")
    unit.restart()
    assert unit.owner.throttle.wait_s() == THROTTLE_CAP_S
    unit.clock.ms += THROTTLE_CAP_S * 1000
    unit.sign_in()
    unit.restart()
    assert unit.owner.throttle.wait_s() == 0


def test_a_unit_that_nobody_owns_has_no_attempts_and_waits_for_none():
    unit = MemoryUnit()
    assert not unit.user.has("attempts") and unit.owner.throttle.wait_s() == 0


def test_lost_time_without_contact_counts_as_the_whole_time():
    unit = owned_unit()
    assert not Staleness(unit.device, MemoryClock()).is_stale
    unit.device.delete("unheard")
    found = Staleness(unit.device, MemoryClock())
    assert found.charged_s == STALE_AFTER_S
    found.heard()
    assert not Staleness(unit.device, MemoryClock()).is_stale


def test_lost_time_behind_counts_as_the_whole_time():
    unit = owned_unit()
    assert Withheld(unit.device, MemoryClock()).seconds == [0, 0, 0]
    unit.device.delete("withheld")
    assert Withheld(unit.device, MemoryClock()).seconds == [WITHHELD_S] * 3


def test_each_lost_counter_is_an_error_for_the_owner_and_a_whole_unit_has_none():
    unit = owned_unit()
    assert counters.lost(unit.device, unit.user) == []
    unit.device.delete("unheard")
    unit.user.delete("attempts")
    found = counters.lost(unit.device, unit.user)
    assert [error.fields["name"] for error in found] == ["unheard", "attempts"]
    assert [type(error) for error in found] == [CounterLostError] * 2


def of_release_0_1():
    """Return an owned unit as release 0.1 leaves it: without the mark, and without counters that are zero."""
    unit = owned_unit()
    for name in ("unheard", "withheld"):
        unit.device.delete(name)
    unit.user.delete("attempts")
    unit.device.write_map("owned", {1: True})
    return unit


def test_a_unit_of_the_release_before_is_not_locked_out_by_counters_that_it_never_had():
    unit = of_release_0_1()
    unit.restart()
    assert unit.owner.throttle.wait_s() == 0 and unit.user.read_map("attempts") == {1: 0}
    assert counters.are_kept(unit.device) and not counters.lost(unit.device, unit.user)
    unit.sign_in()


def test_the_count_of_failures_of_the_release_before_is_kept():
    unit = of_release_0_1()
    unit.user.write_map("attempts", {1: 9})
    unit.restart()
    assert unit.user.read_map("attempts") == {1: 9} and unit.owner.throttle.wait_s() == 8


def test_a_release_on_trial_leaves_the_mark_and_the_counters_to_the_time_after_it():
    unit = of_release_0_1()
    before = dict(unit.device_records.content), dict(unit.user_records.content)
    unit.device.is_settled = unit.user.is_settled = False
    unit.restart()
    assert (unit.device_records.content, unit.user_records.content) == before
    assert unit.owner.throttle.wait_s() == 0


def test_a_start_of_a_unit_that_has_its_mark_and_its_counters_writes_nothing():
    unit = owned_unit()
    unit.device_records.log = unit.user_records.log = written = []
    unit.restart()
    assert written == []


def test_an_unreadable_mark_counts_as_one():
    unit = owned_unit()
    unit.device_records.damage("owned")
    assert counters.are_kept(unit.device)


# the press after a factory reset -------------------------------------------------------------------------------


def owner_with_button(unit):
    return onboarding.Owner(
        unit.device, unit.user, unit.clock, unit.entropy, 1000, "lamp-one.local", has_button=True
    )


def test_a_lost_record_of_the_press_asks_for_a_press_on_a_board_with_a_button():
    unit = MemoryUnit()
    unit.owner = owner_with_button(unit)
    refused(PressError, unit.set_up)
    unit.owner.pressed()
    unit.set_up()


def test_a_unit_from_the_factory_needs_no_press():
    unit = MemoryUnit()
    unit.device.write_map("press", {1: False})
    unit.owner = owner_with_button(unit)
    unit.set_up()


def test_a_damaged_record_of_the_press_asks_for_a_press():
    unit = MemoryUnit()
    unit.device.write_map("press", {1: False})
    unit.device_records.damage("press")
    refused(PressError, unit.set_up)


# the key set ---------------------------------------------------------------------------------------------------


def test_a_lost_key_set_brings_no_revoked_key_back():
    bench = with_key_set()
    bench.store.delete("keyset")
    floor = Floors(bench.store).keyset
    assert floor == 2
    refused(CounterLostError, keyset.effective, base.ANCHORS, bench.store.read("keyset"), floor)


def with_key_set():
    bench = Bench()
    bench.source = FakeSource()
    bench.source.offered_keys = base.signed(revoked=(b"tracker", b"author"))
    bench.source.tracker = b"tracker-2"
    assert bench.check() is None
    return bench


def test_a_damaged_or_lost_key_set_is_replaced_by_none_that_is_older():
    anchors = keyset.roots_only(base.ANCHORS, 3)
    error = refused(KeySetError, keyset.verify, base.signed(sequence=2), anchors)
    assert error.fields["reason"] == "sequence"
    assert keyset.verify(base.signed(sequence=3), anchors).rules.sequence == 3
