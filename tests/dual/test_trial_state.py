"""The fate of a release: every combination of slot, marks and outcome that a start can find."""

from device.errors import RecordDamagedError
from device.update import trial_state
from device.update.slots import Marks
from device.update.trial_state import Pending

BLANK = Marks(False, False, False, 0)
STAGED = Marks(True, False, False, 0)
TRIED = Marks(True, True, False, 0)
CONFIRMED = Marks(True, True, True, 4)


def pending(slot=1, attempts=1, outcome=0):
    return Pending(7, slot, bytes(32), 9000, attempts, outcome)


def test_each_start_finds_one_fate():
    rows = (
        (None, 0, False, BLANK, trial_state.NOTHING),
        (pending(), 0, False, BLANK, trial_state.CONTINUE),
        (pending(), 0, False, STAGED, trial_state.FAILED),
        (pending(), 0, False, TRIED, trial_state.FAILED),
        (pending(), 0, False, CONFIRMED, trial_state.CONTINUE),
        (pending(), 1, True, TRIED, trial_state.TRIAL),
        (pending(), 1, False, CONFIRMED, trial_state.FINISH),
        (pending(), 1, False, BLANK, trial_state.FAILED),
        (pending(outcome=1), 0, False, TRIED, trial_state.RETRY),
        (pending(outcome=1, attempts=3), 0, False, TRIED, trial_state.FAILED),
    )
    for record, slot, is_trial, marks, expected in rows:
        assert trial_state.decide(record, slot, is_trial, marks) == expected, (record, slot, marks)


def test_records_come_back_as_they_were_stored():
    assert trial_state.decode_pending(trial_state.encode_pending(pending())) == pending()
    progress = trial_state.Progress(3, 2, 1_700_000_000, 4)
    assert trial_state.decode_progress(trial_state.encode_progress(progress)) == progress


def test_a_damaged_record_is_a_typed_error():
    for data in (b"", b"\xa0", b"\x01", trial_state.encode_progress(trial_state.NO_PROGRESS), b"\xff" * 40):
        try:
            trial_state.decode_pending(data)
            raise AssertionError(data)
        except RecordDamagedError:
            pass


def test_a_confirm_forgets_the_failed_release_and_keeps_the_rest():
    before = trial_state.Progress(3, 2, 1_700_000_000, 4)
    assert trial_state.with_manifest(before, 5) == (5, 2, 1_700_000_000, 0)


def test_the_reason_of_a_failure_is_named():
    assert trial_state.failure_reason(pending(), TRIED, 2) == "watchdog"
    assert trial_state.failure_reason(pending(), STAGED, 0) == "refused by the boot ROM"
    assert trial_state.failure_reason(pending(outcome=1), TRIED, 1) == "no server in the trial window"
