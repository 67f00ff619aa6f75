"""A browser's requests and answers as bytes, for scripts that use a unit's pages."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any, NamedTuple

from device.errors import LinkError


def encode_request(method: str, path: str, form: dict[str, str] | None, session: str) -> bytes:
    """Return one HTTP/1.1 request for an answer in JSON. `session` "" sends no cookie."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAccept: application/json\r\n"
    if session:
        head += f"Cookie: session={session}\r\n"
    if form is None:
        return head.encode() + b"\r\n"
    body = urllib.parse.urlencode(form).encode()
    head += "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n"
    return head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


class Answer(NamedTuple):
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Answer:
        """Decode an answer. Raises LinkError if it is incomplete."""
        head, found, body = raw.partition(b"\r\n\r\n")
        if not found:
            raise LinkError(reason="read: end of stream")
        lines = head.decode().split("\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines[1:])
        }
        return cls(int(lines[0].split()[1]), headers, body)

    @property
    def session(self) -> str:
        """The session that the answer opens; "" if it opens none."""
        cookie = self.headers.get("set-cookie", "").partition(";")[0]
        name, _, value = cookie.partition("=")
        return value if name == "session" else ""

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)
