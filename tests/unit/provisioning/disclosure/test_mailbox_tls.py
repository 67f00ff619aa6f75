"""IMAP over TLS: the mailbox is read inside it, and a server that cannot prove itself gets no password."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from provisioning.disclosure.drill_server import PASSWORD, Mailbox, imap_server
from provisioning.disclosure.errors import MailError, MailUnreachableError
from provisioning.disclosure.intake import Intake, Result
from provisioning.disclosure.mailbox import ImapServer, take_mailbox
from provisioning.disclosure.spool import Spool
from tests.unit.provisioning.disclosure.cases_bench import Cases
from tests.unit.provisioning.disclosure.test_intake import mail


@pytest.fixture
def intake(cases: Cases, tmp_path: Path) -> Intake:
    return Intake(cases.store, Spool(tmp_path / "spool"))


@pytest.fixture
def context(certificate: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(certificate)
    return made


def server_of(box: Mailbox, ca: Path | None, host: str = "127.0.0.1", password: str = PASSWORD) -> ImapServer:
    return ImapServer(host, box.port, "maker", password, ca=str(ca) if ca else None, timeout_s=60)


def test_a_mailbox_is_read_inside_tls(intake: Intake, context: ssl.SSLContext, certificate: Path) -> None:
    box = Mailbox({1: mail(1)})
    with imap_server(box, context):
        assert [taken.result for taken in take_mailbox(intake, server_of(box, certificate))] == [
            Result.NEW_CASE
        ]


@pytest.mark.parametrize("fault", ["unknown authority", "another name"])
def test_a_server_that_cannot_prove_itself_is_not_read_and_gets_no_password(
    fault: str, intake: Intake, context: ssl.SSLContext, certificate: Path
) -> None:
    box = Mailbox({1: mail(1)})
    with imap_server(box, context):
        server = (
            server_of(box, None)
            if fault == "unknown authority"
            else server_of(box, certificate, host="localhost")
        )
        with pytest.raises(MailUnreachableError, match="cannot be reached") as caught:
            list(take_mailbox(intake, server))
    assert PASSWORD not in str(caught.value) and (box.logins, box.fetched) == (0, [])


def test_a_wrong_password_inside_tls_is_named(
    intake: Intake, context: ssl.SSLContext, certificate: Path
) -> None:
    box = Mailbox({1: mail(1)})
    with imap_server(box, context):
        with pytest.raises(MailError, match="refuses the user or the password"):
            list(take_mailbox(intake, server_of(box, certificate, password="other")))
    assert (box.logins, box.fetched) == (1, [])


def test_a_server_without_tls_gets_no_password(intake: Intake, certificate: Path) -> None:
    box = Mailbox({1: mail(1)})
    with imap_server(box):
        with pytest.raises(MailUnreachableError):
            list(take_mailbox(intake, server_of(box, certificate)))
    assert (box.logins, box.fetched) == (0, [])
