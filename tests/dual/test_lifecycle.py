"""The life of a unit: the table, the state computed from durable facts, damage that never opens."""

from memory_flash import SMALL, MemoryFlash
from memory_unit import CODE, PASSWORD, MemoryUnit, refused, run

from device.errors import LifecycleError, StorageError
from device.owner import lifecycle, reset
from device.owner.lifecycle import (
    ABSENT,
    DAMAGED,
    FACTORY_DEFAULT,
    FAILED,
    INITIALISED,
    PRESENT,
    UNPROVISIONED,
    Facts,
    derive,
    step,
)

EVENTS = sorted({event for _, event, _ in lifecycle.TRANSITIONS})


def test_each_step_of_the_table_leads_where_it_says():
    for state, event, after in lifecycle.TRANSITIONS:
        assert step(state, event) == after


def test_what_is_not_in_the_table_is_refused():
    known = [(state, event) for state, event, _ in lifecycle.TRANSITIONS]
    for state in lifecycle.STATES:
        for event in EVENTS:
            if (state, event) not in known:
                assert refused(LifecycleError, step, state, event).fields["event"] == event


def test_only_set_up_leads_to_initialised():
    for state, event, after in lifecycle.TRANSITIONS:
        assert after != INITIALISED or state == INITIALISED or event == lifecycle.SETUP


def test_no_event_makes_a_locked_unit_unprovisioned():
    for state, _, after in lifecycle.TRANSITIONS:
        assert after != UNPROVISIONED or state == UNPROVISIONED


def test_no_state_is_left_by_two_ways_with_one_event():
    pairs = [(state, event) for state, event, _ in lifecycle.TRANSITIONS]
    assert len(set(pairs)) == len(pairs)


def test_an_unlocked_unit_is_unprovisioned_whatever_it_holds():
    for identity in (ABSENT, PRESENT, DAMAGED):
        for credential in (ABSENT, PRESENT, DAMAGED):
            assert derive(Facts(False, identity, credential, True, False)) == UNPROVISIONED


def test_a_lock_without_a_readable_identity_is_failed():
    for identity in (ABSENT, DAMAGED):
        for credential in (ABSENT, PRESENT, DAMAGED):
            assert derive(Facts(True, identity, credential, False, False)) == FAILED


def test_only_a_readable_credential_makes_a_unit_initialised():
    for is_owned in (False, True):
        assert derive(Facts(True, PRESENT, PRESENT, is_owned, False)) == INITIALISED
        for credential in (ABSENT, DAMAGED):
            assert derive(Facts(True, PRESENT, credential, is_owned, False)) != INITIALISED


def test_only_a_unit_that_was_never_owned_is_in_factory_default():
    assert derive(Facts(True, PRESENT, ABSENT, False, False)) == FACTORY_DEFAULT
    assert derive(Facts(True, PRESENT, ABSENT, True, False)) == FAILED


def test_a_damaged_credential_is_no_factory_default_even_without_the_mark():
    assert derive(Facts(True, PRESENT, DAMAGED, False, False)) == FAILED


def test_a_damaged_credential_gives_failed_and_not_the_set_up_code():
    unit = MemoryUnit()
    unit.set_up()
    unit.user_records.damage("credential")
    unit.restart()
    assert unit.state() == FAILED
    refused(LifecycleError, unit.set_up, CODE)
    refused(LifecycleError, unit.sign_in)


def test_a_credential_that_vanished_gives_failed_and_not_the_set_up_code():
    unit = MemoryUnit()
    unit.set_up()
    unit.user_records.content = {}
    unit.restart()
    assert unit.state() == FAILED
    refused(LifecycleError, unit.set_up, CODE)


def test_a_damaged_mark_counts_as_owned():
    unit = MemoryUnit()
    unit.set_up()
    unit.user_records.content = {}
    unit.device_records.damage("owned")
    assert unit.state() == FAILED


def test_a_damaged_mark_alone_takes_nothing_from_the_owner():
    unit = MemoryUnit()
    unit.set_up()
    unit.device_records.damage("owned")
    unit.restart()
    unit.sign_in()


def test_a_user_region_that_does_not_mount_gives_failed():
    unit = MemoryUnit()
    assert derive(lifecycle.gather(True, unit.device, None)) == FAILED


class Unreadable:
    """A store whose flash gives nothing."""

    def read(self, name):
        raise StorageError(reason="read back")

    read_map = read


def test_a_region_that_cannot_be_read_counts_as_damaged_and_as_owned():
    facts = lifecycle.gather(True, Unreadable(), Unreadable())
    assert facts == Facts(True, DAMAGED, DAMAGED, True, False)
    assert derive(facts) == FAILED


def test_a_failed_unit_opens_neither_the_factory_port_nor_the_pages():
    assert lifecycle.ACCESS[FAILED] == lifecycle.Access(False, False)


def test_only_a_locked_unit_opens_the_pages():
    assert lifecycle.ACCESS[UNPROVISIONED] == lifecycle.Access(True, False)
    for state in (FACTORY_DEFAULT, INITIALISED):
        assert lifecycle.ACCESS[state] == lifecycle.Access(True, True)


def test_the_console_learns_why_a_unit_failed_and_nothing_otherwise():
    for is_locked in (False, True):
        for identity in (ABSENT, PRESENT, DAMAGED):
            for credential in (ABSENT, PRESENT, DAMAGED):
                for is_owned in (False, True):
                    facts = Facts(is_locked, identity, credential, is_owned, False)
                    assert bool(lifecycle.reason(facts)) == (derive(facts) == FAILED)


def test_the_first_reason_of_a_failure_is_named():
    for facts, words in (
        (Facts(True, ABSENT, DAMAGED, True, True), "the identity is absent"),
        (Facts(True, DAMAGED, DAMAGED, True, True), "the identity is damaged"),
        (Facts(True, PRESENT, DAMAGED, True, True), "a factory reset is not finished"),
        (Facts(True, PRESENT, DAMAGED, True, False), "the owner's credential is damaged"),
        (Facts(True, PRESENT, DAMAGED, False, False), "the owner's credential is damaged"),
        (Facts(True, PRESENT, ABSENT, True, False), "the owner's credential is lost"),
    ):
        assert lifecycle.reason(facts) == words


def test_a_unit_whose_reset_is_not_finished_is_closed_whatever_else_it_holds():
    for credential in (ABSENT, PRESENT, DAMAGED):
        for is_owned in (False, True):
            facts = Facts(True, PRESENT, credential, is_owned, True)
            assert derive(facts) == FAILED
            assert "reset" in lifecycle.reason(facts)


# The table against the effect of the owner's operations on the records ----------------------------------------------
NEW_PASSWORD = "orange bicycle under the bridge"


def _unit_in(state):
    """Return a locked unit in `state`, by the shortest way."""
    unit = MemoryUnit()
    if state == INITIALISED:
        unit.set_up()
    elif state == FAILED:
        reset.begin(unit.device)
    assert unit.state() == state
    return unit


def _set_up(unit):
    unit.set_up()


def _sign_in(unit):
    unit.sign_in()


def _change(unit):
    run(unit.owner.change(PASSWORD, NEW_PASSWORD))


def _finish_reset(unit):
    run(reset.finish(MemoryFlash(), SMALL, unit.device, unit.user_records.content.clear, False))


def _fault(unit):
    unit.device_records.damage("identity")


def _begin_reset(unit):
    reset.begin(unit.device)


OPERATIONS = {
    lifecycle.SETUP: _set_up,
    lifecycle.SIGN_IN: _sign_in,
    lifecycle.CHANGE_PASSWORD: _change,
    lifecycle.RESET: _begin_reset,
    lifecycle.RESET_DONE: _finish_reset,
    lifecycle.FAULT: _fault,
}


def test_each_event_brings_the_records_of_a_unit_to_the_state_that_the_table_names():
    for state, event, after in lifecycle.TRANSITIONS:
        if state != UNPROVISIONED:
            unit = _unit_in(state)
            OPERATIONS[event](unit)
            assert unit.state() == after, (state, event)


def test_the_owners_operations_ask_the_table_and_change_nothing_when_it_refuses():
    for event in (lifecycle.SETUP, lifecycle.SIGN_IN, lifecycle.CHANGE_PASSWORD):
        for state in (FACTORY_DEFAULT, INITIALISED, FAILED):
            if [row for row in lifecycle.TRANSITIONS if row[:2] == (state, event)]:
                continue
            unit = _unit_in(state)
            before = dict(unit.device_records.content), dict(unit.user_records.content)
            error = refused(LifecycleError, OPERATIONS[event], unit)
            assert (error.fields["state"], error.fields["event"]) == (state, event)
            assert (unit.device_records.content, unit.user_records.content) == before


def test_a_reset_by_password_needs_an_owner():
    for state in (FACTORY_DEFAULT, FAILED):
        unit = _unit_in(state)
        assert refused(LifecycleError, run, unit.owner.reset(PASSWORD)).fields["state"] == state
