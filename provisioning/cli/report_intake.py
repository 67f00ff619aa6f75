"""`firstboot report intake` and `held`: mails from a folder or a mailbox become cases."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.addresses import parse_address
from provisioning.cli.errors import InputError, RefusedError
from provisioning.cli.options import FilesOption, JsonOption
from provisioning.cli.output import print_report
from provisioning.cli.report_access import CasesOption, opened
from provisioning.cli.report_mail import Security, require_safe
from provisioning.cli.report_texts import time_text
from provisioning.cli.settings import with_settings
from provisioning.disclosure import desk
from provisioning.disclosure.desk import Decision
from provisioning.disclosure.intake import Intake, Result, Taken, held
from provisioning.disclosure.mailbox import PASSWORD_VARIABLE, ImapServer, take_folder, take_mailbox
from provisioning.disclosure.spool import Spool
from provisioning.disclosure.states import Step
from provisioning.disclosure.store import CaseStore
from provisioning.keys.secret_input import ask
from provisioning.mail_address import is_address

SpoolOption = Annotated[
    Path,
    typer.Option(
        "--spool", metavar="DIR", help="Folder for mails as they came, and attachments in quarantine."
    ),
]


@dataclasses.dataclass(frozen=True)
class IntakeSettings:
    """The options of `firstboot report intake`."""

    cases: CasesOption
    spool: SpoolOption
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="DIR", help="A folder with .eml files.", exists=True)
    ] = None
    imap: Annotated[str | None, typer.Option("--imap", metavar="HOST:PORT", help="A mail server.")] = None
    user: Annotated[
        str | None,
        typer.Option(
            "--user", metavar="NAME", help=f"Name for the login; the password is in {PASSWORD_VARIABLE}."
        ),
    ] = None
    mailbox: Annotated[str, typer.Option("--mailbox", metavar="NAME", help="The mailbox on the server.")] = (
        "INBOX"
    )
    security: Annotated[
        Security, typer.Option("--security", help="tls; or none, only for a server on this machine.")
    ] = Security.TLS
    ca: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="Certificate of the server's authority (PEM).")
    ] = None
    again: Annotated[
        bool,
        typer.Option("--again", help="Read the spool again, after the store was restored from a backup."),
    ] = False
    acknowledge: Annotated[
        bool, typer.Option("--acknowledge", help="Queue an acknowledgement for each new case at once.")
    ] = False
    files: FilesOption = None
    is_json: JsonOption = False


@with_settings(IntakeSettings, "report.intake")
def intake(settings: IntakeSettings) -> None:
    """Take new mails in, from a folder of .eml files or an IMAP mailbox. Nothing is deleted or marked there.

    A mail becomes a case, a message of the case that it answers, or a bounce. Mails of programs, and a flood, are held
    for a person. Run it by cron, then `firstboot report due`.

    Example: `firstboot report intake --cases reports.db --spool spool --imap mail.example.com:993 --user security`
    """
    counts: Counter[str] = Counter()
    document = []
    with opened(settings.cases, settings.files) as store:
        for taken in _taken(Intake(store, Spool(settings.spool)), settings):
            counts[taken.result] += 1
            document.append(
                {
                    "result": str(taken.result),
                    "sha256": taken.digest.hex(),
                    "case": taken.case,
                    "reason": taken.reason,
                }
            )
            if settings.acknowledge and taken.result is Result.NEW_CASE:
                _acknowledge(store, taken.case)
    shown = ", ".join(f"{count} {result}" for result, count in sorted(counts.items()))
    print_report([shown or "no mail"], document, settings.is_json)


def _taken(found: Intake, settings: IntakeSettings) -> Iterator[Taken]:
    if settings.folder is None and settings.imap is None and not settings.again:
        raise InputError("Give --folder, --imap or --again.")
    if settings.again:
        yield from found.again()
    if settings.folder is not None:
        yield from take_folder(found, settings.folder)
    if settings.imap is not None:
        yield from take_mailbox(found, _server(settings, settings.imap))


def _server(settings: IntakeSettings, address: str) -> ImapServer:
    host, port = parse_address(address)
    require_safe(host, settings.security, "--imap")
    if settings.security is Security.STARTTLS or settings.user is None:
        raise InputError("--imap needs --user, and --security tls or none.")
    if not (settings.mailbox.isprintable() and settings.mailbox.isascii() and settings.user.isprintable()):
        raise InputError("--mailbox and --user must be printable.")
    return ImapServer(
        host,
        port,
        settings.user,
        ask(PASSWORD_VARIABLE, "password of the mailbox"),
        mailbox=settings.mailbox,
        security=settings.security.value,
        ca=None if settings.ca is None else str(settings.ca),
    )


def _acknowledge(store: CaseStore, case: str) -> None:
    version = desk.load(store, case).version
    desk.decide(store, case, Step.ACKNOWLEDGE, Decision("intake --acknowledge", version))


def held_mails(
    cases: CasesOption,
    spool: SpoolOption,
    to_open: Annotated[
        str | None, typer.Option("--open", metavar="SHA256", help="Open this mail as a case.")
    ] = None,
    discard: Annotated[
        str | None,
        typer.Option("--discard", metavar="SHA256", help="This mail is not a report; its file stays."),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            "--address", metavar="ADDRESS", help="With --open: the reporter's address, if the mail has none."
        ),
    ] = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """List the mails that are held for a person, and why. Ends with exit code 1 if there are any.

    Example: `firstboot report held --cases reports.db --spool spool`
    """
    if address is not None and not is_address(address):
        raise InputError("--address is not a plain mail address.")
    with opened(cases, files) as store:
        if to_open is not None:
            taken = Intake(store, Spool(spool)).open_held(_digest(to_open), address)
            print_report(
                [f"{taken.result}: {taken.case}"], {"case": taken.case, "result": str(taken.result)}, is_json
            )
            return
        if discard is not None:
            Intake(store, Spool(spool)).set_aside(_digest(discard))
        rows = held(store)
    document = [
        {
            "sha256": row.raw_digest.hex(),
            "sender": row.sender,
            "received_s": row.received_s,
            "reason": row.reason,
        }
        for row in rows
    ]
    lines = [
        f"{row.raw_digest.hex()}  {time_text(row.received_s)}  {row.reason}: {row.sender or '-'}"
        for row in rows
    ]
    print_report(lines or ["no mail is held"], document, is_json)
    if rows:
        raise RefusedError([f"{len(rows)} held. Next: read the file in {spool}, then --open or --discard it"])


def _digest(text: str) -> bytes:
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != 32:
        raise InputError("A SHA-256 has 64 hex digits.")
    return found
