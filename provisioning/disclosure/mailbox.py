"""Reads mail from a folder of .eml files or from an IMAP mailbox, and leaves it there.

Rules:
1. A mailbox is opened read-only (EXAMINE): no flag is set, nothing is moved or deleted. The store remembers UIDVALIDITY
   and the last UID (RFC 3501 2.3.1.1). If the store was restored, or the mailbox was rebuilt, mails are read again, and
   those that the store has change nothing.
2. A file of the folder is not moved; it is read again only until the store has it.
3. Of a mail that is larger than the bound, only the beginning is read. The case says so, and the mail stays on its
   server or in its folder.
4. The position moves only after the store has the mail: a process that ends early reads the mail again.
"""

from __future__ import annotations

import datetime as dt
import imaplib
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from provisioning.disclosure.errors import MailError, MailUnreachableError
from provisioning.disclosure.intake import Intake, Taken
from provisioning.disclosure.mime import HEAD_BYTES, LARGEST_BYTES
from provisioning.disclosure.models import Setting
from provisioning.file_system import paths_in

PASSWORD_VARIABLE: Final = "FIRSTBOOT_IMAP_PASSWORD"  # noqa: S105 - the name of a variable
TIMEOUT_S: Final = 60.0
_LARGEST_UID: Final = 2**32 - 1


def take_folder(intake: Intake, folder: Path) -> Iterator[Taken]:
    """Take every .eml file of a folder in, in the order of their names. Raises as `Intake.take`, and OSError."""
    for path in paths_in(folder, "*.eml"):
        if path.is_symlink() or not path.is_file():
            continue
        facts = path.stat()
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES if facts.st_size <= LARGEST_BYTES else HEAD_BYTES)
        yield intake.take(data, int(facts.st_mtime), max(facts.st_size, len(data)))


@dataclass(frozen=True)
class ImapServer:
    """A mailbox on a server. `security`: "tls" or, on this machine only, "none"."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    mailbox: str = "INBOX"
    security: str = "tls"
    ca: str | None = None
    timeout_s: float = TIMEOUT_S


def take_mailbox(intake: Intake, server: ImapServer) -> Iterator[Taken]:
    """Take every new mail of a mailbox in. Raises MailUnreachableError, MailError, and as `Intake.take`."""
    link = _connected(server)
    try:
        yield from _new_mails(intake, server, link)
    except (imaplib.IMAP4.abort, OSError) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # a file of the spool, not the connection
        raise MailUnreachableError(f"the connection to {server.host} ended; the next run continues") from None
    except imaplib.IMAP4.error as error:
        raise MailError(f"{server.host} refuses: {type(error).__name__}") from None
    finally:
        _ended(link)


def _connected(server: ImapServer) -> imaplib.IMAP4:
    try:
        if server.security == "none":
            link = imaplib.IMAP4(server.host, server.port, timeout=server.timeout_s)
        else:
            context = ssl.create_default_context(cafile=server.ca)
            link = imaplib.IMAP4_SSL(server.host, server.port, ssl_context=context, timeout=server.timeout_s)
    except (OSError, imaplib.IMAP4.error) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise MailUnreachableError(f"{server.host}:{server.port} cannot be reached: {reason}") from None
    try:
        link.login(server.user, server.password)
    except imaplib.IMAP4.error:
        _ended(link)
        raise MailError(f"{server.host} refuses the user or the password ({PASSWORD_VARIABLE})") from None
    return link


def _ended(link: imaplib.IMAP4) -> None:
    try:
        link.logout()
    except (OSError, imaplib.IMAP4.error):
        link.shutdown()


def _new_mails(intake: Intake, server: ImapServer, link: imaplib.IMAP4) -> Iterator[Taken]:
    quoted = '"' + server.mailbox.replace("\\", "\\\\").replace('"', '\\"') + '"'
    _require(link.select(quoted, readonly=True), f"there is no mailbox {server.mailbox}")
    validity = _number(link.response("UIDVALIDITY")[1])
    name = f"imap {intake.store.mark('mailbox', f'{server.host} {server.user} {server.mailbox}'.encode())[:8].hex()}"
    last = _position(intake, name, validity)
    _, found = _require(link.uid("SEARCH", f"UID {last + 1}:*"), "the search failed")
    uids = sorted(int(one) for one in (found[0] or b"").split() if one.isdigit())
    for uid in uids:
        if not last < uid <= _LARGEST_UID:  # "n:*" gives the last mail even if its UID is below n
            continue
        mail = _fetched(link, uid)
        if mail is not None:
            yield intake.take(*mail)
        _move(intake, name, validity, uid)


def _fetched(link: imaplib.IMAP4, uid: int) -> tuple[bytes, int | None, int] | None:
    """Return (bytes, when it came, whole size) of a mail; None if it is gone."""
    _, facts = _require(link.uid("FETCH", str(uid), "(RFC822.SIZE INTERNALDATE)"), "a mail cannot be read")
    line = facts[0] if facts and isinstance(facts[0], bytes) else b""
    size = re.search(rb"RFC822\.SIZE (\d{1,12})", line)
    if size is None:
        return None
    part = "BODY.PEEK[]" if int(size[1]) <= LARGEST_BYTES else f"BODY.PEEK[]<0.{HEAD_BYTES}>"
    _, answer = _require(link.uid("FETCH", str(uid), f"({part})"), "a mail cannot be read")
    data = next((one[1] for one in answer if isinstance(one, tuple) and isinstance(one[1], bytes)), None)
    if data is None:
        return None
    return data, _received_s(line), int(size[1]) if int(size[1]) > LARGEST_BYTES else len(data)


def _received_s(line: bytes) -> int | None:
    found = re.search(rb'INTERNALDATE "([^"]{1,40})"', line)
    if found is None:
        return None
    try:
        moment = dt.datetime.strptime(found[1].decode("ascii").strip(), "%d-%b-%Y %H:%M:%S %z")
    except (ValueError, UnicodeDecodeError):
        return None
    return int(moment.timestamp())


def _position(intake: Intake, name: str, validity: int) -> int:
    with intake.store.reading() as session:
        row = session.get(Setting, name)
    known, _, last = (row.value.decode() if row is not None else "").partition(" ")
    return int(last) if last and known == str(validity) else 0


def _move(intake: Intake, name: str, validity: int, uid: int) -> None:
    with intake.store.writing() as session:
        row = session.get(Setting, name)
        value = f"{validity} {uid}".encode()
        if row is None:
            session.add(Setting(name=name, value=value))
        else:
            row.value = value


def _number(values: Any) -> int:
    found = values[0] if values else None
    return int(found) if isinstance(found, bytes) and found.isdigit() else 0


def _require(answer: tuple[str, Any], problem: str) -> tuple[str, Any]:
    if answer[0] != "OK":
        raise MailError(problem)
    return answer
