"""Floors survive a change of keys, and each shown error ends by the right event."""

import asyncio

import test_keyset as base
from test_update_keys import END_DAY, Bench, FakeSource, public_of, support_record

from device.errors import LinkError, StorageError
from device.records import support
from device.trust import keyset
from device.update import trial_state


def next_support_key(bench, revoked=()):
    """Return a key set in which another support key replaces the previous one."""
    others = [one for one in base.SECOND if one.role != base.ROLE_SUPPORT]
    others.append(base.Key(b"support-2", -9, base.ROLE_SUPPORT, public_of(b"support-2")))
    bench.source.offered_keys = base.signed(keys=tuple(others), revoked=revoked)
    bench.source.tracker = b"tracker-2"
    assert bench.check() is None


def test_the_end_date_once_verified_is_a_floor_for_every_signer():
    for revoked in ((), (b"support",)):
        for is_from_network in (False, True):
            bench = Bench()
            end_day = END_DAY
            if is_from_network:
                end_day = END_DAY + 100
                bench.source.offered_support = support_record(2, end_day)
                assert bench.check() is None
            next_support_key(bench, revoked)
            bench.restart()
            bench.source.offered_support = support_record(3, end_day - 1, b"support-2")
            assert bench.check() is None
            assert bench.trusted.support_status().state == support.UNKNOWN
            assert "shortened" in bench.events.entries[-1]
            bench.source.offered_support = support_record(4, end_day, b"support-2")
            assert bench.check() is None
            assert bench.trusted.support_status().state == support.SUPPORTED


def test_a_key_set_that_was_refused_for_want_of_the_one_before_is_taken_after_that_one():
    bench = Bench()
    after = plus_root_signed()
    bench.source.offered_keys = after
    bench.check()
    assert bench.store.read("keyset") is None
    bench.source.offered_keys = base.signed(keys=base.plus(base.NEW_ROOTS, *base.SECOND[3:]), **both_roots())
    bench.source.tracker = b"tracker-2"
    bench.check()
    bench.source.offered_keys = after
    bench.check()
    assert bench.store.read("keyset") == after


def both_roots():
    return {"names": (b"root-a", b"root-b", b"root-d", b"root-e"), "revoked": ()}


def plus_root_signed():
    """Return a set that only the new roots signed: a unit needs the previous set first."""
    keys = base.plus(base.NEW_ROOTS, *base.SECOND[3:])
    return base.signed((b"root-d", b"root-e"), keys=keys, sequence=3, revoked=())


def test_the_roots_lower_the_number_that_a_thief_signed():
    bench = Bench()
    bench.progress.value = trial_state.Progress(900_000, 0, 0)
    bench.source.offered_keys = base.signed(ceilings=keyset.Ceilings(41, None))
    bench.source.tracker = b"tracker-2"
    assert bench.check() is None
    assert bench.progress.value.manifest_sequence == 41
    assert bench.service.releases.pending.ceiling == 41, "what is under way above it is given up"
    assert not bench.service.is_restart_wanted


def test_a_unit_restarts_if_the_roots_give_up_what_it_tries():
    bench = Bench()
    bench.service.releases.pending.is_void = True
    bench.source.offered_keys = base.signed(ceilings=keyset.Ceilings(41, None))
    bench.source.tracker = b"tracker-2"
    assert bench.check() is None
    assert bench.service.is_restart_wanted


def test_what_is_under_way_is_given_up_before_the_key_set_is_stored():
    bench = Bench()

    def fail(ceiling):
        raise StorageError(reason="power")

    bench.service.releases.pending.renew_keys = fail
    bench.source.offered_keys = base.signed(ceilings=keyset.Ceilings(41, None))
    bench.check()
    assert bench.store.read("keyset") is None


def other_source():
    other = FakeSource()
    other.name = "other"
    other.tracker = b"tracker-2"
    return other


def test_a_link_error_is_shown_until_any_source_serves_the_unit():
    bench = Bench()
    bench.source.is_down = True
    assert isinstance(bench.check(), LinkError)
    assert isinstance(bench.service.journal.last_error, LinkError)
    other = other_source()
    other.tracker = b"tracker"
    assert asyncio.run(bench.service.check(other)) is None
    assert bench.service.journal.last_error is None


def test_a_refusal_is_shown_until_a_good_check_over_the_same_source():
    bench = Bench()
    bench.source.offered_support = b"damaged"
    assert bench.check() is None
    refusal = bench.service.journal.last_error
    assert refusal is not None
    other = other_source()
    other.tracker = b"tracker"
    assert asyncio.run(bench.service.check(other)) is None
    assert bench.service.journal.last_error is refusal, "the other source says nothing about this one"
    bench.source.offered_support = None
    assert bench.check() is None
    assert bench.service.journal.last_error is None
