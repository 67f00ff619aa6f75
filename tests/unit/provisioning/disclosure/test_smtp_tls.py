"""TLS and login against a real mail server program (aiosmtpd) on loopback."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from provisioning.disclosure import outbox
from provisioning.disclosure.case import QUEUED, SENT
from provisioning.disclosure.errors import MailError
from provisioning.disclosure.smtp import STARTTLS, TLS, SmtpServer, SmtpTransport
from provisioning.disclosure.states import Step
from tests.own_port import own_port
from tests.unit.provisioning.disclosure.cases_bench import SENDER, Cases

USER, PASSWORD = "security", "right horse"


class Inbox:
    """Keeps what it accepts, and whether the connection was encrypted."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.logins: list[tuple[bytes, bool]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.mails.append(envelope.content)
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(
            (data.login, session.ssl is not None or server.transport.get_extra_info("sslcontext"))
        )
        is_right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=is_right, handled=False)  # the server writes the answer


@contextmanager
def server(inbox: Inbox, certificate: Path, security: str) -> Iterator[int]:
    """Run the mail server; gives its port. It takes mail only after a login, and logins only with TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    port = own_port()
    options: dict[str, Any] = {"ssl_context": context} if security == TLS else {"tls_context": context}
    if security == STARTTLS:
        options["require_starttls"] = True
    controller = Controller(
        inbox,
        hostname="127.0.0.1",
        port=port,
        ready_timeout=600,
        authenticator=inbox.authenticate,
        auth_required=True,
        auth_require_tls=security == STARTTLS,
        **options,
    )
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def queued(cases: Cases) -> str:
    code = cases.report().case
    cases.decide(code, Step.ACKNOWLEDGE)
    return code


def deliver(
    cases: Cases, port: int, security: str, ca: Path | None, password: str = PASSWORD
) -> outbox.Delivered:
    link = SmtpServer(
        "127.0.0.1", port, security=security, user=USER, password=password, ca=str(ca) if ca else None, timeout_s=600
    )  # fmt: skip
    transport = SmtpTransport(link)
    try:
        return outbox.deliver(cases.store, cases.journal(), transport, SENDER)
    finally:
        transport.close()


def status(cases: Cases, code: str) -> str:
    (notice,) = cases.case(code).notices.values()
    return notice.status


@pytest.mark.parametrize("security", [TLS, STARTTLS])
def test_a_notice_is_sent_after_login_inside_tls(cases: Cases, certificate: Path, security: str) -> None:
    inbox, code = Inbox(), queued(cases)
    with server(inbox, certificate, security) as port:
        assert deliver(cases, port, security, certificate).sent == 1
    assert (status(cases, code), len(inbox.mails)) == (SENT, 1)
    assert [(user, bool(is_encrypted)) for user, is_encrypted in inbox.logins] == [(USER.encode(), True)]


@pytest.mark.parametrize("security", [TLS, STARTTLS])
def test_a_server_of_an_unknown_authority_gets_neither_password_nor_mail(
    cases: Cases, certificate: Path, security: str
) -> None:
    inbox, code = Inbox(), queued(cases)
    with server(inbox, certificate, security) as port:
        report = deliver(cases, port, security, None)
    assert (report.is_reachable, status(cases, code)) == (False, QUEUED)
    assert (inbox.logins, inbox.mails) == ([], [])


def test_a_wrong_password_is_a_clear_error_without_the_password(cases: Cases, certificate: Path) -> None:
    inbox, code = Inbox(), queued(cases)
    with server(inbox, certificate, STARTTLS) as port:
        with pytest.raises(MailError, match="refuses the user or the password") as caught:
            deliver(cases, port, STARTTLS, certificate, "wrong horse")
    assert "wrong horse" not in str(caught.value)
    assert (status(cases, code), inbox.mails) == (QUEUED, [])
