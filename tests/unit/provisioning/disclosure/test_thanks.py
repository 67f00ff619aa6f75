"""Thanks to reporters: only with recorded consent, in the name that they chose, until they withdraw or are erased."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from provisioning.disclosure import consistency, desk, provider, thanks
from provisioning.disclosure.desk import Decision
from provisioning.disclosure.erasure import erase
from provisioning.disclosure.errors import CaseConflictError, CaseInputError
from provisioning.disclosure.models import CaseEvent, Message
from provisioning.disclosure.states import Step
from tests.unit.provisioning.disclosure import test_advisory, test_csaf_draft
from tests.unit.provisioning.disclosure.cases_bench import Cases
from tests.unit.provisioning.disclosure.test_advisory import Desk, maker

__all__ = ["maker"]
NAME = "Ada L. of the Analytical Society"
PAGE = "advisories/sa-2026-0001.html"


def thank(cases: Cases, code: str, name: str = NAME, reporter: str = "", version: int | None = None) -> None:
    case = cases.case(code)
    decision = Decision("E. Example", case.version if version is None else version, reason="her mail")
    thanks.record(cases.store, code, reporter or next(iter(case.reporters)), name, decision)


def document(maker: Desk, code: str) -> dict[str, Any]:
    return dict(json.loads(maker.contents()[f".well-known/csaf/2026/sa-{code[3:].lower()}.json"]))


def test_rp_09_a_reporter_who_agreed_is_thanked_in_document_page_and_feed(maker: Desk) -> None:
    code = maker.published()
    thank(maker.cases, code)
    files = maker.contents()
    found = document(maker, code)
    assert test_advisory.faults(found) == []
    assert found["document"]["acknowledgments"] == [{"names": [NAME], "summary": "Reported the issue."}]
    assert [test_csaf_draft.faults(one) for one in test_csaf_draft.documents(maker)] == [[], []]
    assert f"We thank {NAME}, who reported" in files[PAGE].decode()
    assert f"Reported by {NAME}." in files[provider.FEED].decode()


def test_without_a_record_of_the_consent_nobody_is_named(maker: Desk) -> None:
    code = maker.cases.report(name="Ada Lovelace").case
    maker.cases.decide(code, Step.ACKNOWLEDGE)
    maker.cases.decide(code, Step.TRIAGE, title="Reset", batches=[], versions=[])
    maker.cases.decide(code, Step.CONFIRM)
    maker.write(code)
    maker.lift(code)
    assert "acknowledgments" not in document(maker, code)["document"]
    assert "Lovelace" not in b"".join(maker.contents().values()).decode()


def test_under_embargo_nobody_is_thanked(maker: Desk) -> None:
    code = maker.fixed()
    maker.write(code)
    thank(maker.cases, code)
    assert NAME.encode() not in b"".join(maker.contents().values())
    assert "acknowledgments" not in maker.document(code)["document"]


def test_an_anonymous_reporter_is_not_named(maker: Desk) -> None:
    code = maker.cases.report(None).case
    before = maker.cases.case(code).version
    with pytest.raises(CaseInputError, match="is anonymous: nobody names them"):
        thank(maker.cases, code)
    assert maker.cases.case(code).version == before


def test_a_person_who_reported_nothing_is_not_thanked(maker: Desk) -> None:
    code, other = maker.fixed(), maker.cases.report("ben@reporter.example", text="another").reporter
    with pytest.raises(CaseInputError, match=f"has no reporter {other}"):
        thank(maker.cases, code, reporter=other)


@pytest.mark.parametrize("name", [" ", "two\nlines", "x" * 201, "right\u202eleft"])
def test_a_name_that_a_page_cannot_show_is_refused(maker: Desk, name: str) -> None:
    with pytest.raises(CaseInputError, match="the name is one line"):
        thank(maker.cases, maker.fixed(), name)


def test_a_decision_on_an_older_version_is_refused(maker: Desk) -> None:
    code = maker.fixed()
    with pytest.raises(CaseConflictError):
        thank(maker.cases, code, version=1)
    with maker.cases.store.reading() as session:
        assert NAME not in [row.text for row in session.scalars(select(Message))]


def test_a_reporter_who_withdraws_is_gone_from_the_next_revision(maker: Desk) -> None:
    code = maker.published()
    thank(maker.cases, code)
    thank(maker.cases, code, "")
    found = document(maker, code)["document"]
    assert "acknowledgments" not in found
    summaries = [one["summary"] for one in found["tracking"]["revision_history"]]
    assert summaries == ["First version.", "The thanks were changed.", "The thanks were changed."]
    with pytest.raises(CaseInputError, match="does not thank reporter"):
        thank(maker.cases, code, "")


def test_a_new_name_replaces_the_earlier_one(maker: Desk) -> None:
    code = maker.published()
    thank(maker.cases, code)
    thank(maker.cases, code, "A. Lovelace")
    assert document(maker, code)["document"]["acknowledgments"][0]["names"] == ["A. Lovelace"]


def test_an_erased_reporter_is_not_named_and_the_documents_have_a_new_revision(maker: Desk) -> None:
    code = maker.published()
    thank(maker.cases, code)
    before = document(maker, code)["document"]["tracking"]["version"]
    maker.cases.decide(code, Step.CLOSE)
    maker.cases.deliver()
    (reporter,) = maker.cases.case(code).reporters
    erase(maker.cases.store, None, reporter, "E. Example", "asked")
    found = document(maker, code)["document"]
    assert "acknowledgments" not in found and int(found["tracking"]["version"]) == int(before) + 1
    assert NAME.encode() not in b"".join(maker.contents().values())
    consistency.verify(maker.cases.store)


def test_the_erasure_of_a_reporter_who_is_not_named_changes_no_document(maker: Desk) -> None:
    code = maker.published()
    maker.cases.decide(code, Step.CLOSE)
    maker.cases.deliver()
    before = maker.contents()
    (reporter,) = maker.cases.case(code).reporters
    erase(maker.cases.store, None, reporter, "E. Example", "asked")
    assert maker.contents() == before


def test_the_log_has_no_name_and_stays_valid_and_a_changed_name_is_found(maker: Desk) -> None:
    code = maker.published()
    thank(maker.cases, code)
    consistency.verify(maker.cases.store)
    with maker.cases.store.reading() as session:
        assert not [row.body for row in session.scalars(select(CaseEvent)) if "Analytical" in row.body]
    with maker.cases.store.writing() as session:
        row = next(one for one in session.scalars(select(Message)) if one.text == NAME)
        row.text = "Somebody else"
    with maker.cases.store.reading() as session:
        assert f"a message of case {code} was changed" in consistency.problems(session)


def test_the_reporters_of_a_merged_case_are_thanked_in_the_order_of_their_consent(maker: Desk) -> None:
    code = maker.published()
    assert len(desk.load(maker.cases.store, code).thanked) == 0
    thank(maker.cases, code)
    assert desk.load(maker.cases.store, code).thanked == (NAME,)
    assert desk.load_all(maker.cases.store)[code].thanked == (NAME,)
