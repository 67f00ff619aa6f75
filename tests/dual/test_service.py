"""One check of the update service: what it does with each answer, what it shows, and what it reports."""

import test_keyset as base
import test_trust
import test_update_keys as keys
from service_bench import Bench, Running, signed
from test_update_keys import FakeImage

from device.codec import cbor
from device.errors import (
    ConditionError,
    FlashError,
    KnownBadError,
    LinkError,
    SequenceNumberError,
    SignatureError,
    StorageError,
)
from device.records import support
from device.suit import envelope, report
from device.update import trial_state
from device.update.service import IDLE, RESTARTING, Profile


def test_a_newer_release_is_installed_and_asks_for_a_restart():
    bench = Bench()
    assert bench.service.state == IDLE and not bench.service.is_restart_wanted
    data = bench.offer()
    assert bench.check() is None
    assert bench.installer.installed == [7]
    assert bench.service.state == RESTARTING and bench.service.is_restart_wanted
    found = bench.last_report()
    assert found.is_restarting and found.failure is None and found.error_code == 0
    assert found.reference.digest == envelope.decode_digest(envelope.decode(data).digest)
    assert found.image_digest == FakeImage.digest and found.version == "1.0.0+1" and found.sequence == 0


def test_the_reference_uri_of_an_authentic_release_is_reported():
    bench = Bench()
    members = cbor.decode(test_trust.content(7))
    members[4] = "https://example.com/m"
    bench.source.offered = signed(cbor.encode(members))
    assert bench.check() is None
    assert bench.last_report().reference.uri == "https://example.com/m"


def test_a_check_without_a_release_ends_idle_and_reports_nothing_about_one():
    bench = Bench()
    assert bench.check() is None
    assert bench.service.state == IDLE and bench.source.asked[-1] == "close"
    assert bench.last_report().reference == report.NO_REFERENCE
    assert bench.last_report().extensions == {
        report.SUPPORT_STATE: support.STATES.index(support.SUPPORTED),
        report.IS_STALE: False,
    }


def test_the_first_trusted_time_makes_one_new_connection():
    bench = Bench()
    bench.check()
    assert bench.source.asked[:5] == ["open", "keyset", "freshness", "close", "open"]
    bench.source.asked = []
    bench.check()
    assert bench.source.asked.count("open") == 1 and bench.source.asked.count("close") == 1


def test_a_release_on_trial_is_confirmed_only_after_its_self_test():
    for is_proven in (False, True):
        bench = Bench()
        bench.service._is_proven = lambda is_proven=is_proven: is_proven
        assert bench.check() is None
        assert bench.pending.log == (["confirm"] if is_proven else [])


def test_a_step_that_a_confirm_left_open_is_shown():
    bench = Bench()
    bench.pending.left_open = FlashError(reason="worn", offset=0)
    assert bench.check() is None
    assert bench.service.journal.last_error is bench.pending.left_open
    assert bench.last_report().error_code == bench.pending.left_open.code


def test_nothing_newer_is_fetched_during_a_trial_and_image_keys_are_revoked_after_it():
    for is_trial in (True, False):
        bench = Bench()
        bench.pending.is_trial = is_trial
        bench.offer()
        bench.check()
        assert ("envelope" in bench.source.asked) == (not is_trial)
        assert bench.image.revoked == ((), is_trial)


def test_an_application_set_above_the_number_of_the_roots_restarts_the_unit():
    for above, is_wanted in ((4, True), (5, False)):
        bench = Bench()
        bench.application.running, bench.application.above = Running(), above
        bench.source.offered_keys = base.signed()
        bench.source.tracker = b"tracker-2"
        assert bench.check() is None
        assert bench.service.is_restart_wanted == is_wanted
        assert bench.last_report().extensions[report.APP] == Running.binding.digest
    bench.service.is_restart_wanted = False
    bench.application.above = 4
    bench.check()
    assert not bench.service.is_restart_wanted, "the key set is the same"


def test_the_running_release_is_offered_again_without_being_read_again():
    bench = Bench()
    bench.offer(7)
    bench.confirmed(7)
    for _ in range(2):
        assert bench.check() is None
        assert bench.installer.installed == [] and bench.service.journal.last_error is None
    name = bench.source.name
    digest, error, number = bench.service._settled[name]
    assert error is None and number == 7 and len(digest) == 32
    bench.application.is_lacking = True
    bench.service._settled.clear()
    bench.check()
    assert bench.installer.installed == [7], "its application set is missing"


def test_only_a_clean_check_that_finds_nothing_newer_makes_a_unit_up_to_date():
    bench = Bench()
    bench.confirmed(7)
    assert bench.service.up_to_date_s is None, "no check has ended"
    assert bench.service.next_check_ms is None, "no check is planned"
    bench.names(7)
    bench.check()
    assert bench.service.up_to_date_s == bench.trusted.time.now_s() > 0
    bench.source.fails = ("support",)
    assert isinstance(bench.check(), LinkError)
    assert bench.service.up_to_date_s is not None, "a lost link proves nothing newer"
    bench.source.fails = ()
    bench.names(8)
    bench.check()
    assert bench.service.up_to_date_s is None, "the tracker names a newer release"
    bench.names(6)
    bench.check()
    assert bench.service.up_to_date_s is not None, "this unit is ahead of the tracker"


def test_a_refused_or_waiting_or_untested_release_leaves_no_unit_up_to_date():
    for case in ("refused", "waiting", "trial", "damaged record"):
        bench = Bench()
        bench.confirmed(7)
        bench.names(7)
        bench.check()
        assert bench.service.up_to_date_s is not None
        if case == "refused":
            bench.offer(6)
        elif case == "waiting":
            bench.consent.offered = "release 8"
        elif case == "trial":
            bench.pending.is_trial = True
        else:
            bench.source.offered_support = b"damaged"
        bench.check()
        assert bench.service.up_to_date_s is None, case


def test_a_running_release_that_is_offered_hides_no_error_of_the_same_check():
    bench = Bench()
    bench.offer(7)
    bench.confirmed(7)
    bench.check()
    bench.source.offered_support = b"damaged"
    bench.check()
    assert bench.service.journal.last_error is not None


def test_an_older_release_and_one_too_far_ahead_are_refused_and_shown_at_every_check():
    for sequence in (6, 7 + 1_000_001):
        bench = Bench()
        bench.offer(sequence)
        bench.confirmed(7)
        error = bench.check()
        assert isinstance(error, SequenceNumberError)
        assert bench.last_report().error_code == error.code
        events = len(bench.events.entries)
        assert bench.check() is None, "the same envelope is not read again"
        assert bench.service.journal.last_error is error and len(bench.events.entries) == events
        assert bench.last_report().error_code == error.code and bench.installer.installed == []


def test_only_the_very_envelope_that_was_refused_is_skipped():
    for digest in (bytes(32), b"\xff" * 32):  # on both sides of the digest of the offered one
        bench = Bench()
        bench.service._settled = {bench.source.name: (digest, SequenceNumberError(have=7, offered=6), 6)}
        bench.offer(8)
        bench.check()
        assert bench.installer.installed == [8]


def test_each_source_has_its_own_refusal():
    bench = Bench()
    bench.confirmed(7)
    bench.offer(6)
    bench.check()
    bench.source.name = "other"
    assert isinstance(bench.check(), SequenceNumberError)


def test_a_new_key_set_forgets_what_was_refused_under_the_old_one():
    bench = Bench()
    bench.confirmed(7)
    bench.offer(6)
    bench.check()
    bench.source.offered_keys = base.signed(
        keys=base.plus(base.ROOTS, base.AUTHOR, base.SUPPORT, base.NEW_TRACKER), revoked=()
    )
    bench.source.tracker = b"tracker-2"
    assert isinstance(bench.check(), SequenceNumberError), "read again"


def test_an_envelope_of_another_author_has_a_reference_without_a_uri():
    bench = Bench()
    members = cbor.decode(test_trust.content())
    members[4] = "https://example.com/m"
    data = test_trust.signed(cbor.encode(members))
    bench.source.offered = data
    assert isinstance(bench.check(), SignatureError)
    assert bench.last_report().reference == report.reference_of(data)
    assert bench.last_report().reference.uri == ""
    assert bench.last_report().failure.section == 20
    assert bench.installer.installed == []


def with_condition(*steps):
    """Return the sequences of a manifest that asks for a condition before it fetches anything."""
    return {20: [(12, 0)] + list(steps) + test_trust.install()}


def test_a_condition_that_fails_is_located_in_the_report_and_asked_again():
    bench = Bench()
    data = bench.offer(7, sequences=with_condition((20, {4: keys.NOW_S}), (4, 15)))
    for _ in range(2):
        error = bench.check()
        assert isinstance(error, ConditionError), "time may change it, so it is asked again"
    failure = bench.last_report().failure
    assert failure == report.failure_of(error) and failure.section == 20
    sequence = test_trust.commands.encode(with_condition((20, {4: keys.NOW_S}), (4, 15))[20])
    assert sequence[failure.offset : failure.offset + 2] == b"\x04\x0f"
    assert bench.last_report().reference == report.reference_of(data)


def test_the_conditions_are_asked_with_what_the_unit_knows():
    for steps in (
        ((20, {4: keys.NOW_S + 1}), (4, 15)),
        ((20, {24: b"d" * 16}), (24, 15)),
        ((20, {27: -5}), (27, 15)),  # the owner's consent is asked for every release
    ):
        bench = Bench()
        bench.service.profile = Profile(b"d" * 16, "1")
        bench.offer(7, sequences=with_condition(*steps))
        assert bench.check() is None
        assert bench.installer.installed == [7]


def test_a_stored_release_is_staged_again_only_if_the_owner_asks():
    bench = Bench()
    bench.offer()
    bench.pending.waits = True
    assert bench.check() is None
    assert bench.pending.log == ["confirm"] and bench.consent.offers == [7]
    assert not bench.service.is_restart_wanted and bench.installer.installed == []
    bench.consent.asked = True
    assert bench.check() is None
    assert bench.pending.log[-1] == "retry" and bench.service.is_restart_wanted
    assert bench.consent.offers == [7] and bench.installer.installed == []


def test_a_release_that_must_wait_for_the_end_of_a_pause_is_offered_to_the_owner():
    bench = Bench()
    bench.offer()
    bench.pending.holds = True
    assert bench.check() is None
    assert bench.consent.offers == [7] and bench.installer.installed == []
    bench.consent.asked = True
    assert bench.check() is None
    assert bench.installer.installed == [7]


def test_what_waits_for_the_owner_is_over_only_after_a_check_that_came_so_far_or_with_a_new_key_set():
    bench = Bench()
    name = bench.source.name
    bench.check()
    assert bench.consent.log == ["begin " + name, "end"]
    bench.source.fails = ("support",)
    bench.check()
    assert bench.consent.log == ["begin " + name, "end", "begin " + name]
    bench.source.fails = ()
    bench.source.offered_keys = base.signed()
    bench.source.tracker = b"tracker-2"
    bench.check()
    assert bench.consent.log[3:] == ["begin " + name, "withdraw", "end"]


def test_a_release_without_consent_is_not_installed():
    bench = Bench()
    bench.offer()
    bench.consent.may = False
    assert bench.check() is None
    assert bench.installer.installed == [] and bench.service.state == IDLE


def test_a_verdict_is_shown_and_offered_to_the_owner_only_if_the_owner_can_lift_it():
    for cause in range(1, len(trial_state.CAUSES)):
        asked = cause == trial_state.SET_CHANGED
        bench = Bench()
        bench.offer()
        bench.pending.cause, bench.consent.asked = cause, asked
        error = bench.check()
        assert isinstance(error, KnownBadError)
        assert error.fields == {"sequence": 7, "cause": trial_state.CAUSES[cause]}
        assert bench.pending.was_asked is asked
        assert bench.consent.offers == ([7] if cause in trial_state.LIFTED_BY_OWNER else [])
        assert bench.service._settled == {}, "the owner or time can change it"


def test_a_lost_link_is_no_report_and_a_lost_report_hides_no_refusal():
    bench = Bench()
    bench.source.fails = ("support",)
    assert isinstance(bench.check(), LinkError)
    assert bench.source.reports == [] and bench.source.asked[-1] == "close"
    bench = Bench()
    bench.confirmed(7)
    bench.offer(6)
    bench.source.fails = ("report",)
    assert isinstance(bench.check(), SequenceNumberError)
    assert bench.service.state == IDLE


def test_an_error_of_an_install_is_none_that_the_envelope_has():
    for error in (FlashError(reason="worn", offset=0), StorageError(reason="full")):
        bench = Bench()
        bench.offer()
        bench.installer.error = error
        assert bench.check() is error
        assert bench.service._settled == {} and not bench.service.is_restart_wanted


def test_the_result_of_a_delta_is_reported_with_zero_for_success():
    for result in (None, 0, 57):
        bench = Bench()
        bench.installer.delta = result
        bench.check()
        assert bench.last_report().extensions.get(report.DELTA) == result
