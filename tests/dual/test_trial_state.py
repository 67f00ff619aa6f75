"""The fate of a release: every combination of slot, marks and outcome that a start can find."""

from hashlib import sha256

from device.codec.cbor import decode, encode
from device.errors import RecordDamagedError
from device.layout import RESET_EXTERNAL, RESET_POWER_ON, RESET_SOFTWARE, RESET_WATCHDOG
from device.trust.keyset import Ceilings
from device.update import trial_state
from device.update.slots import Marks
from device.update.trial_state import Pending

BLANK = Marks(False, False, False, 0)
STAGED = Marks(True, False, False, 0)
TRIED = Marks(True, True, False, 0)
CONFIRMED = Marks(True, True, True, 4)


def pending(slot=1, attempts=1, outcome=0):
    return Pending(7, slot, bytes(64), 9000, attempts, outcome)


def test_each_start_finds_one_fate():
    rows = (
        (None, 0, False, BLANK, trial_state.NOTHING),
        (pending(), 0, False, BLANK, trial_state.CONTINUE),
        (pending(), 0, False, STAGED, trial_state.FAILED),
        (pending(), 0, False, TRIED, trial_state.FAILED),
        (pending(), 0, False, CONFIRMED, trial_state.CONTINUE),
        (pending(slot=0), 1, False, CONFIRMED, trial_state.CONTINUE),
        (pending(), 1, True, TRIED, trial_state.TRIAL),
        (pending(), 1, False, CONFIRMED, trial_state.FINISH),
        (pending(), 1, False, BLANK, trial_state.FAILED),
        (pending(outcome=1), 0, False, TRIED, trial_state.RETRY),
        (pending(outcome=1, attempts=30), 0, False, TRIED, trial_state.RETRY),
        (pending(outcome=2), 0, False, TRIED, trial_state.FAILED),
    )
    for record, slot, is_trial, marks, expected in rows:
        found = trial_state.decide(record, slot, is_trial, marks, RESET_WATCHDOG)
        assert found == expected, (record, slot, marks)


def test_only_what_the_release_did_is_a_verdict():
    for reason, expected in (
        (RESET_POWER_ON, trial_state.RETRY),
        (RESET_EXTERNAL, trial_state.RETRY),
        (RESET_SOFTWARE, trial_state.FAILED),
        (RESET_WATCHDOG, trial_state.FAILED),
    ):
        assert trial_state.decide(pending(), 0, False, TRIED, reason) == expected
        # The failed application was reported before the power was cut.
        assert trial_state.decide(pending(outcome=2), 0, False, TRIED, reason) == trial_state.FAILED


def test_records_come_back_as_they_were_stored():
    assert trial_state.decode_pending(trial_state.encode_pending(pending())) == pending()
    progress = trial_state.Progress(3, 2, 1_700_000_000)
    assert trial_state.decode_progress(trial_state.encode_progress(progress)) == progress


def test_the_stored_forms_are_those_of_every_earlier_version():
    stored = decode(trial_state.encode_progress(trial_state.Progress(3, 2, 1_700_000_000)))
    assert stored == {1: 3, 2: 2, 3: 1_700_000_000, 4: 0}
    stored = decode(trial_state.encode_pending(pending(slot=1, attempts=2, outcome=3)))
    assert stored == {1: 7, 2: 1, 3: bytes(64), 4: 9000, 5: 2, 6: 3}
    assert (trial_state.NO_SERVER, trial_state.APP_FAILED, trial_state.NO_DELTA) == (1, 2, 3)
    assert trial_state.INTERRUPTED == 4
    assert trial_state.NO_PROGRESS == (0, 0, 0)


def test_the_next_attempt_is_counted_and_has_no_outcome_yet():
    assert trial_state.next_attempt(pending(attempts=2, outcome=1)) == pending(attempts=3, outcome=0)


def test_a_release_is_its_number_its_firmware_and_its_set():
    firmware, app = bytes(range(32)), bytes(range(32, 64))
    number = b"\0\0\0\0\0\0\x01\x02"
    assert trial_state.release_id(0x102, firmware, None) == sha256(number + firmware).digest()
    assert trial_state.release_id(0x102, firmware, app) == sha256(number + firmware + app).digest()


def test_a_delta_that_did_not_fit_is_no_failure_of_the_release():
    record = pending(outcome=trial_state.NO_DELTA)
    assert trial_state.decide(record, 0, False, TRIED, RESET_POWER_ON) == trial_state.RETRY
    assert trial_state.decide(record, 0, False, TRIED, RESET_WATCHDOG) == trial_state.FAILED
    assert trial_state.failure_cause(record, TRIED, RESET_WATCHDOG) == trial_state.WATCHDOG
    assert trial_state.retry_reason(record) == "power lost on trial"


def test_a_damaged_record_is_a_typed_error():
    good = decode(trial_state.encode_pending(pending()))
    changes = ((7, 0), (1, True), (1, "7"), (1, None), (1, -1), (2, b"1"), (2, 4), (2, 5))
    changes += ((3, 5), (3, bytes(32)), (3, bytes(65)))
    wrong = [encode(dict(list(good.items()) + [extra])) for extra in changes]
    numbers = trial_state.encode_progress(trial_state.NO_PROGRESS)
    for data in wrong + [b"", b"\xa0", b"\x01", numbers, b"\xff" * 40]:
        try:
            trial_state.decode_pending(data)
            raise AssertionError(data)
        except RecordDamagedError:
            pass
    good = decode(numbers)
    for extra in ((1, b""), (2, -1), (3, True), (4, "0"), (5, 0)):
        try:
            trial_state.decode_progress(encode(dict(list(good.items()) + [extra])))
            raise AssertionError(extra)
        except RecordDamagedError:
            pass


def test_a_confirm_changes_only_the_number():
    before = trial_state.Progress(3, 2, 1_700_000_000)
    assert trial_state.with_manifest(before, 5) == (5, 2, 1_700_000_000)


def test_the_end_of_the_support_period_only_grows():
    before = trial_state.Progress(3, 20_000, 0)
    assert trial_state.with_support_end(before, 20_100).support_end_day == 20_100
    assert trial_state.with_support_end(before, 19_999).support_end_day == 20_000


def test_ceilings_of_the_roots_lower_and_never_raise():
    before = trial_state.Progress(900_000, 20_000, 7)
    assert trial_state.with_ceilings(before, Ceilings(41, 19_000)) == (41, 19_000, 7)
    assert trial_state.with_ceilings(before, Ceilings(None, 19_000)) == (900_000, 19_000, 7)
    assert trial_state.with_ceilings(before, Ceilings(1_000_000, None)) == before


def test_the_cause_of_a_failure_is_named():
    rows = (
        (pending(), TRIED, RESET_WATCHDOG, "watchdog"),
        (pending(), TRIED, RESET_SOFTWARE, "restarted before it confirmed"),
        (pending(), TRIED, RESET_EXTERNAL, "restarted before it confirmed"),
        (pending(), STAGED, RESET_POWER_ON, "refused by the boot ROM"),
        (pending(slot=2), STAGED, RESET_POWER_ON, "application set changed"),
        (pending(slot=3), STAGED, RESET_POWER_ON, "application set changed"),
        (pending(outcome=2), TRIED, RESET_SOFTWARE, "application failed"),
    )
    for record, marks, reason, text in rows:
        assert trial_state.CAUSES[trial_state.failure_cause(record, marks, reason)] == text
    assert trial_state.retry_reason(pending(outcome=1)) == "no server in the trial window"
    assert trial_state.retry_reason(pending()) == "power lost on trial"
    assert trial_state.retry_reason(pending(outcome=4)) == "factory reset on trial"
    assert trial_state.retry_reason(pending(outcome=5)) == "power lost on trial", "no version records 5"


def test_each_number_of_a_stored_verdict_keeps_its_words():
    for cause, text in (
        (trial_state.REFUSED_BY_ROM, "refused by the boot ROM"),
        (trial_state.SET_CHANGED, "application set changed"),
        (trial_state.APP_ENDED, "application failed"),
        (trial_state.WATCHDOG, "watchdog"),
        (trial_state.RESTARTED, "restarted before it confirmed"),
        (trial_state.UNFIT, "cannot be installed on this unit"),
        (trial_state.TOO_MANY, "too many newer releases failed"),
    ):
        assert trial_state.CAUSES[cause] == text
    assert trial_state.CAUSES[0] == "" and len(trial_state.CAUSES) == 8
