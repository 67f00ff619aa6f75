"""Investigations: their origins, steps and records, and the batches that they keep from shipping (CF-01 to CF-04)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from provisioning.disclosure import consistency
from provisioning.disclosure import desk as cases_desk
from provisioning.disclosure.errors import CaseConflictError, CaseInputError, StateError, UnknownCaseError
from provisioning.failures import desk, sale, states
from provisioning.failures.investigation import CODE
from provisioning.failures.origins import QUARANTINE, REPORT, SAMPLED, Origin
from provisioning.failures.record import missing, record_of
from provisioning.failures.states import State, Step
from provisioning.registry import decisions, stops
from provisioning.registry.errors import ChainError
from tests.unit.provisioning.failures.failures_bench import BY, FACTS, Failures

ROOT = Path(__file__).parents[4]


# What opens one ---------------------------------------------------------------------------------------------------


def test_cf_01_a_report_opens_an_investigation_that_names_it(failures: Failures) -> None:
    code = failures.report().case
    found = failures.open("B1", origin=Origin(REPORT, code))
    assert found.code.startswith(f"{CODE}-2026-") and found.origin == {"kind": REPORT, "reference": code}


@pytest.mark.parametrize("kind", [SAMPLED, QUARANTINE])
def test_cf_01_a_unit_opens_an_investigation_of_its_batch(kind: str, failures: Failures) -> None:
    serial = failures.serials["hillside"]
    if kind == SAMPLED:
        decisions.note_sample(failures.registry, serial, by=BY, findings=["the REPL is open"])
    else:
        decisions.hold(failures.registry, serial, by=BY, reason="a wrong label")
    suspicion = desk.Suspicion("Look at it.", Origin(kind, serial))
    assert desk.open_investigation(failures.store, failures.registry, suspicion, BY).batches == ("B1",)


@pytest.mark.parametrize(
    "origin",
    [
        Origin(REPORT, "SR-2026-0099"), Origin(REPORT, "CF-2026-0001"), Origin(SAMPLED, "SN-000001"),
        Origin(QUARANTINE, "SN-000001"), Origin(QUARANTINE, "SN-999999"),
    ],
)  # fmt: skip
def test_an_origin_that_does_not_exist_opens_nothing(origin: Origin, failures: Failures) -> None:
    with pytest.raises((CaseInputError, UnknownCaseError)):
        failures.open("B1", origin=origin)
    assert not desk.load_all(failures.store) and failures.stopped() == []


@pytest.mark.parametrize(
    "suspicion",
    [
        {"text": " "}, {"text": "a\x1b[2Jb"}, {"text": "x" * 4001}, {"batches": ("B9",)}, {"batches": ()},
        {"model": "Another"}, {"informed_s": 1 << 40},
    ],
)  # fmt: skip
def test_a_suspicion_that_cannot_be_used_opens_nothing(
    suspicion: dict[str, object], failures: Failures
) -> None:
    given = {"text": "t", "origin": Origin("person"), "batches": ("B1",)} | suspicion
    with pytest.raises(CaseInputError):
        desk.open_investigation(failures.store, failures.registry, desk.Suspicion(**given), BY)  # type: ignore[arg-type]
    assert not desk.load_all(failures.store) and not stops.stops(failures.registry)


def test_the_same_origin_is_not_examined_twice_at_a_time(failures: Failures) -> None:
    origin = Origin(REPORT, failures.report().case)
    first = failures.open("B1", origin=origin)
    with pytest.raises(StateError, match=first.code):
        failures.open("B1", origin=origin)


# The states -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("step", list(Step))
def test_a_step_that_the_table_does_not_have_is_refused(state: State, step: Step) -> None:
    if (state, step) in states.TRANSITIONS:
        assert states.after(state, step) is states.TRANSITIONS[state, step]
        return
    with pytest.raises(StateError, match="possible: "):
        states.after(state, step)


def test_every_state_but_closed_keeps_its_batches_from_shipping() -> None:
    kept = {state for state in State if states.stop_of(state, is_recalled=False) is not None}
    assert kept == set(State) - {State.CLOSED}
    assert states.stop_of(State.CLOSED, is_recalled=True) is None


def test_the_guide_has_the_table_of_states() -> None:
    page = (ROOT / "docs" / "how-to" / "compliance-failures.md").read_text()
    rows = set(re.findall(r"^\| ([a-z ,]+) \| `([a-z-]+)`[^|]* \| ([a-z ]+) \|$", page, re.MULTILINE))
    shown = {(each, step, to) for froms, step, to in rows for each in froms.split(", ")}
    assert shown == {(str(state), str(step), str(to)) for (state, step), to in states.TRANSITIONS.items()}


# Stops ------------------------------------------------------------------------------------------------------------


def test_cf_04_a_batch_does_not_ship_until_its_investigation_is_closed(failures: Failures) -> None:
    code = failures.open("B1").code
    assert failures.stopped() == ["B1"]
    failures.step(code, Step.CONFIRM)
    failures.take(code)
    failures.step(code, Step.REMEDY)
    assert failures.stopped() == ["B1"]
    failures.step(code, Step.CLOSE)
    assert failures.stopped() == []
    failures.step(code, Step.REOPEN)
    assert failures.stopped() == ["B1"]


def test_a_failure_that_cannot_be_remedied_stops_its_batches_for_good(failures: Failures) -> None:
    code = failures.open("B1").code
    failures.step(code, Step.CONFIRM)
    failures.take(code, is_successful=False)
    failures.step(code, Step.GIVE_UP)
    with pytest.raises(StateError):
        failures.step(code, Step.CLOSE)
    assert failures.stopped() == ["B1"]


def test_an_opening_that_is_interrupted_leaves_the_batch_stopped(
    failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = stops.stop

    def cut(*given: object, **more: object) -> None:
        real(*given, **more)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("provisioning.failures.desk.stops.stop", cut)
        with pytest.raises(KeyboardInterrupt):
            failures.open("B1")
    assert failures.stopped() == ["B1"] and not desk.load_all(failures.store)
    # the next investigation has another number, so its end does not lift the stop that is left
    second = failures.open("B2")
    settled = sale.settle(failures.store, failures.registry, by=BY)
    assert settled.unknown == ("CF-2026-0001",) and second.code == "CF-2026-0002"
    assert sale.lift_unknown(failures.store, failures.registry, "CF-2026-0001", by=BY, reason="cut") == ["B1"]
    assert failures.stopped() == ["B2"]


def test_a_stop_of_a_known_investigation_is_not_lifted_by_hand(failures: Failures) -> None:
    code = failures.open("B1").code
    with pytest.raises(StateError, match="when it is closed"):
        sale.lift_unknown(failures.store, failures.registry, code, by=BY, reason="hurry")
    assert failures.stopped() == ["B1"]


def test_a_registry_that_lost_a_stop_gets_it_again(failures: Failures) -> None:
    failures.open("B1")
    with failures.registry.writing() as session:
        session.execute(text("DELETE FROM sale_stop"))
    assert failures.stopped() == []
    assert sale.settle(failures.store, failures.registry, by=BY).stopped == (("CF-2026-0001", "B1"),)
    assert failures.stopped() == ["B1"]


# Decisions and the record -----------------------------------------------------------------------------------------


def test_of_two_people_who_decide_on_the_same_version_one_is_refused(failures: Failures) -> None:
    code = failures.open().code
    seen = failures.decision(code)
    desk.add_evidence(failures.store, code, "Label 7 and label 9 are the same.", seen)
    with pytest.raises(CaseConflictError):
        desk.decide(failures.store, code, Step.CLEAR, seen)
    assert desk.load(failures.store, code).state is State.OPEN


@pytest.mark.parametrize("name", ["details", "risks"])
def test_a_failure_without_details_or_risks_is_not_confirmed(name: str, failures: Failures) -> None:
    code = failures.open().code
    with pytest.raises(CaseInputError, match=name):
        desk.decide(failures.store, code, Step.CONFIRM, failures.decision(code), FACTS | {name: "\n"})
    assert desk.load(failures.store, code).state is State.OPEN


def test_nothing_counts_as_remedied_without_a_step_that_was_successful(failures: Failures) -> None:
    code = failures.open().code
    failures.step(code, Step.CONFIRM)
    with pytest.raises(StateError, match="no successful step"):
        failures.step(code, Step.REMEDY)
    failures.take(code, is_successful=None)
    with pytest.raises(StateError, match="step 1"):
        failures.step(code, Step.REMEDY)
    desk.set_result(failures.store, code, 1, True, failures.decision(code))
    assert failures.step(code, Step.REMEDY).state is State.REMEDIED


def test_cf_02_the_record_has_outcome_details_steps_and_success_for_ten_years(failures: Failures) -> None:
    code = failures.open().code
    assert missing(failures.step(code, Step.CONFIRM)) != []
    failures.take(code)
    failures.step(code, Step.REMEDY, Step.CLOSE)
    record = record_of(failures.store, desk.load(failures.store, code))
    assert record["missing"] == [] and record["is_compliance_failure"] is True
    assert (record["details"], record["risks"]) == (FACTS["details"], FACTS["risks"])
    assert record["steps"][0]["is_successful"] is True and record["outcome"] == "seen"
    assert record["keep_until"] == "2036-12-01" and len(record["log"]) == 5


def test_the_record_of_a_leap_day_is_kept_a_day_longer(failures: Failures) -> None:
    failures.clock.go(days=455)  # 29 February 2028
    found = failures.open()
    assert found.keep_until().isoformat() == "2038-03-01"


def test_an_investigation_and_a_case_do_not_answer_for_each_other(failures: Failures) -> None:
    code, case = failures.open().code, failures.report().case
    with pytest.raises(UnknownCaseError):
        cases_desk.load(failures.store, code)
    with pytest.raises(UnknownCaseError):
        desk.load(failures.store, case)
    assert list(cases_desk.load_all(failures.store)) == [case]
    assert list(desk.load_all(failures.store)) == [code]


def test_a_changed_event_of_an_investigation_is_found(failures: Failures) -> None:
    failures.open()
    consistency.verify(failures.store)
    with failures.store.writing() as session:
        session.execute(text("UPDATE case_event SET body = replace(body, 'Two labels', 'Six labels')"))
    with pytest.raises(ChainError):
        consistency.verify(failures.store)


def test_a_recall_needs_a_confirmed_failure_and_is_recorded_once(failures: Failures) -> None:
    code = failures.open().code
    with pytest.raises(StateError):
        desk.recall(failures.store, code, failures.decision(code))
    failures.step(code, Step.CONFIRM)
    assert desk.recall(failures.store, code, failures.decision(code)).stop == stops.RECALLED
    with pytest.raises(StateError):
        desk.recall(failures.store, code, failures.decision(code))
