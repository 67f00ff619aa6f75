"""Notices handed to a real mail server program (aiosmtpd) over the network."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from email import message_from_bytes, policy
from typing import Any

import pytest

from provisioning.disclosure import outbox
from provisioning.disclosure.case import FAILED, QUEUED, SENT, UNCLEAR
from provisioning.disclosure.drill_server import smtp_server
from provisioning.disclosure.outbox import Delivered
from provisioning.disclosure.smtp import SmtpServer, SmtpTransport
from provisioning.disclosure.states import Step
from tests.unit.provisioning.disclosure.cases_bench import ADA, SENDER, Cases


class Inbox:
    """Keeps what it accepts. `answers`: for the next messages instead of 250; None hangs up."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], bytes]] = []
        self.answers: list[str | None] = []

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address.startswith("gone"):
            return "550 5.1.1 no such user"
        if address.startswith("busy"):
            return "451 4.3.0 later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answers:
            answer = self.answers.pop(0)
            if answer is None:
                server.transport.close()
                return "421 gone"
            return answer
        self.mails.append((envelope.rcpt_tos, envelope.content))
        return "250 OK"


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, int]]:
    handler = Inbox()
    with smtp_server(handler) as port:
        yield handler, port


def deliver(cases: Cases, port: int) -> Delivered:
    transport = SmtpTransport(SmtpServer("127.0.0.1", port, security="none", timeout_s=600))
    try:
        return outbox.deliver(cases.store, cases.journal(), transport, SENDER)
    finally:
        transport.close()


def queued(cases: Cases, address: str = ADA, text: str = "text") -> str:
    code = cases.report(address, text).case
    cases.decide(code, Step.ACKNOWLEDGE)
    return code


def status(cases: Cases, code: str) -> str:
    (notice,) = cases.case(code).notices.values()
    return notice.status


def test_notices_arrive_whole_over_one_connection(cases: Cases, inbox: tuple[Inbox, int]) -> None:
    handler, port = inbox
    codes = [queued(cases, text=str(number)) for number in range(3)]
    assert deliver(cases, port).sent == 3
    mails = [message_from_bytes(data, policy=policy.default) for _, data in handler.mails]
    assert [mail["Subject"][1:13] for mail in mails] == codes
    assert all("Thank you for your report." in mail.get_content() for mail in mails)


def test_a_line_that_begins_with_a_dot_arrives_as_it_was_written(
    cases: Cases, inbox: tuple[Inbox, int]
) -> None:
    from provisioning.disclosure import desk

    handler, port = inbox
    code = queued(cases)
    decision = desk.Decision("E", cases.case(code).version, ".\n..two dots")
    desk.update(cases.store, code, decision)
    assert deliver(cases, port).sent == 2
    text = message_from_bytes(handler.mails[-1][1], policy=policy.default).get_content()
    assert [line for line in text.splitlines() if line.startswith(".")] == [".", "..two dots"]


def test_a_refused_receiver_a_busy_one_and_a_good_one_are_kept_apart(
    cases: Cases, inbox: tuple[Inbox, int]
) -> None:
    handler, port = inbox
    codes = [queued(cases, address) for address in ("gone@x.example", "busy@x.example", ADA)]
    report = deliver(cases, port)
    assert (report.sent, report.waiting, report.failed) == (1, 1, 1)
    assert [status(cases, code) for code in codes] == [FAILED, QUEUED, SENT]
    assert [receivers for receivers, _ in handler.mails] == [[ADA]]


@pytest.mark.parametrize(
    ("answer", "expected"), [("554 5.7.1 spam", FAILED), ("452 4.3.1 full", QUEUED), (None, UNCLEAR)]
)
def test_the_answer_to_the_message_decides(
    answer: str | None, expected: str, cases: Cases, inbox: tuple[Inbox, int]
) -> None:
    handler, port = inbox
    handler.answers.append(answer)
    code = queued(cases)
    deliver(cases, port)
    assert status(cases, code) == expected


def test_a_server_that_does_not_listen_leaves_everything_queued(cases: Cases) -> None:
    code = queued(cases)
    with socket.socket() as probe:  # bound, and not listening
        probe.bind(("127.0.0.1", 0))
        report = deliver(cases, probe.getsockname()[1])
    assert (report.is_reachable, report.waiting, status(cases, code)) == (False, 1, QUEUED)


def test_a_server_without_tls_is_not_used_if_tls_is_asked_for(cases: Cases, inbox: tuple[Inbox, int]) -> None:
    handler, port = inbox
    code = queued(cases)
    transport = SmtpTransport(SmtpServer("127.0.0.1", port, security="starttls", timeout_s=600))
    report = outbox.deliver(cases.store, cases.journal(), transport, SENDER)
    transport.close()
    assert (report.is_reachable, status(cases, code), handler.mails) == (False, QUEUED, [])
