"""Verdicts on releases: which failures count, how long a verdict is remembered, and what ends it (UP-04)."""

from memory_flash import SMALL
from test_appset import FILES, IMAGE, Bench, booted, release
from test_flow import image

from device.codec import bundle
from device.layout import RESET_EXTERNAL, RESET_POWER_ON, RESET_WATCHDOG
from device.update import trial_state


def test_a_set_above_the_confirmed_number_does_not_run():
    # The roots lowered the number after a thief's set was confirmed: the previous set runs, then none.
    bench = Bench()
    bench.put(0, bundle.encode(FILES), 3)
    bench.put(1, bundle.encode(FILES), 900_000, IMAGE, True)
    bench.sets.confirm(1)
    bench.confirmed(900_000)
    assert bench.start().application.running.slot == 1
    bench.confirmed(3)
    assert bench.start().application.running.slot == 0
    bench.confirmed(2)
    assert bench.start().application.running is None


def test_a_set_that_only_missed_its_server_is_tried_again_without_end():
    bench = Bench()
    manifest, objects = release(2)
    bench.install(manifest, objects)
    for attempt in range(6):
        found = bench.start()
        assert found.pending.is_trial, attempt
        found.pending.record_outcome(trial_state.NO_SERVER)
        found = bench.start()
        assert found.application.running is None
        assert found.pending.is_retry_wanted and found.pending.is_waiting(manifest)
        assert found.pending.verdict(manifest, False) == 0
        found.pending.retry()
    assert found.pending.read().attempts == 7


def test_a_power_cut_on_trial_says_nothing_about_the_release():
    for reason in (RESET_POWER_ON, RESET_EXTERNAL):
        bench = Bench()
        manifest, objects = release(2)
        bench.install(manifest, objects)
        assert bench.start().pending.is_trial
        found = bench.start(booted(reset_reason=reason))
        assert bench.reverted.fields["reset"] == "power lost on trial"
        assert found.pending.is_retry_wanted and found.pending.verdict(manifest, False) == 0


def test_two_releases_that_fail_in_turn_are_both_remembered():
    bench = Bench()
    first, objects = release(2)
    second, more = release(3, files={"__init__.py": b"other"})
    objects.update(more)
    for manifest in (first, second):
        bench.install(manifest, objects)
        bench.start()
        found = bench.start(booted(reset_reason=RESET_WATCHDOG))
    assert found.pending.verdict(first, True) == trial_state.WATCHDOG
    assert found.pending.verdict(second, True) == trial_state.WATCHDOG


def test_a_newer_release_with_the_same_firmware_and_another_set_is_a_release_of_its_own():
    bench = Bench()
    firmware = image()
    old, objects = release(2, firmware, {"__init__.py": b"old"})
    new, more = release(3, firmware, {"__init__.py": b"new"})
    objects.update(more)
    bench.install(old, objects)
    found = bench.start()
    found.pending.begin(new)
    assert found.pending.read().sequence == 3
    assert not found.pending.is_waiting(old)


def test_a_verdict_about_the_stored_copy_is_lifted_by_the_owner_or_a_renewed_offer():
    bench = Bench()
    manifest, objects = release(2)
    bench.install(manifest, objects)
    bench.flash.data[SMALL.set_offsets[0] + 90] ^= 1
    found = bench.start()
    assert found.pending.verdict(manifest, False) == trial_state.SET_CHANGED
    assert found.pending.verdict(manifest, True) == 0
    renewed = manifest._replace(envelope_digest=b"n" * 32) if hasattr(manifest, "_replace") else None
    if renewed is not None:  # MicroPython's namedtuple has no _replace
        assert found.pending.verdict(renewed, False) == 0


def test_a_confirmed_release_ends_the_verdicts_on_older_ones():
    bench = Bench()
    bad, objects = release(2)
    good, more = release(3, files={"__init__.py": b"good"})
    objects.update(more)
    bench.install(bad, objects)
    bench.start()
    bench.start(booted(reset_reason=RESET_WATCHDOG))
    bench.install(good, objects)
    found = bench.start()
    assert found.pending.confirm() is None
    assert bench.store.read("failed") is None


def test_a_damaged_pending_record_closes_no_unit():
    bench = Bench()
    bench.store.write("pending", b"damaged")
    found = bench.start()
    assert bench.reverted is None and found.pending.read() is None
