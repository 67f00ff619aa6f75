"""Hands notices to a mail server (RFC 5321), with the step before the first byte that the outbox needs.

`smtplib` has no hook between the server's 354 and the message, so the DATA command is sent here.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from provisioning.disclosure.errors import (
    MailError,
    MailRefusedError,
    MailUnclearError,
    MailUnreachableError,
)

TIMEOUT_S: Final = 60.0
PASSWORD_VARIABLE: Final = "FIRSTBOOT_SMTP_PASSWORD"  # noqa: S105 - the name of a variable
TLS, STARTTLS, PLAIN = "tls", "starttls", "none"
_READY: Final = 354
_ACCEPTED: Final = 250
_UNAVAILABLE: Final = 421


@dataclass(frozen=True)
class SmtpServer:
    """A mail server that takes mail for delivery."""

    host: str
    port: int
    security: str = STARTTLS
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None
    timeout_s: float = TIMEOUT_S


class SmtpTransport:
    """One connection, opened for the first message and used for all. Close it after the run."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._link: smtplib.SMTP | None = None

    def close(self) -> None:
        """End the connection."""
        link, self._link = self._link, None
        if link is None:
            return
        try:
            link.quit()
        except (OSError, smtplib.SMTPException):
            link.close()

    def send(self, data: bytes, sender: str, recipient: str, before: Callable[[], None]) -> None:
        """As `Transport.send`."""
        link = self._offered(sender, recipient)
        before()
        try:
            link.send(_with_dots(data))
            code, _ = link.getreply()
        except (OSError, smtplib.SMTPServerDisconnected):
            self._drop()
            raise MailUnclearError("the connection ended before the server answered") from None
        if code != _ACCEPTED:
            raise MailRefusedError(code, is_permanent=_is_permanent(code))

    def _offered(self, sender: str, recipient: str) -> smtplib.SMTP:
        """Return the link when the server is ready to take the message (354)."""
        try:
            link = self._opened()
            link.rset()
            for code, _ in (link.mail(sender), link.rcpt(recipient)):
                self._require(code, (250, 251))
            code, _ = link.docmd("DATA")
            self._require(code, (_READY,))
        except MailError:
            raise
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise MailUnreachableError(f"{self._name} cannot be used now: {_reason(error)}") from None
        return link

    def _require(self, code: int, accepted: tuple[int, ...]) -> None:
        if code == _UNAVAILABLE:
            self._drop()
            raise MailUnreachableError(f"{self._name} ends the connection (421)")
        if code not in accepted:
            raise MailRefusedError(code, is_permanent=_is_permanent(code))

    def _opened(self) -> smtplib.SMTP:
        if self._link is not None:
            return self._link
        server = self._server
        context = ssl.create_default_context(cafile=server.ca) if server.security != PLAIN else None
        if server.security == TLS:
            link: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=server.timeout_s, context=context
            )
        else:
            link = smtplib.SMTP(server.host, server.port, timeout=server.timeout_s)
        self._link = link
        link.ehlo()
        if server.security == STARTTLS:
            link.starttls(context=context)
            link.ehlo()
        if server.user is not None:
            self._log_in(link, server.user, server.password or "")
        return link

    def _log_in(self, link: smtplib.SMTP, user: str, password: str) -> None:
        try:
            link.login(user, password)
        except smtplib.SMTPAuthenticationError:
            self._drop()
            raise MailError(f"{self._name} refuses the user or the password ({PASSWORD_VARIABLE})") from None

    @property
    def _name(self) -> str:
        return f"the mail server {self._server.host}:{self._server.port}"

    def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()


def _with_dots(data: bytes) -> bytes:
    """Return the message as DATA carries it: dots doubled at the start of a line, ended by a dot (RFC 5321 4.5.2)."""
    lines = data if data.endswith(b"\r\n") else data + b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", lines) + b".\r\n"


def _is_permanent(code: int) -> bool:
    return 500 <= code < 600


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"code {error.smtp_code}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
