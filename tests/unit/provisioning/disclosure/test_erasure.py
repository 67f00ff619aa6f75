"""Erase a reporter: nothing personal is left, the log stays valid, nobody is forgotten while news is owed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from provisioning.disclosure import consistency
from provisioning.disclosure.erasure import erase
from provisioning.disclosure.errors import CaseInputError, StateError
from provisioning.disclosure.models import Message, Outgoing, Reporter
from provisioning.disclosure.spool import Spool
from provisioning.disclosure.states import Step
from tests.unit.provisioning.disclosure.cases_bench import ADA, BEN, Cases

BY = ("E. Example", "the reporter asked")


def ended(cases: Cases, address: str | None = ADA, **more: object) -> tuple[str, str]:
    """Return (case, reporter) of a case that ended and whose notices arrived."""
    receipt = cases.report(address, "I am Ada Lovelace", name="Ada Lovelace", **more)
    for step in (Step.ACKNOWLEDGE, Step.TRIAGE, Step.REJECT, Step.CLOSE):
        cases.decide(receipt.case, step, **({"title": "Reset"} if step is Step.TRIAGE else {}))
    cases.deliver()
    return receipt.case, receipt.reporter


def test_nothing_personal_is_left_and_the_log_is_valid(cases: Cases, tmp_path: Path) -> None:
    code, reporter = ended(cases)
    found = erase(cases.store, None, reporter, *BY)
    assert (found.cases, found.messages) == ((code,), 1)
    consistency.verify(cases.store)
    with cases.store.reading() as session:
        person = session.get_one(Reporter, reporter)
        assert (person.address, person.name, person.token_hash) == (None, None, None)
        assert [row.text for row in session.scalars(select(Message))] == [None]
        assert {row.text for row in session.scalars(select(Outgoing))} == {None}


def test_words_and_address_are_not_in_the_file_any_more(cases: Cases, tmp_path: Path) -> None:
    _, reporter = ended(cases)
    erase(cases.store, None, reporter, *BY)
    with cases.store.reading() as session:
        rows = [
            str(vars(row)) for kind in (Message, Outgoing, Reporter) for row in session.scalars(select(kind))
        ]
    assert not [row for row in rows if "Lovelace" in row or ADA in row]


def test_a_reporter_of_an_open_case_is_not_erased(cases: Cases) -> None:
    receipt = cases.report()
    with pytest.raises(StateError, match="informed until it ends"):
        erase(cases.store, None, receipt.reporter, *BY)
    assert cases.case(receipt.case).reporters == {receipt.reporter: cases.clock.now_s}


def test_a_notice_that_was_not_sent_is_settled_first(cases: Cases) -> None:
    receipt = cases.report()
    cases.decide(receipt.case, Step.ACKNOWLEDGE)
    cases.decide(receipt.case, Step.DISCARD)
    with pytest.raises(StateError, match="is not settled"):
        erase(cases.store, None, receipt.reporter, *BY)


def test_a_case_that_is_opened_again_informs_nobody_who_is_erased(cases: Cases) -> None:
    code, reporter = ended(cases)
    erase(cases.store, None, reporter, *BY)
    sent = len(cases.server.mails)
    cases.decide(code, Step.REOPEN)
    cases.decide(code, Step.TRIAGE, title="Reset")
    cases.decide(code, Step.CONFIRM)
    assert cases.deliver().sent == 0 and len(cases.server.mails) == sent
    assert cases.case(code).reporters == {}


def test_the_mail_is_deleted_and_not_taken_in_again(cases: Cases, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.require_space(0)
    raw = spool.keep_mail(b"From: ada\r\n\r\nI am Ada")
    _, reporter = ended(cases, raw_digest=raw)
    with pytest.raises(CaseInputError, match="give its folder with --spool"):
        erase(cases.store, None, reporter, *BY)
    assert erase(cases.store, spool, reporter, *BY).files == 1
    assert not spool.path_of(raw).exists()
    assert cases.report(ADA, "I am Ada", raw_digest=raw).is_known


def test_an_attachment_that_another_reporter_sent_too_stays(cases: Cases, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.require_space(0)
    shared, own = spool.keep_attachment(b"log"), spool.keep_attachment(b"photo")

    def attached(*digests: bytes) -> tuple[dict[str, object], ...]:
        return tuple({"name": "x", "type": "x", "bytes": 3, "sha256": one.hex()} for one in digests)

    _, reporter = ended(cases, attachments=attached(shared, own))
    cases.report(BEN, "the same", attachments=attached(shared))
    assert erase(cases.store, spool, reporter, *BY).files == 1
    assert [path.stem for path in (tmp_path / "spool").iterdir()] == [shared.hex()]


def test_an_anonymous_reporter_can_be_erased(cases: Cases) -> None:
    _, reporter = ended(cases, None)
    erase(cases.store, None, reporter, *BY)
    with cases.store.reading() as session:
        assert session.get_one(Reporter, reporter).token_hash is None


def test_an_unknown_reporter_is_refused(cases: Cases) -> None:
    with pytest.raises(CaseInputError, match="there is no reporter"):
        erase(cases.store, None, "ff" * 8, *BY)
