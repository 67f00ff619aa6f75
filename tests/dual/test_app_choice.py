"""The choice of the application set: pending, above the confirmed number, broken, missing, and the next slot."""

from test_appset import FILES, IMAGE, Bench, booted, release
from test_flow import Manifest, image

from device.codec import bundle
from device.errors import AppSetError
from device.update import releases, trial_state
from device.update.trial_state import Pending

DATA = bundle.encode(FILES)


def pending(slot, sequence=2):
    return Pending(sequence, slot, b"p" * 64, len(DATA), 1, 0)


def staged(slot):
    """Return a unit with a confirmed set in the other slot and one staged in `slot`, and its choice."""
    bench = Bench()
    bench.confirmed(1)
    bench.put(1 - slot, DATA, 1)
    bench.put(slot, DATA, 2, IMAGE, True)
    bench.sets.stage(slot)
    return bench, bench.load().application


def test_a_staged_set_runs_only_if_the_pending_release_names_its_slot():
    for slot in (0, 1):
        for named in (0, 1, 2, 3):
            bench, choice = staged(slot)
            assert choice.choose(pending(named)) == []
            is_tried = named == trial_state.FIRST_SET + slot
            assert (choice.running.slot, choice.running.is_trial) == (
                (slot, True) if is_tried else (1 - slot, False)
            )
            assert bench.sets.marks(slot).is_tried is is_tried


def test_a_number_is_above_unless_it_is_confirmed_or_pending():
    bench = Bench()
    bench.confirmed(3)
    choice = bench.load().application
    for sequence, under_way, is_above in (
        (2, None, False),
        (3, None, False),
        (4, None, True),
        (5, pending(2, 5), False),
        (5, pending(2, 4), True),
        (5, pending(2, 6), True),
        (3, pending(2, 9), False),
    ):
        assert choice.is_above(sequence, under_way) is is_above, (sequence, under_way)


def test_a_set_above_the_number_is_passed_over_and_the_next_one_runs():
    bench = Bench()
    bench.confirmed(1)
    bench.put(1, DATA, 1)
    bench.put(0, DATA, 900)
    choice = bench.load().application
    assert choice.choose(None) == [] and choice.running.slot == 1


def test_another_set_than_the_remembered_one_is_reported_whatever_its_digest():
    for remembered in (b"\0" * 32, b"\xff" * 32):
        bench = Bench()
        bench.confirmed(1)
        bench.put(0, DATA, 1)
        bench.store.write_map("appset", {1: IMAGE, 2: remembered})
        errors = bench.load().application.choose(None)
        assert [type(error) for error in errors] == [AppSetError] and errors[0].fields["reason"] == "missing"
        assert bench.load().application.choose(pending(0)) == [], "a release is under way"
        bench.store.write_map("appset", {1: b"x" * 32, 2: remembered})
        assert bench.load().application.choose(None) == [], "remembered for another image"


def test_a_damaged_memory_of_the_confirmed_set_is_none():
    bench = Bench()
    bench.store.write_map("appset", {1: IMAGE, 2: b"d" * 32})
    bench.store._records.damage("appset")
    assert bench.load().application.choose(None) == []


def test_a_release_is_lacking_if_its_set_is_missing_or_older():
    alone, _ = release(2)
    bench = Bench()
    assert bench.start().application.lacks(alone) is True
    bench.confirmed(3)
    for sequence, is_lacking in ((1, True), (2, False), (3, False)):
        bench.put(0, DATA, sequence)
        choice = bench.start().application
        assert choice.running.binding.sequence == sequence
        assert choice.lacks(alone) is is_lacking
    bench.sets.drop(0)
    choice = bench.start().application
    with_firmware, _ = release(2, image())
    plain = Manifest(2, None, alone.firmware, None, None, None)
    both = Manifest(2, with_firmware.chunks, with_firmware.firmware, None, None, None)
    for manifest in (with_firmware, plain, both):
        assert choice.lacks(manifest) is False


class NoSlots:
    count = 0


def test_a_board_without_application_slots_runs_no_set():
    for sets in (None, NoSlots()):
        bench = Bench()
        choice = releases.load(booted(), bench.boot_state, bench.store, sets).application
        assert choice.sets is None and choice.choose(None) == [] and choice.running is None
        assert choice.next_slot() is None and choice.lacks(release(2)[0]) is False
        assert choice.is_broken is False


def test_a_choice_is_broken_if_no_set_of_the_image_can_run():
    bench = Bench()
    bench.confirmed(2)
    assert bench.start().application.is_broken is False, "there is none"
    bench.put(0, DATA, 1)
    bench.put(1, DATA, 2, IMAGE, True)
    bench.sets.confirm(1)
    bench.flash.data[bench.sets._offsets[1] + 90] ^= 1
    choice = bench.start().application
    assert choice.running.slot == 0 and choice.is_broken is False
    bench.flash.data[bench.sets._offsets[0] + 90] ^= 1
    choice = bench.start().application
    assert choice.running is None and choice.is_broken is True
    assert choice.next_slot().slot == 1, "the newest one is fetched again in its place"


def test_the_next_set_takes_an_empty_slot_and_then_the_one_with_the_lowest_number():
    for first, second, slot in ((None, None, 0), (1, None, 1), (None, 1, 0), (1, 2, 0), (2, 1, 1)):
        bench = Bench()
        for at, sequence in ((0, first), (1, second)):
            if sequence is not None:
                bench.put(at, DATA, sequence, b"o" * 32)
        found = bench.start().application.next_slot()
        assert found.slot == slot and found.running_digest == IMAGE and found.sets is bench.sets


def test_the_set_of_a_confirmed_release_is_remembered_and_forgotten_with_it():
    bench = Bench()
    bench.confirmed(1)
    bench.put(0, DATA, 1)
    choice = bench.start().application
    choice.remember()
    assert bench.store.read_map("appset") == {1: IMAGE, 2: choice.running.binding.digest}
    writes = len(bench.store._records.log)
    choice.remember()
    assert len(bench.store._records.log) == writes
    without = bench.start(booted(image_digest=b"x" * 32)).application
    without.remember()
    assert bench.store.read("appset") is None
    writes = len(bench.store._records.log)
    without.remember()
    assert len(bench.store._records.log) == writes
