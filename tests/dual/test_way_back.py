"""After the roots lowered the numbers, nothing that a thief began brings the high numbers back."""

from test_appset import Bench, booted, digest_of, release
from test_flow import image

from device.layout import RESET_SOFTWARE
from device.update import trial_state

CEILING = 41
THIEF = 900_000


def on_trial(sequence, is_alone=False):
    """Return a bench and its start on the trial of release `sequence`."""
    bench = Bench()
    bench.confirmed(CEILING)
    bench.boot_state.stage(0)
    bench.boot_state.confirm(0)
    payload = None if is_alone else image()
    manifest, objects = release(sequence, payload)
    bench.install(manifest, objects)
    boot = booted() if is_alone else booted(1, digest_of(payload), True)
    if not is_alone:
        bench.boot_state.mark_tried(1)
    found = bench.start(boot)
    assert found.pending.is_trial
    return bench, found


def test_a_release_on_trial_above_the_ceiling_is_never_confirmed():
    for is_alone in (False, True):
        bench, found = on_trial(THIEF, is_alone)
        found.pending.renew_keys(CEILING)
        assert found.pending.is_void and found.pending.is_trial
        assert found.pending.confirm() is None
        found = bench.start(booted(reset_reason=RESET_SOFTWARE))
        assert bench.reverted is None, "the roots gave it up: there is no verdict"
        assert not found.pending.is_trial and found.application.running is None
        assert found.progress.value.manifest_sequence == CEILING
        assert not bench.boot_state.marks(1).is_staged


def test_a_release_up_to_the_ceiling_is_confirmed_as_before():
    _bench, found = on_trial(CEILING + 1)
    found.pending.renew_keys(CEILING + 1)
    assert not found.pending.is_void
    assert found.pending.confirm() is None
    assert found.progress.value.manifest_sequence == CEILING + 1


def test_a_release_that_waits_for_its_next_trial_is_forgotten():
    bench, found = on_trial(THIEF)
    found.pending.record_outcome(trial_state.NO_SERVER)
    found = bench.start()
    assert found.pending.is_retry_wanted
    found.pending.renew_keys(CEILING)
    found.pending.retry()
    assert not found.pending.is_retry_wanted and not found.pending.is_void
    assert not bench.boot_state.marks(1).is_staged


def test_a_power_cut_while_it_is_forgotten_leaves_nothing_to_confirm():
    bench, found = on_trial(THIEF)
    bench.store.delete = None  # the power fails before the record is deleted
    try:
        found.pending.renew_keys(CEILING)
        raise AssertionError("deleted")
    except TypeError:
        del bench.store.delete
    found = bench.start()
    assert not found.pending.is_trial and not bench.boot_state.marks(1).is_staged
    found.pending.renew_keys(CEILING)  # the key set is offered again
    assert found.pending.read() is None


def test_a_trial_whose_record_is_lost_stays_a_trial_and_is_not_confirmed():
    # Else the next release would be written over the only confirmed image.
    bench, found = on_trial(CEILING + 1)
    bench.store.delete("pending")
    boot = booted(1, found.image.digest, True)
    found = bench.start(boot)
    assert found.pending.is_trial
    assert found.pending.confirm() is None
    assert not bench.boot_state.marks(1).is_confirmed
