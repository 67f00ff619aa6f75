"""A small IMAP server on loopback for tests: one mailbox, read-only, RFC 3501 as far as `mailbox.py` uses it."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

PASSWORD = "password of the mailbox"


@dataclass
class Mailbox:
    """Mails by UID. `sizes`: other sizes than those of the mails. `breaks_at`: hang up in this mail."""

    mails: dict[int, bytes] = field(default_factory=dict)
    validity: int = 7
    sizes: dict[int, int] = field(default_factory=dict)
    breaks_at: int | None = None
    fetched: list[int] = field(default_factory=list)
    port: int = 0


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.send("* OK ready")
        while (line := self.rfile.readline()) and not self.wfile.closed:
            tag, _, rest = line.decode().strip().partition(" ")
            if not self.answer(tag, rest):
                return

    def send(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def answer(self, tag: str, text: str) -> bool:
        box: Mailbox = self.server.box  # type: ignore[attr-defined]
        word = text.split(" ", 2)[0].upper()
        if word == "CAPABILITY":
            self.send("* CAPABILITY IMAP4rev1")
        elif word == "LOGIN":
            if PASSWORD not in text:
                self.send(f"{tag} NO wrong password")
                return True
        elif word in ("EXAMINE", "SELECT"):
            if "INBOX" not in text:
                self.send(f"{tag} NO no such mailbox")
                return True
            self.send(f"* {len(box.mails)} EXISTS")
            self.send(f"* OK [UIDVALIDITY {box.validity}] valid")
        elif text.upper().startswith("UID SEARCH"):
            first = int(re.findall(r"UID (\d+):", text)[0])
            found = [uid for uid in sorted(box.mails) if uid >= first] or sorted(box.mails)[-1:]
            self.send("* SEARCH " + " ".join(map(str, found)))
        elif text.upper().startswith("UID FETCH"):
            return self.fetch(tag, int(text.split()[2]), text.upper(), box)
        elif word == "LOGOUT":
            self.send("* BYE")
            self.send(f"{tag} OK")
            return False
        self.send(f"{tag} OK done")
        return True

    def fetch(self, tag: str, uid: int, text: str, box: Mailbox) -> bool:
        data = box.mails[uid]
        if "RFC822.SIZE" in text:
            size = box.sizes.get(uid, len(data))
            self.send(f'* 1 FETCH (UID {uid} RFC822.SIZE {size} INTERNALDATE " 1-Dec-2026 09:00:00 +0000")')
        else:
            if box.breaks_at == uid:
                self.send(f"* 1 FETCH (UID {uid} BODY[] {{{len(data)}}}")
                self.connection.close()
                return False
            box.fetched.append(uid)
            partial = re.search(r"<0\.(\d+)>", text)
            shown = data if partial is None else data[: int(partial[1])]
            self.wfile.write(f"* 1 FETCH (UID {uid} BODY[] {{{len(shown)}}}\r\n".encode() + shown + b")\r\n")
        self.send(f"{tag} OK done")
        return True


@contextmanager
def imap_server(box: Mailbox) -> Iterator[Any]:
    """Run a server of `box`; `box.port` is its port."""
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Session) as server:
        server.daemon_threads = True
        server.box = box  # type: ignore[attr-defined]
        box.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
