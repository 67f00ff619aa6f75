"""The pending release: what its record names, how each start ends it, and what an install or a confirm writes."""

from test_appset import FILES, Bench, booted, digest_of, release
from test_flow import Manifest, image

from device.codec import bundle
from device.errors import (
    AppSetError,
    CounterLostError,
    FlashError,
    ImageFormatError,
    RecordDamagedError,
    StorageFullError,
    TrialFailedError,
)
from device.layout import RESET_POWER_ON, RESET_WATCHDOG
from device.records import counters
from device.update import releases, trial_state
from device.update.pending import release_id

PAYLOAD = image(5000, 2)  # build 2, security counter 2


def firmware(sequence=2, payload=PAYLOAD):
    """Return a release without an application set, and its objects."""
    manifest, objects = release(sequence, payload)
    return Manifest(sequence, manifest.chunks, manifest.firmware, None, None, None), objects


def on_trial(slot=1):
    return booted(slot, digest_of(PAYLOAD), True)


def others(manifest):
    """Return two releases: the id of one is above that of `manifest`, the id of the other is below it."""
    found = {}
    for sequence in range(3, 20):
        other, _ = firmware(sequence)
        found[release_id(other) > release_id(manifest)] = other
    return found[True], found[False]


def older_ones(manifest):
    """Return two releases of the same number: the id of one is above that of `manifest`, the other's is below it."""
    found = {}
    for size in range(5001, 5020):
        other, _ = firmware(manifest.sequence_number, image(size, 2))
        found[release_id(other) > release_id(manifest)] = other
    return found[True], found[False]


def test_the_record_names_number_slot_release_envelope_and_size():
    bench = Bench()
    plain, _ = firmware()
    with_set, _ = release(3, PAYLOAD)
    alone, _ = release(4)
    for manifest, slot, size, app in (
        (plain, 1, len(PAYLOAD), None),
        (with_set, 1, len(PAYLOAD), with_set.app.digest),
        (alone, 2, alone.app.size, alone.app.digest),
    ):
        found = bench.load()
        assert found.pending.begin(manifest) == slot
        number = manifest.sequence_number
        identity = trial_state.release_id(number, manifest.firmware.digest, app) + b"e" * 32
        assert found.pending.read() == (number, slot, identity, size, 1, 0)


def test_an_install_erases_the_marks_of_its_slot_and_leaves_a_blank_one_alone():
    bench = Bench()
    bench.boot_state.stage(1)
    bench.load().pending.begin(firmware()[0])
    assert bench.boot_state.is_blank_trailer(1)
    bench = Bench()
    bench.load().pending.begin(firmware()[0])
    assert not bench.flash.erased


def test_the_same_release_keeps_its_record_and_any_other_one_replaces_it():
    manifest, _ = firmware()
    bench = Bench()
    pending = bench.load().pending
    pending.begin(manifest)
    pending.refuse_delta()
    pending.begin(manifest)
    assert pending.read().outcome == trial_state.NO_DELTA
    for other in others(manifest):
        pending.begin(manifest)
        pending.refuse_delta()
        pending.begin(other)
        assert pending.read().sequence == other.sequence_number and pending.read().outcome == 0


def test_a_release_that_moves_to_the_other_slot_gets_a_new_record():
    manifest, _ = firmware()
    bench = Bench()
    for running, slot in ((0, 1), (1, 0), (0, 1)):
        bench.boot_state.stage(slot)
        pending = bench.load(booted(running)).pending
        assert pending.begin(manifest) == slot
        assert pending.read().slot == slot and bench.boot_state.is_blank_trailer(slot)


def test_a_staged_set_is_dropped_when_another_release_begins():
    for app_slot in (0, 1):
        bench = Bench()
        manifest, objects = release(3)
        if app_slot:
            bench.put(0, bundle.encode(FILES), 1)
            bench.confirmed(1)
        bench.install(manifest, objects)
        assert bench.load().pending.read().slot == trial_state.FIRST_SET + app_slot
        assert bench.sets.binding(app_slot) is not None
        bench.load().pending.begin(firmware(4)[0])
        assert bench.sets.binding(app_slot) is None
        assert (bench.sets.binding(0) is not None) == bool(app_slot)


def test_a_transfer_that_was_cut_goes_on_at_the_next_start():
    bench = Bench()
    bench.load().pending.begin(firmware()[0])
    found = bench.start()
    assert bench.reverted is None and found.pending.read().sequence == 2
    pending = found.pending
    assert (pending.is_trial, pending.is_retry_wanted, pending.is_refused, pending.is_void) == (False,) * 4
    assert pending.is_held_back is False


def test_a_trial_without_its_record_is_one_and_confirms_nothing():
    bench = Bench()
    found = bench.start(on_trial())
    assert found.pending.is_trial and bench.reverted.fields == {"name": "pending"}
    assert found.pending.known_sequence(2) == 0
    assert found.pending.confirm() is None
    assert bench.boot_state.is_blank_trailer(1) and found.pending.is_trial
    assert not bench.start().pending.is_trial and bench.reverted is None


def test_a_record_about_a_set_is_damaged_on_a_board_without_application_slots():
    bench = Bench()
    bench.load().pending.begin(release(2)[0])
    found = releases.load(booted(), bench.boot_state, bench.store)
    assert [type(error) for error in releases.start(found)] == [RecordDamagedError]
    assert not found.pending.is_trial


def test_a_firmware_that_the_boot_rom_refused_is_given_up_and_one_that_hung_too():
    for is_tried, cause in ((False, trial_state.REFUSED_BY_ROM), (True, trial_state.WATCHDOG)):
        bench = Bench()
        manifest, objects = firmware()
        bench.install(manifest, objects)
        if is_tried:
            bench.boot_state.mark_tried(1)
        found = bench.start(booted(reset_reason=RESET_WATCHDOG))
        assert isinstance(bench.reverted, TrialFailedError)
        assert bench.reverted.fields == {"sequence": 2, "reset": trial_state.CAUSES[cause]}
        assert found.pending.is_refused == (not is_tried) and found.pending.read() is None
        assert found.pending.verdict(manifest, False) == cause
        assert found.pending.known_sequence(2) == 2


def waiting():
    """Return a bench whose release 2 lost its trial to a power cut, the start after it, and the manifest."""
    bench = Bench()
    manifest, objects = firmware()
    bench.install(manifest, objects)
    bench.boot_state.mark_tried(1)
    found = bench.start(booted(reset_reason=RESET_POWER_ON))
    return bench, found.pending, manifest


def test_only_the_release_that_lost_its_trial_waits():
    _, pending, manifest = waiting()
    assert pending.is_waiting(manifest) is True
    for other in others(manifest):
        assert pending.is_waiting(other) is False
    assert pending.known_sequence(2) == 2
    pending.begin(manifest)
    assert pending.is_waiting(manifest) is False
    assert pending.known_sequence(2) == 0, "it is neither on trial nor stored any more"


def test_no_older_release_takes_the_place_of_one_that_waits_before_the_pause_is_over():
    _, pending, manifest = waiting()
    newer, older, same = firmware(3)[0], firmware(1)[0], release(2)[0]
    assert not pending.is_held(manifest) and not pending.is_held_back
    assert not pending.is_held(newer) and not pending.is_held_back
    for other in (older, same) + older_ones(manifest):
        pending.is_held_back = False
        assert pending.is_held(other) and pending.is_held_back
    pending.is_pause_over = True
    assert not pending.is_held(older)
    assert not Bench().start().pending.is_held(older), "nothing waits"


def test_the_pause_grows_although_releases_take_turns():
    bench, pending, _ = waiting()
    assert pending.trials() == 1
    pending.begin(firmware(3)[0])
    assert pending.read().attempts == 2 and pending.trials() == 1
    assert pending.is_held(firmware(2)[0]), "also while the newer one is incomplete"
    found = bench.load().pending
    assert found.trials() == 1 and found.is_held(firmware(2)[0])
    found.begin(firmware(2)[0])
    assert found.read().attempts == 2 and found.trials() == 1
    assert Bench().start().pending.trials() == 0
    fresh = Bench().start().pending
    fresh.begin(firmware(2)[0])
    assert fresh.trials() == 0 and not fresh.is_held(firmware(1)[0])


def test_a_retry_stages_the_slot_again_and_counts():
    bench, pending, manifest = waiting()
    pending.retry()
    assert bench.boot_state.marks(1) == (True, False, False, 0)
    assert pending.read().attempts == 2 and pending.read().outcome == 0
    assert not pending.is_retry_wanted and pending.is_waiting(manifest) is False


def test_without_a_release_nothing_is_retried_recorded_or_confirmed():
    bench = Bench()
    pending = bench.start().pending
    pending.retry()
    pending.record_outcome(trial_state.NO_SERVER)
    pending.renew_keys(0)
    assert pending.confirm() is None
    assert bench.store.read("pending") is None and not bench.flash.erased
    assert pending.known_sequence(2) == 0 and pending.may_try_delta() is False
    pending.begin(firmware()[0])
    assert pending.confirm() is None, "a release that is not on trial"
    assert bench.boot_state.is_blank_trailer(1) and pending.read().sequence == 2


def test_a_release_that_this_unit_cannot_install_is_refused_and_forgotten():
    bench = Bench()
    pending = bench.start().pending
    pending.refuse()
    assert bench.store.read("failed") is None, "nothing was under way"
    manifest, _ = firmware()
    pending.begin(manifest)
    pending.refuse()
    assert pending.read() is None and pending.verdict(manifest, False) == trial_state.UNFIT


def test_a_patch_is_tried_until_it_was_refused():
    pending = Bench().start().pending
    pending.begin(firmware()[0])
    for outcome, is_good in ((0, True), (trial_state.APP_FAILED, True), (trial_state.INTERRUPTED, True)):
        pending.record_outcome(outcome)
        assert pending.may_try_delta() is is_good
    pending.refuse_delta()
    assert pending.may_try_delta() is False


def test_what_the_roots_do_not_vouch_for_is_forgotten():
    bench, pending, _ = waiting()
    pending.renew_keys(2)
    assert pending.read().sequence == 2 and pending.is_retry_wanted, "the ceiling itself is vouched for"
    pending.renew_keys(1)
    assert pending.read() is None and bench.boot_state.is_blank_trailer(1)
    assert not pending.is_retry_wanted and not pending.is_void
    bench.load().pending.begin(firmware()[0])
    bench.load().pending.renew_keys(3)
    assert bench.load().pending.read().sequence == 2


def test_a_verdict_on_what_the_roots_do_not_vouch_for_is_forgotten():
    pending = Bench().start().pending
    manifest, _ = firmware()
    pending.begin(manifest)
    pending.refuse()
    pending.renew_keys(2)
    assert pending.verdict(manifest, False) == trial_state.UNFIT
    pending.renew_keys(1)
    assert pending.verdict(manifest, False) == 0


def test_a_trial_that_the_roots_do_not_vouch_for_asks_for_a_restart():
    bench = Bench()
    bench.install(*firmware())
    pending = bench.start(on_trial()).pending
    assert pending.is_trial and not pending.is_void and pending.known_sequence(2) == 2
    pending.renew_keys(1)
    assert pending.is_void and pending.is_trial and pending.confirm() is None
    assert bench.boot_state.is_blank_trailer(1)


def test_marks_of_a_confirmed_slot_are_not_erased_although_its_number_is_too_high():
    bench = Bench()
    bench.install(*firmware())
    bench.boot_state.confirm(1)
    bench.load().pending.renew_keys(1)
    assert bench.boot_state.marks(1).is_confirmed and bench.store.read("pending") is None


def confirmed(bench, seen):
    """Start the trial of release 2 and confirm it; return the start and what confirm returned."""
    found = releases.load(
        on_trial(),
        bench.boot_state,
        bench.store,
        bench.sets,
        lambda: seen.append(bench.store.read("pending")),
    )
    assert releases.start(found) == []
    return found, found.pending.confirm()


def test_a_confirm_writes_the_mark_the_number_and_the_counter_and_says_so_once():
    bench, seen = Bench(), []
    bench.install(*firmware())
    found, error = confirmed(bench, seen)
    assert error is None and not found.pending.is_trial
    assert bench.boot_state.marks(1).is_confirmed and bench.boot_state.security_counter() == 2
    assert found.progress.value.manifest_sequence == 2 and bench.store.read("pending") is None
    assert seen == [None], "called once, after everything is stored"


def test_a_confirm_never_lowers_the_confirmed_number():
    bench = Bench()
    bench.install(*firmware())
    bench.confirmed(5)
    found, error = confirmed(bench, [])
    assert error is None and found.progress.value.manifest_sequence == 5


def test_a_counter_that_cannot_be_raised_leaves_the_release_confirmed_and_is_reported():
    def damage(bench):
        bench.flash.data[bench.boot_state._offsets[1]] ^= 1  # the magic number

    def wear(bench):
        def fail(value):
            raise FlashError(reason="worn", offset=0)

        bench.boot_state.raise_security_counter = fail

    for spoil, kind in ((damage, ImageFormatError), (wear, FlashError)):
        bench = Bench()
        bench.install(*firmware())
        found = bench.start(on_trial())
        spoil(bench)
        assert isinstance(found.pending.confirm(), kind)
        assert bench.boot_state.marks(1).is_confirmed and not found.pending.is_trial
        assert bench.boot_state.security_counter() == 0 and bench.store.read("pending") is None


def test_the_confirm_of_a_set_raises_no_counter():
    for app_slot in (0, 1):
        bench = Bench()
        if app_slot:
            bench.put(0, bundle.encode(FILES), 1)
            bench.confirmed(1)
        bench.install(*release(3))
        found = bench.start()
        assert found.application.running.slot == app_slot and found.pending.confirm() is None
        assert bench.boot_state.security_counter() == 0 and bench.sets.marks(app_slot).is_confirmed


def test_two_releases_that_differ_in_one_part_only_have_two_ids():
    plain, _ = firmware()
    with_set, _ = release(2, PAYLOAD)
    same_set, _ = release(2, image(6000))
    ids = [release_id(one) for one in (plain, with_set, same_set, firmware(3)[0])]
    assert len(set(ids)) == 4
    assert release_id(with_set) == trial_state.release_id(2, with_set.firmware.digest, with_set.app.digest)


def test_a_start_returns_every_fault_that_it_found_in_order():
    bench = Bench()
    bench.store.write_map("owned", {1: True, counters.COUNTED: True})
    bench.store.write_map("appset", {1: digest_of(PAYLOAD), 2: b"d" * 32})
    found = releases.load(on_trial(), bench.boot_state, bench.store, bench.sets)
    errors = releases.start(found)
    assert [type(error) for error in errors] == [CounterLostError, AppSetError, RecordDamagedError]
    assert bench.store.read("progress") is not None and found.pending.is_trial


def test_a_write_that_fails_at_the_start_is_returned():
    bench = Bench()

    def fail(name, data):
        raise StorageFullError

    bench.store._records.write = fail
    found = releases.load(booted(), bench.boot_state, bench.store, bench.sets)
    assert [type(error) for error in releases.start(found)] == [StorageFullError]
