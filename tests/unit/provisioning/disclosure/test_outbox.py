"""The outbox: nothing is lost, and nobody gets a notice twice, whatever ends at whatever moment."""

from __future__ import annotations

import shutil
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from provisioning.disclosure import clocks, consistency, desk, outbox
from provisioning.disclosure.case import BOUNCED, FAILED, QUEUED, SENT, UNCLEAR
from provisioning.disclosure.desk import Decision
from provisioning.disclosure.errors import (
    CaseInputError,
    MailRefusedError,
    MailUnclearError,
    MailUnreachableError,
    OutboxBusyError,
    StateError,
)
from provisioning.disclosure.states import Step
from provisioning.disclosure.store import CaseStore
from tests.unit.provisioning.disclosure.cases_bench import ADA, DAY_S, SENDER, Cases


@pytest.fixture
def acknowledged(cases: Cases) -> str:
    """A case whose acknowledgement is queued."""
    code = cases.report(raw_digest=bytes(32), message_id="<1@reporter.example>").case
    cases.decide(code, Step.ACKNOWLEDGE)
    return code


def statuses(cases: Cases, code: str) -> list[str]:
    return [notice.status for notice in cases.case(code).notices.values()]


def only_id(cases: Cases, code: str) -> str:
    (found,) = cases.case(code).notices
    return found


def test_a_notice_is_a_plain_mail_that_answers_the_reporters_own(cases: Cases, acknowledged: str) -> None:
    cases.deliver()
    ((recipient, data),) = cases.server.mails
    mail = message_from_bytes(data, policy=policy.default)
    assert (recipient, mail["To"], mail["From"]) == (ADA, ADA, SENDER)
    assert mail["Message-ID"] == only_id(cases, acknowledged) and mail["Message-ID"].endswith("@example.com>")
    assert mail["In-Reply-To"] == "<1@reporter.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content()
    words = " ".join(text.split())
    assert "We received it on 1 December 2026, 10:00 (GMT)" in words
    assert "15 December 2026, 10:00 (GMT) at the latest" in words
    assert acknowledged in text and "The reset does not erase" not in text


def test_a_message_id_of_a_reporter_that_would_be_a_second_header_is_left_out(cases: Cases) -> None:
    code = cases.report(message_id="<1@x>\r\nBcc: all@x.example").case
    cases.decide(code, Step.ACKNOWLEDGE)
    cases.deliver()
    mail = message_from_bytes(cases.server.mails[0][1], policy=policy.default)
    assert "In-Reply-To" not in mail and "Bcc" not in mail


def test_a_second_run_sends_nothing_again(cases: Cases, acknowledged: str) -> None:
    assert (cases.deliver().sent, cases.deliver().sent) == (1, 0)
    assert len(cases.server.mails) == 1


def test_a_server_that_is_down_for_a_week_loses_nothing(cases: Cases, acknowledged: str) -> None:
    for _ in range(7 * 24):
        cases.server.answers.append(MailUnreachableError("down"))
        report = cases.deliver()
        assert (report.is_reachable, report.waiting) == (False, 1)
        cases.clock.go(hours=1)
    (item,) = clocks.of_case(cases.case(acknowledged))
    assert item.what == clocks.DELIVERY and item.is_overdue(cases.clock())
    assert cases.deliver().sent == 1
    assert statuses(cases, acknowledged) == [SENT]


def test_an_unreachable_server_is_asked_once_in_a_run(cases: Cases) -> None:
    for number in range(3):
        cases.decide(cases.report(text=str(number)).case, Step.ACKNOWLEDGE)
    cases.server.answers.append(MailUnreachableError("down"))
    assert cases.deliver().waiting == 3
    assert not cases.server.mails


def test_a_refusal_for_now_is_tried_again_later_and_not_at_once(cases: Cases, acknowledged: str) -> None:
    cases.server.answers.append(MailRefusedError(451, is_permanent=False))
    assert cases.deliver().waiting == 1
    assert cases.deliver().sent == 0
    cases.clock.go(hours=1)
    assert cases.deliver().sent == 1


def test_a_permanent_refusal_needs_a_person(cases: Cases, acknowledged: str) -> None:
    cases.server.answers.append(MailRefusedError(550, is_permanent=True))
    assert cases.deliver().failed == 1
    assert statuses(cases, acknowledged) == [FAILED]
    cases.clock.go(days=1)
    assert cases.deliver().sent == 0
    assert [item.what for item in clocks.of_case(cases.case(acknowledged))][-1] == clocks.DELIVERY


def test_a_connection_that_ends_before_the_answer_leaves_the_notice_unclear_and_it_is_not_sent_again(
    cases: Cases, acknowledged: str
) -> None:
    cases.server.after_handover.append(MailUnclearError("gone"))
    assert cases.deliver().unclear == 1
    cases.clock.go(days=2)
    assert cases.deliver().sent == 0
    assert (statuses(cases, acknowledged), cases.server.mails) == ([UNCLEAR], [])


class Killed(BaseException):
    """The process ends here."""


def test_a_process_killed_after_the_handover_leaves_the_notice_unclear(
    cases: Cases, acknowledged: str
) -> None:
    cases.server.after_handover.append(Killed())
    with pytest.raises(Killed):
        cases.deliver()
    assert cases.deliver().sent == 0
    assert statuses(cases, acknowledged) == [UNCLEAR]


def test_a_process_killed_between_the_servers_answer_and_the_store_does_not_send_again(
    cases: Cases, acknowledged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(outbox, "_settle", killed)
        with pytest.raises(Killed):
            cases.deliver()
    assert len(cases.server.mails) == 1
    cases.deliver()
    assert (len(cases.server.mails), statuses(cases, acknowledged)) == (1, [SENT])


def test_a_process_killed_before_the_handover_sends_later(
    cases: Cases, acknowledged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from provisioning.disclosure.journal import Journal

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(
            Journal, "note", killed
        )  # the store says "sending", the journal nothing: no byte was sent
        with pytest.raises(Killed):
            cases.deliver()
    assert cases.deliver().sent == 1
    assert (len(cases.server.mails), statuses(cases, acknowledged)) == (1, [SENT])


def test_a_store_restored_from_a_backup_sends_nothing_a_second_time(
    cases: Cases, acknowledged: str, tmp_path: Path
) -> None:
    cases.store.close()
    shutil.copy(tmp_path / "reports.db", tmp_path / "backup.db")
    cases.deliver()
    cases.store.close()
    for left in ("reports.db", "reports.db-wal", "reports.db-shm"):
        (tmp_path / left).unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", tmp_path / "reports.db")
    cases.store = CaseStore(tmp_path / "reports.db", now=cases.clock)
    assert statuses(cases, acknowledged) == [QUEUED]
    cases.deliver()
    assert (len(cases.server.mails), statuses(cases, acknowledged)) == (1, [SENT])


def test_a_report_taken_in_again_after_a_restore_is_not_acknowledged_twice(
    cases: Cases, tmp_path: Path
) -> None:
    cases.store.close()
    shutil.copy(tmp_path / "reports.db", tmp_path / "backup.db")
    facts = {"raw_digest": b"r" * 32, "message_id": "<1@reporter.example>"}
    cases.decide(cases.report(**facts).case, Step.ACKNOWLEDGE)
    cases.deliver()
    cases.store.close()
    for left in ("reports.db", "reports.db-wal", "reports.db-shm"):
        (tmp_path / left).unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", tmp_path / "reports.db")
    cases.store = CaseStore(tmp_path / "reports.db", now=cases.clock)
    again = cases.report(**facts)
    assert again.is_new_case
    cases.decide(again.case, Step.ACKNOWLEDGE)
    cases.deliver()
    assert (len(cases.server.mails), statuses(cases, again.case)) == (1, [SENT])


def test_a_torn_line_of_the_journal_is_ignored_and_does_not_swallow_the_next(
    cases: Cases, acknowledged: str
) -> None:
    path = cases.journal().path
    path.write_bytes(b'{"message_id": "<1@x>", "status": "se')
    assert cases.deliver().sent == 1
    with cases.journal().locked():
        pass
    assert only_id(cases, acknowledged).encode() in path.read_bytes().splitlines()[-1]


def test_two_processes_do_not_send_at_the_same_time(cases: Cases, acknowledged: str) -> None:
    with cases.journal().locked(), pytest.raises(OutboxBusyError):
        cases.deliver()
    assert cases.deliver().sent == 1


def test_a_person_decides_about_an_unclear_notice(cases: Cases, acknowledged: str) -> None:
    cases.server.after_handover.append(MailUnclearError("gone"))
    cases.deliver()
    message_id = only_id(cases, acknowledged)
    outbox.decide(cases.store, cases.journal(), message_id, is_delivered=False, by="E. Example")
    assert cases.deliver().sent == 1
    mail = message_from_bytes(cases.server.mails[0][1])
    assert mail["Message-ID"] == message_id
    with pytest.raises(StateError):
        outbox.decide(cases.store, cases.journal(), message_id, is_delivered=False, by="E. Example")
    assert consistency.verify(cases.store).chains


def test_a_person_records_that_an_unclear_notice_was_delivered(cases: Cases, acknowledged: str) -> None:
    cases.server.after_handover.append(MailUnclearError("gone"))
    cases.deliver()
    outbox.decide(
        cases.store, cases.journal(), only_id(cases, acknowledged), is_delivered=True, by="E. Example"
    )
    assert (cases.deliver().sent, statuses(cases, acknowledged)) == (0, [SENT])


def test_an_anonymous_reporter_gets_no_mail_and_counts_as_informed(cases: Cases) -> None:
    code = cases.report(address=None).case
    cases.decide(code, Step.ACKNOWLEDGE)
    assert cases.deliver().sent == 0
    (item,) = clocks.of_case(cases.case(code))
    assert (item.what, item.due_s) == (clocks.STATUS_UPDATE, cases.clock() + 14 * DAY_S)


def test_the_same_update_twice_is_two_notices_and_each_is_sent_once(cases: Cases, acknowledged: str) -> None:
    for _ in range(2):
        desk.update(cases.store, acknowledged, Decision("E", cases.case(acknowledged).version, "News."))
    assert cases.deliver().sent == 3


def test_an_update_without_words_or_with_too_many_is_refused(cases: Cases, acknowledged: str) -> None:
    for words in (" ", "x " * 20_000):
        with pytest.raises(CaseInputError):
            desk.update(cases.store, acknowledged, Decision("E", cases.case(acknowledged).version, words))


def test_a_bounce_needs_a_person(cases: Cases, acknowledged: str) -> None:
    cases.deliver()
    with cases.store.writing() as session:
        outbox.settle(cases.store, session, only_id(cases, acknowledged), BOUNCED, "5.1.1")
    whats = [item.what for item in clocks.of_case(cases.case(acknowledged))]
    assert whats == [clocks.ACKNOWLEDGEMENT, clocks.DELIVERY]
