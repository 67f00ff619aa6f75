"""The mail of a drill, on loopback: an SMTP server (aiosmtpd) that keeps what it gets, and a small IMAP mailbox.

The IMAP server has the commands that `mailbox.py` uses (RFC 3501), for one read-only mailbox. Drills and tests use it.
"""

from __future__ import annotations

import re
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

PASSWORD = "password of the drill"  # noqa: S105 - of a server that only this process knows


@dataclass
class Mailbox:
    """Mails by UID. `sizes`: other sizes than those of the mails. `breaks_at`: hang up in this mail.

    `fetched`, `logins`: what clients did.
    """

    mails: dict[int, bytes] = field(default_factory=dict)
    validity: int = 7
    date: str = " 1-Dec-2026 09:00:00 +0000"
    sizes: dict[int, int] = field(default_factory=dict)
    breaks_at: int | None = None
    fetched: list[int] = field(default_factory=list)
    logins: int = 0
    port: int = 0

    def put(self, data: bytes) -> None:
        """Add a mail with the next UID."""
        self.mails[max(self.mails, default=0) + 1] = data


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self._send("* OK ready")
        while line := self.rfile.readline():
            tag, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            if not self._answer(tag, rest):
                return

    def _send(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def _answer(self, tag: str, text: str) -> bool:
        """Answer one command. Return False if the session ends."""
        box: Mailbox = self.server.box  # type: ignore[attr-defined]
        word = text.partition(" ")[0].upper()
        refusal = ""
        if word == "CAPABILITY":
            self._send("* CAPABILITY IMAP4rev1")
        elif word == "LOGIN":
            box.logins += 1
            refusal = "" if PASSWORD in text else "wrong password"
        elif word == "EXAMINE":
            refusal = self._examined(text, box)
        elif text.upper().startswith("UID SEARCH"):
            self._found(int(re.findall(r"UID (\d+):", text)[0]), box)
        elif text.upper().startswith("UID FETCH"):
            return self._fetched(tag, int(text.split()[2]), text.upper(), box)
        elif word == "LOGOUT":
            self._send("* BYE")
            self._send(f"{tag} OK")
            return False
        self._send(f"{tag} NO {refusal}" if refusal else f"{tag} OK done")
        return True

    def _examined(self, text: str, box: Mailbox) -> str:
        if "INBOX" not in text:
            return "no such mailbox"
        self._send(f"* {len(box.mails)} EXISTS")
        self._send(f"* OK [UIDVALIDITY {box.validity}] valid")
        return ""

    def _found(self, first: int, box: Mailbox) -> None:
        uids = [uid for uid in sorted(box.mails) if uid >= first] or sorted(box.mails)[-1:]
        self._send(" ".join(["* SEARCH", *map(str, uids)]))

    def _fetched(self, tag: str, uid: int, text: str, box: Mailbox) -> bool:
        data = box.mails[uid]
        if "RFC822.SIZE" in text:
            size = box.sizes.get(uid, len(data))
            self._send(f'* 1 FETCH (UID {uid} RFC822.SIZE {size} INTERNALDATE "{box.date}")')
        elif box.breaks_at == uid:
            self._send(f"* 1 FETCH (UID {uid} BODY[] {{{len(data)}}}")
            self.connection.close()
            return False
        else:
            box.fetched.append(uid)
            partial = re.search(r"<0\.(\d+)>", text)
            shown = data if partial is None else data[: int(partial[1])]
            self.wfile.write(f"* 1 FETCH (UID {uid} BODY[] {{{len(shown)}}}\r\n".encode() + shown + b")\r\n")
        self._send(f"{tag} OK done")
        return True


class _Server(socketserver.ThreadingTCPServer):
    """A server of one mailbox, with TLS if it has a context. The handshake runs in the thread of its client."""

    daemon_threads = True

    def __init__(self, box: Mailbox, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.box = box
        self._tls = tls

    def get_request(self) -> tuple[socket.socket, Any]:
        """Return the next connection and its address."""
        connection, address = super().get_request()
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a client that refuses the certificate ends the handshake."""


@contextmanager
def imap_server(box: Mailbox, tls: ssl.SSLContext | None = None) -> Iterator[None]:
    """Serve `box` on a free port of loopback, `box.port`; with `tls`, as IMAP over TLS (RFC 8314 3.2)."""
    with _Server(box, tls) as server:
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


class Inbox:
    """Keeps the mails that an SMTP server accepts, as (receivers, bytes)."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], bytes]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        """Keep a mail (the name is aiosmtpd's)."""
        self.mails.append((list(envelope.rcpt_tos), bytes(envelope.content)))
        return "250 OK"


@contextmanager
def smtp_server(handler: Any) -> Iterator[int]:
    """Run an SMTP server on loopback; gives its port."""
    from aiosmtpd.controller import Controller

    with socket.socket() as probe:  # the controller has to know its port
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    controller = Controller(handler, hostname="127.0.0.1", port=port, ready_timeout=60)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()
