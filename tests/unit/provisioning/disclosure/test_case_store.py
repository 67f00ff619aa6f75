"""The log of cases: append-only, chained, signed; two people, a clock that goes back, a changed database."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import text

from provisioning.disclosure import consistency, desk, reception, states
from provisioning.disclosure.desk import Decision
from provisioning.disclosure.errors import (
    CaseClockError,
    CaseConflictError,
    CaseInputError,
    StateError,
    UnknownCaseError,
)
from provisioning.disclosure.states import TRANSITIONS, State, Step
from provisioning.disclosure.store import CaseStore
from provisioning.registry.errors import ChainError, RegistryError
from provisioning.registry.registry import Registry
from tests.unit.provisioning.disclosure.cases_bench import ADA, BEN, ROOT, START_S, Cases


def execute(cases: Cases, statement: str) -> None:
    """Change a store without its own code."""
    with cases.store.database.engine.begin() as connection:
        assert connection.execute(text(statement)).rowcount > 0


def test_a_case_goes_from_its_report_to_its_end_on_both_databases(both: Cases) -> None:
    code = both.report().case
    assert code == "SR-2026-0001"
    for step in (Step.ACKNOWLEDGE, Step.TRIAGE, Step.CONFIRM, Step.RESOLVE, Step.PUBLISH, Step.CLOSE):
        case = both.decide(code, step, release="1.2.1")
    assert case.state is State.CLOSED
    assert [notice.purpose for notice in case.notices.values()] == [
        "acknowledge", "confirm", "resolve", "publish", "close",
    ]  # fmt: skip
    assert both.deliver().sent == 5
    assert [recipient for recipient, _ in both.server.mails] == [ADA] * 5
    assert consistency.verify(both.store).chains


def test_of_two_people_who_decide_on_the_same_version_one_is_refused(both: Cases) -> None:
    code = both.report().case
    seen = both.case(code).version
    desk.decide(both.store, code, Step.ACKNOWLEDGE, Decision("A", seen))
    before = both.case(code)
    with pytest.raises(CaseConflictError) as caught:
        desk.decide(both.store, code, Step.TRIAGE, Decision("B", seen), {"title": "mine"})
    assert (caught.value.have, caught.value.expected) == (before.version, seen)
    with pytest.raises(CaseConflictError):
        desk.update(both.store, code, Decision("B", seen, "news"))
    assert both.case(code) == before


@pytest.mark.parametrize("state", State)
def test_every_step_that_the_table_does_not_have_is_refused(state: State) -> None:
    for step in Step:
        if (state, step) in TRANSITIONS:
            assert states.after(state, step) is TRANSITIONS[state, step]
        else:
            with pytest.raises(StateError):
                states.after(state, step)


def test_every_state_can_be_reached_and_every_open_state_can_end() -> None:
    def reachable(start: State) -> set[State]:
        found = {start}
        while True:
            more = {after for (before, _), after in TRANSITIONS.items() if before in found} | found
            if more == found:
                return found
            found = more

    assert reachable(State.RECEIVED) == set(State)
    for state in State:
        assert not states.is_open(state) or reachable(state) & states.ENDED


def test_a_refused_step_records_nothing_and_informs_nobody(cases: Cases) -> None:
    code = cases.report().case
    before = cases.case(code)
    with pytest.raises(StateError, match="possible: acknowledge"):
        cases.decide(code, Step.PUBLISH)
    assert cases.case(code) == before
    assert cases.deliver().sent == 0


def test_a_published_case_is_public_also_after_it_was_closed(cases: Cases) -> None:
    code = cases.report().case
    for step in (Step.ACKNOWLEDGE, Step.TRIAGE, Step.CONFIRM, Step.RESOLVE):
        assert cases.decide(code, step, release="1.2.1").is_embargoed
    assert not cases.decide(code, Step.PUBLISH).is_embargoed
    assert not cases.decide(code, Step.CLOSE).is_embargoed


def test_an_unknown_case_is_refused(cases: Cases) -> None:
    with pytest.raises(UnknownCaseError):
        cases.case("SR-2026-0009")


def test_a_clock_that_goes_back_is_refused_until_a_person_records_it(cases: Cases) -> None:
    code = cases.report().case
    cases.clock.go(days=-2)
    with pytest.raises(CaseClockError, match="172800 s earlier"):
        cases.decide(code, Step.ACKNOWLEDGE)
    with pytest.raises(CaseClockError):
        cases.report(text="another")
    desk.record_clock(cases.store, "E. Example", "the battery was empty")
    assert cases.decide(code, Step.ACKNOWLEDGE).state is State.ACKNOWLEDGED
    assert consistency.verify(cases.store).chains


def test_a_small_step_back_of_the_clock_does_not_turn_the_log_around(cases: Cases) -> None:
    code = cases.report().case
    cases.clock.now_s -= 100
    cases.decide(code, Step.ACKNOWLEDGE)
    times = [event.time_s for event in cases.case(code).events]
    assert times == sorted(times) and times[-1] == START_S


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "UPDATE case_event SET body = replace(body, 'seen', 'unseen') WHERE case_code IS NOT NULL",
            "was changed",
        ),
        ("DELETE FROM case_event WHERE number = 3", "dropped or moved"),
        ("UPDATE message SET text = 'harmless'", "a message of case SR-2026-0001 was changed"),
        ("DELETE FROM message", "a message of case SR-2026-0001 is gone"),
        ("UPDATE outgoing SET text = 'promised'", "a notice of case SR-2026-0001 was changed"),
        ("UPDATE outgoing SET status = 'sent'", "is sent in its table and not in the log"),
        ("DELETE FROM outgoing", "a notice of case SR-2026-0001 is gone"),
    ],
)
def test_what_is_changed_outside_the_program_is_found(statement: str, words: str, cases: Cases) -> None:
    cases.decide(cases.report().case, Step.ACKNOWLEDGE)
    execute(cases, statement)
    with pytest.raises(ChainError, match=words):
        consistency.verify(cases.store)


def test_a_checkpoint_kept_elsewhere_shows_that_the_end_of_the_log_was_cut_off(cases: Cases) -> None:
    cases.decide(cases.report().case, Step.ACKNOWLEDGE)
    kept = cases.store.checkpoint()
    assert consistency.verify(cases.store, [kept]).checkpoints == 2
    execute(cases, "DELETE FROM outgoing")
    execute(cases, "DELETE FROM checkpoint")
    execute(cases, "DELETE FROM case_event WHERE number > 3")
    consistency.verify(cases.store)
    with pytest.raises(ChainError, match="records were dropped or an old registry was restored"):
        consistency.verify(cases.store, [kept])


def test_an_erased_text_leaves_the_log_valid(cases: Cases) -> None:
    cases.decide(cases.report().case, Step.ACKNOWLEDGE)
    execute(cases, "UPDATE message SET text = NULL")
    execute(cases, "UPDATE reporter SET address = NULL")
    assert consistency.verify(cases.store).chains


def test_the_log_holds_no_address_and_no_word_of_a_reporter(cases: Cases) -> None:
    cases.decide(cases.report(text="Secret words.", name="Ada Reporter").case, Step.ACKNOWLEDGE)
    with cases.store.database.engine.begin() as connection:
        bodies = " ".join(connection.execute(text("SELECT body FROM case_event")).scalars())
    assert not [word for word in (ADA, "Ada Reporter", "Secret") if word in bodies]


def test_merged_cases_go_on_as_one_and_the_reporters_of_both_are_informed(cases: Cases) -> None:
    first, second = cases.report().case, cases.report(BEN, "The reset leaves data.").case
    cases.decide(first, Step.ACKNOWLEDGE)
    main = desk.merge(cases.store, second, first, Decision("E", cases.case(second).version))
    assert (cases.case(second).state, len(main.reporters)) == (State.MERGED, 2)
    assert cases.deliver().sent == 3
    by_reader = sorted((to, mail.split(b"Subject: ")[1].split(b"\r\n")[0]) for to, mail in cases.server.mails)
    assert by_reader == [
        (ADA, b"[SR-2026-0001] Another report about the same problem"),
        (ADA, b"[SR-2026-0001] We received your security report"),
        (BEN, b"[SR-2026-0002] Your security report continues in another case"),
    ]
    desk.update(cases.store, first, Decision("E", cases.case(first).version, "We can see it too."))
    assert cases.deliver().sent == 2


def test_a_message_after_a_merge_belongs_to_the_case_that_continues(cases: Cases) -> None:
    first, second = cases.report().case, cases.report(BEN, "The reset leaves data.")
    desk.merge(cases.store, second.case, first, Decision("E", cases.case(second.case).version))
    assert cases.report(BEN, "More.", reporter=second.reporter).case == first


def test_a_case_cannot_be_merged_into_itself_or_into_one_that_ended(cases: Cases) -> None:
    first, second = cases.report().case, cases.report(BEN, "The reset leaves data.").case
    cases.decide(second, Step.DISCARD)
    for into in (first, second):
        with pytest.raises(StateError):
            desk.merge(cases.store, first, into, Decision("E", cases.case(first).version))


@pytest.mark.parametrize(
    "address",
    [
        "ada@x.example\r\nBcc: all@x.example",
        "Ada <ada@x.example>",
        "ada",
        "a b@x.example",
        "@x",
        "a" * 400 + "@x",
    ],
)
def test_an_address_that_is_more_than_an_address_is_refused(address: str, cases: Cases) -> None:
    with pytest.raises(CaseInputError):
        cases.report(address)


def test_an_anonymous_reporter_gets_a_token_of_which_the_store_keeps_a_hash(cases: Cases) -> None:
    receipt = cases.report(address=None)
    assert receipt.token is not None and len(receipt.token.replace("-", "")) == 27
    with cases.store.reading() as session:
        found = reception.reporter_of(session, receipt.token.upper().replace("-", " "))
        assert found is not None and found.id == receipt.reporter
        assert reception.reporter_of(session, receipt.token[:-1]) is None
    content = b"".join(path.read_bytes() for path in Path(cases.store.database.location.folder).glob("*"))
    assert receipt.token.encode() not in content and receipt.token.replace("-", "").encode() not in content


def test_a_report_before_a_promise_is_refused(tmp_path: Path) -> None:
    store = CaseStore.create(tmp_path / "reports.db")
    with pytest.raises(CaseInputError, match="firstboot report promise"):
        reception.receive(store, reception.Incoming("hand", "text"))


def test_a_registry_is_not_a_case_store_and_a_case_store_is_not_a_registry(
    cases: Cases, tmp_path: Path
) -> None:
    Registry.create(tmp_path / "registry.db").close()
    with pytest.raises(RegistryError, match="the case store was written by another version"):
        CaseStore(tmp_path / "registry.db")
    with pytest.raises(RegistryError, match="the registry was written by another version"):
        Registry(tmp_path / "reports.db")
    with pytest.raises(RegistryError, match=r"there is no case store .* firstboot report init"):
        CaseStore(tmp_path / "typo.db")
    assert not (tmp_path / "typo.db").exists()


def test_a_lost_store_is_reported_as_such(cases: Cases, tmp_path: Path) -> None:
    cases.report()
    (tmp_path / "reports.db").unlink()
    with pytest.raises(RegistryError, match="restore the case store"):
        cases.report(text="another")


def test_numbers_of_cases_begin_again_each_year_and_are_never_repeated(cases: Cases) -> None:
    assert [cases.report(text=str(n)).case for n in range(2)] == ["SR-2026-0001", "SR-2026-0002"]
    cases.clock.go(days=40)
    assert cases.report(text="next year").case == "SR-2027-0001"


def test_events_say_who_decided_and_why(cases: Cases) -> None:
    code = cases.report().case
    cases.decide(code, Step.DISCARD)
    with cases.store.database.engine.begin() as connection:
        body = json.loads(
            connection.execute(text("SELECT body FROM case_event ORDER BY number DESC")).scalars().first()
            or ""
        )
    assert (body["by"], body["reason"], body["kind"]) == ("E. Example", "seen", "discard")


def test_the_table_of_states_in_the_guide_is_the_one_that_the_code_runs_on() -> None:
    page = (ROOT / "docs" / "how-to" / "security-reports.md").read_text(encoding="utf-8")
    shown = set()
    for before, step, after in re.findall(
        r"^\| ([a-z ,]+) \| `(\w+)`[^|]*\| ([a-z ]+) \|$", page, re.MULTILINE
    ):
        states_before = (
            [one for one in State if states.is_open(one)] if "every open" in before else before.split(", ")
        )
        shown |= {
            (State(one), Step(step), State(one if after == "unchanged" else after)) for one in states_before
        }
    assert shown == {(before, step, after) for (before, step), after in TRANSITIONS.items()}
