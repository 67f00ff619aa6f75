"""`firstboot report send`, `outbox` and `settle-mail`: notices on their way to the reporters."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from provisioning.cli.addresses import parse_address
from provisioning.cli.errors import InputError, RefusedError, warn
from provisioning.cli.options import ByOption, FilesOption, JsonOption
from provisioning.cli.output import print_report
from provisioning.cli.report_access import CasesOption, opened
from provisioning.cli.report_texts import time_text
from provisioning.cli.settings import with_settings
from provisioning.disclosure import outbox
from provisioning.disclosure.case import NEEDS_A_PERSON
from provisioning.disclosure.errors import MailUnreachableError
from provisioning.disclosure.journal import Journal, journal_path
from provisioning.disclosure.smtp import PASSWORD_VARIABLE, SmtpServer, SmtpTransport
from provisioning.disclosure.store import CaseStore
from provisioning.keys.secret_input import from_environment
from provisioning.mail_address import is_address

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Security(StrEnum):
    """The protection of the connection to a mail server."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


SecurityOption = Annotated[
    Security, typer.Option("--security", help="Protection of the connection; none only on this machine.")
]


@dataclasses.dataclass(frozen=True)
class SendSettings:
    """The options of `firstboot report send`."""

    cases: CasesOption
    smtp: Annotated[
        str, typer.Option("--smtp", metavar="HOST:PORT", help="The mail server that takes your mail.")
    ]
    sender: Annotated[
        str,
        typer.Option(
            "--from", metavar="ADDRESS", help="Your published address; answers and bounces go there."
        ),
    ]
    user: Annotated[
        str | None,
        typer.Option(
            "--user", metavar="NAME", help=f"Name for the login; the password is in {PASSWORD_VARIABLE}."
        ),
    ] = None
    security: SecurityOption = Security.STARTTLS
    ca: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="Certificate of the server's authority (PEM).")
    ] = None
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="Notices in one run.")] = 200
    files: FilesOption = None
    is_json: JsonOption = False


@with_settings(SendSettings, "report.send")
def send(settings: SendSettings) -> None:
    """Send the queued notices. Run it by cron: a notice that cannot be sent now stays queued.

    No notice is sent twice: if the connection ends before the server answered, a person decides (`settle-mail`).

    Example: `firstboot report send --cases reports.db --smtp mail.example.com:587 --from security@example.com`
    """
    if not is_address(settings.sender):
        raise InputError("--from is not a plain mail address.")
    host, port = parse_address(settings.smtp)
    require_safe(host, settings.security, "--smtp")
    server = SmtpServer(
        host,
        port,
        security=settings.security.value,
        user=settings.user,
        password=from_environment(PASSWORD_VARIABLE),
        ca=None if settings.ca is None else str(settings.ca),
    )
    transport = SmtpTransport(server)
    with opened(settings.cases, settings.files) as store:
        try:
            found = outbox.deliver(store, journal_of(store), transport, settings.sender, settings.most)
        finally:
            transport.close()
    lines = [f"{found.sent} sent, {found.waiting} wait, {found.unclear} unclear, {found.failed} failed"]
    document = {name: value for name, value in dataclasses.asdict(found).items() if name != "problems"}
    print_report(lines, document, settings.is_json)
    for problem in found.problems[:1]:
        raise MailUnreachableError(f"{problem}; everything stays queued")
    if found.unclear or found.failed:
        raise RefusedError(["some notices need a person: firstboot report outbox"])


def require_safe(host: str, security: Security, option: str) -> None:
    """Refuse a connection without TLS to another machine. Raises InputError."""
    if security is Security.NONE and host not in LOOPBACK:
        raise InputError(
            f"{option}: {host} is another machine, so the connection needs --security starttls or tls."
        )


def journal_of(store: CaseStore) -> Journal:
    """Return the journal of a store."""
    return Journal(journal_path(store.database.location))


def outbox_command(cases: CasesOption, files: FilesOption = None, is_json: JsonOption = False) -> None:
    """List the notices that are not delivered. Ends with exit code 1 if one of them needs a person.

    Example: `firstboot report outbox --cases reports.db`
    """
    with opened(cases, files) as store, outbox.listed(store) as rows:
        document: list[dict[str, Any]] = [
            {
                "message_id": row.message_id,
                "case": row.case_code,
                "purpose": row.purpose,
                "status": row.status,
                "queued_s": row.queued_s,
                "tries": row.tries,
                "note": row.note,
                "needs_a_person": row.status in NEEDS_A_PERSON,
            }
            for row in rows
        ]
    lines = [
        f"{row['status']:10}{time_text(row['queued_s'])}  {row['case']}  {row['purpose']:16}  {row['message_id']}"
        f"  {row['note']}"
        for row in document
    ]
    print_report(lines or ["everything is delivered"], document, is_json)
    waiting = sum(row["needs_a_person"] for row in document)
    if waiting:
        raise RefusedError([f"{waiting} need a decision. Next: `firstboot report settle-mail`"])


def settle_mail(
    message_id: Annotated[
        str, typer.Argument(metavar="MESSAGE-ID", help="The notice, as `firstboot report outbox` shows it.")
    ],
    cases: CasesOption,
    by: ByOption,
    delivered: Annotated[bool, typer.Option("--delivered", help="You know that it was delivered.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Send it again, with the same Message-ID.")] = False,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Decide about a notice that is unclear, refused or returned: it was delivered, or it is sent again.

    Look into the log of your mail server first: the reporter may have the notice already.

    Example: `firstboot report settle-mail "<1f...@example.com>" --cases reports.db --delivered --by "E. Example"`
    """
    if delivered == again:
        raise InputError("Give one of --delivered and --again.")
    with opened(cases, files) as store:
        outbox.decide(store, journal_of(store), message_id, is_delivered=delivered, by=by)
    if again:
        warn("The notice goes out with the next `firstboot report send`.")
    print_report(["recorded"], {"message_id": message_id, "is_delivered": delivered}, is_json)
