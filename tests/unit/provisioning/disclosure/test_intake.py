"""Intake of mail: each mail once, floods held, bounces seen, nothing lost if a process ends or a store is restored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from provisioning.cli.report import app
from provisioning.disclosure import clocks, consistency, outbox
from provisioning.disclosure.case import BOUNCED, SENT, UNCLEAR
from provisioning.disclosure.drill_server import PASSWORD, Mailbox, imap_server
from provisioning.disclosure.errors import (
    MailError,
    MailUnclearError,
    MailUnreachableError,
    SpoolFullError,
    StateError,
)
from provisioning.disclosure.intake import Intake, Result, held
from provisioning.disclosure.mailbox import ImapServer, take_folder, take_mailbox
from provisioning.disclosure.mime import HEAD_BYTES
from provisioning.disclosure.spool import Spool
from provisioning.disclosure.states import Step
from provisioning.disclosure.store import CaseStore
from tests.unit.provisioning.disclosure.cases_bench import ADA, PRODUCT_FILE, START_S, Cases
from tests.unit.provisioning.disclosure.test_mime import bounce


@pytest.fixture
def intake(cases: Cases, tmp_path: Path) -> Intake:
    return Intake(cases.store, Spool(tmp_path / "spool"), sender_most=5, total_most=8)


def mail(number: int = 1, sender: str = ADA, more: str = "", text: str = "It leaves data.") -> bytes:
    return (
        f"From: {sender}\r\nMessage-ID: <{number}@reporter.example>\r\n{more}\r\n{text} {number}\r\n".encode()
    )


def acknowledged(cases: Cases, intake: Intake) -> tuple[str, str]:
    """Return a case from a mail, and the Message-ID of its acknowledgement, which is sent."""
    code = intake.take(mail()).case
    cases.decide(code, Step.ACKNOWLEDGE)
    cases.deliver()
    (message_id,) = cases.case(code).notices
    return code, message_id


def test_a_mail_opens_a_case_and_is_kept_as_it_came(cases: Cases, intake: Intake, tmp_path: Path) -> None:
    taken = intake.take(mail(), START_S - 3600)
    assert (taken.result, taken.case) == (Result.NEW_CASE, "SR-2026-0001")
    kept = tmp_path / "spool" / f"{taken.digest.hex()}.eml"
    assert kept.read_bytes() == mail() and kept.stat().st_mode & 0o177 == 0
    assert (
        cases.case(taken.case).received_s == START_S - 3600
    )  # the time runs from when it came, not from intake


def test_the_same_mail_counts_once_also_by_another_way(cases: Cases, intake: Intake) -> None:
    intake.take(mail())
    assert intake.take(mail()).result is Result.KNOWN
    assert intake.take(mail(more="Received: by another way\r\n")).result is Result.KNOWN
    assert len(cases.case("SR-2026-0001").messages) == 1


def test_an_answer_belongs_to_its_case_and_a_number_in_the_subject_proves_nothing(
    cases: Cases, intake: Intake
) -> None:
    code, message_id = acknowledged(cases, intake)
    answer = intake.take(mail(2, more=f"In-Reply-To: {message_id}\r\n"))
    assert (answer.result, answer.case) == (Result.ADDED, code)
    guessed = intake.take(mail(3, "eve@x.example", f"Subject: Re: [{code}]\r\n"))
    assert guessed.result is Result.NEW_CASE


def test_attachments_go_into_quarantine_under_their_hash(
    cases: Cases, intake: Intake, tmp_path: Path
) -> None:
    more = "Content-Type: application/x-sh\r\nContent-Disposition: attachment; filename=../../run.sh\r\n"
    taken = intake.take(mail(more=more, text="#!/bin/sh"))
    (quarantined,) = (tmp_path / "spool").glob("*.bin")
    assert quarantined.read_bytes().startswith(b"#!/bin/sh") and quarantined.stat().st_mode & 0o177 == 0
    assert taken.result is Result.NEW_CASE and not list(tmp_path.rglob("run.sh"))


def test_a_flood_of_one_sender_is_held_and_no_mail_is_lost(
    cases: Cases, intake: Intake, tmp_path: Path
) -> None:
    results = [intake.take(mail(number)).result for number in range(30)]
    assert (results.count(Result.NEW_CASE), results.count(Result.HELD)) == (5, 25)
    assert len(list((tmp_path / "spool").glob("*.eml"))) == 30
    assert intake.take(mail(100, "ben@reporter.example")).result is Result.NEW_CASE
    cases.clock.go(days=2)
    assert intake.take(mail(101)).result is Result.NEW_CASE


def test_a_flood_of_many_senders_is_held_and_answers_still_arrive(cases: Cases, intake: Intake) -> None:
    code, message_id = acknowledged(cases, intake)
    results = [intake.take(mail(number, f"a{number}@x.example")).result for number in range(2, 30)]
    assert results.count(Result.NEW_CASE) == 7
    assert intake.take(mail(90, more=f"In-Reply-To: {message_id}\r\n")).case == code


def test_a_held_mail_is_opened_or_set_aside_by_a_person(cases: Cases, intake: Intake) -> None:
    first = intake.take(mail(1, "undisclosed"))
    second = intake.take(mail(2, more="Precedence: bulk\r\n"))
    assert {row.reason for row in held(cases.store)} == {
        "it has no plain sender address",
        "a program wrote it",
    }
    assert intake.open_held(first.digest, ADA).result is Result.NEW_CASE
    intake.set_aside(second.digest)
    assert held(cases.store) == []
    for digest in (first.digest, second.digest, bytes(32)):
        with pytest.raises(StateError):
            intake.open_held(digest, None)
    assert intake.take(mail(2, more="Precedence: bulk\r\n")).result is Result.KNOWN


def test_a_bounce_marks_the_notice_once_and_a_stranger_cannot_make_one(cases: Cases, intake: Intake) -> None:
    code, message_id = acknowledged(cases, intake)
    assert intake.take(bounce(original=b"<guess@example.com>")).result is Result.HELD
    assert intake.take(bounce(original=message_id.encode())).result is Result.BOUNCE
    assert [notice.status for notice in cases.case(code).notices.values()] == [BOUNCED]
    outbox.decide(cases.store, cases.journal(), message_id, is_delivered=True, by="E")
    assert intake.take(bounce(original=message_id.encode())).result is Result.KNOWN
    assert [notice.status for notice in cases.case(code).notices.values()] == [SENT]


def test_a_copy_of_our_own_notice_settles_an_unclear_one(cases: Cases, intake: Intake) -> None:
    code = intake.take(mail()).case
    cases.decide(code, Step.ACKNOWLEDGE)
    cases.server.after_handover.append(MailUnclearError("gone"))
    cases.deliver()
    (notice,) = cases.case(code).notices.values()
    assert notice.status == UNCLEAR
    own = f"From: security@example.com\r\nMessage-ID: {notice.message_id}\r\n\r\ntext\r\n".encode()
    assert intake.take(own).result is Result.OWN
    assert [one.status for one in cases.case(code).notices.values()] == [SENT]


def test_a_restored_store_takes_the_spool_in_again_and_informs_nobody_twice(
    cases: Cases, intake: Intake, tmp_path: Path
) -> None:
    cases.store.close()
    shutil.copy(tmp_path / "reports.db", tmp_path / "backup.db")
    acknowledged(cases, intake)
    cases.store.close()
    for left in ("reports.db", "reports.db-wal", "reports.db-shm"):
        (tmp_path / left).unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", tmp_path / "reports.db")
    cases.store = CaseStore(tmp_path / "reports.db", now=cases.clock)
    restored = Intake(cases.store, Spool(tmp_path / "spool"))
    (taken,) = restored.again()
    cases.decide(taken.case, Step.ACKNOWLEDGE)
    cases.deliver()
    assert len(cases.server.mails) == 1
    assert restored.again() == []
    assert consistency.verify(cases.store).chains


def test_a_full_spool_takes_nothing_in_and_the_mail_stays_in_its_folder(cases: Cases, tmp_path: Path) -> None:
    folder = tmp_path / "mails"
    folder.mkdir()
    (folder / "1.eml").write_bytes(mail(text="x" * 500))
    with pytest.raises(SpoolFullError):
        list(take_folder(Intake(cases.store, Spool(tmp_path / "spool", most_bytes=100)), folder))
    (taken,) = take_folder(Intake(cases.store, Spool(tmp_path / "spool")), folder)
    assert taken.result is Result.NEW_CASE


def test_of_a_file_of_100_mb_the_beginning_is_read(cases: Cases, intake: Intake, tmp_path: Path) -> None:
    folder = tmp_path / "mails"
    folder.mkdir()
    with (folder / "large.eml").open("wb") as file:
        file.write(mail())
        file.truncate(100 << 20)
    (taken,) = take_folder(intake, folder)
    assert taken.result is Result.NEW_CASE
    assert sum(path.stat().st_size for path in (tmp_path / "spool").iterdir()) == HEAD_BYTES
    assert [item.what for item in clocks.of_case(cases.case(taken.case))] == [clocks.ACKNOWLEDGEMENT]


def test_a_link_in_the_folder_is_not_followed(cases: Cases, intake: Intake, tmp_path: Path) -> None:
    (tmp_path / "mails").mkdir()
    (tmp_path / "mails" / "1.eml").symlink_to("/etc/hostname")
    assert list(take_folder(intake, tmp_path / "mails")) == []


# A mailbox on a server ----------------------------------------------------------------------------------------------


def server_of(box: Mailbox, password: str = PASSWORD, mailbox: str = "INBOX") -> ImapServer:
    return ImapServer(
        "127.0.0.1", box.port, "maker", password, mailbox=mailbox, security="none", timeout_s=20
    )


def test_a_mailbox_is_read_from_where_the_store_stopped_and_left_as_it_is(
    cases: Cases, intake: Intake
) -> None:
    box = Mailbox({1: mail(1), 4: mail(2)})
    with imap_server(box):
        assert [taken.result for taken in take_mailbox(intake, server_of(box))] == [Result.NEW_CASE] * 2
        assert list(take_mailbox(intake, server_of(box))) == []
        box.mails[9] = mail(3)
        assert [taken.case for taken in take_mailbox(intake, server_of(box))] == ["SR-2026-0003"]
    assert box.fetched == [1, 4, 9]
    assert cases.case("SR-2026-0001").received_s == START_S - 3600


def test_a_rebuilt_mailbox_is_read_again_and_changes_nothing(cases: Cases, intake: Intake) -> None:
    box = Mailbox({1: mail(1)})
    with imap_server(box):
        list(take_mailbox(intake, server_of(box)))
        box.validity, box.mails = 8, {1: mail(7), 2: mail(1)}
        assert [taken.result for taken in take_mailbox(intake, server_of(box))] == [
            Result.NEW_CASE,
            Result.KNOWN,
        ]


def test_a_connection_that_ends_in_a_mail_loses_nothing(cases: Cases, intake: Intake) -> None:
    box = Mailbox({1: mail(1), 2: mail(2)}, breaks_at=2)
    with imap_server(box):
        with pytest.raises(MailUnreachableError):
            list(take_mailbox(intake, server_of(box)))
        box.breaks_at = None
        assert [taken.case for taken in take_mailbox(intake, server_of(box))] == ["SR-2026-0002"]


def test_a_large_mail_of_a_server_is_read_in_part(cases: Cases, intake: Intake) -> None:
    box = Mailbox({1: mail() + b"x" * HEAD_BYTES}, sizes={1: 100 << 20})
    with imap_server(box):
        (taken,) = take_mailbox(intake, server_of(box))
    assert taken.result is Result.NEW_CASE
    assert intake.spool.path_of(taken.digest).stat().st_size == HEAD_BYTES


def test_a_wrong_password_and_a_wrong_mailbox_are_named_and_no_password_is_printed(intake: Intake) -> None:
    box = Mailbox()
    with imap_server(box):
        with pytest.raises(MailError, match="refuses the user or the password") as caught:
            list(take_mailbox(intake, server_of(box, "secret")))
        assert "secret" not in str(caught.value)
        with pytest.raises(MailError, match="no mailbox Reports"):
            list(take_mailbox(intake, server_of(box, mailbox="Reports")))
    with pytest.raises(MailUnreachableError):
        list(take_mailbox(intake, server_of(box)))


def test_the_command_takes_a_folder_in_and_acknowledges_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "mails"
    folder.mkdir()
    (folder / "1.eml").write_bytes(mail())
    (folder / "2.eml").write_bytes(mail(2, more="Precedence: bulk\r\n"))
    place = ["--cases", str(tmp_path / "reports.db"), "--spool", str(tmp_path / "spool")]
    runner = CliRunner()
    for arguments in (["init"], ["promise", "--product", str(PRODUCT_FILE), "--by", "E. Example"]):
        assert runner.invoke(app, [*arguments, *place[:2]]).exit_code == 0
    done = runner.invoke(app, ["intake", *place, "--folder", str(folder), "--acknowledge", "--json"])
    assert done.exit_code == 0, done.output
    assert [entry["result"] for entry in json.loads(done.stdout)] == ["new case", "held"]
    case = json.loads(done.stdout)[0]["case"]
    shown = runner.invoke(app, ["show", case, *place[:2], "--json"])
    assert json.loads(shown.stdout)["state"] == "acknowledged"
    listed = runner.invoke(app, ["held", *place, "--json"])
    (entry,) = json.loads(listed.stdout)
    assert (listed.exit_code, entry["reason"]) == (1, "a program wrote it")
    assert runner.invoke(app, ["held", *place, "--discard", entry["sha256"]]).exit_code == 0
