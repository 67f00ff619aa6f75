"""HTTPS to one device whose certificate no authority signed: the fingerprint on its label decides.

Rules:
1. The certificate is compared before the first byte of HTTP leaves: a stranger in between learns no code, no
   password, not even a path.
2. One connection for each request, as the device serves them.
3. An answer is bounded; what a device says is data, never a place to go to: redirects are not followed.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import ssl
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

PATIENCE_S: Final = 20  # one request; the emulated board answers within two
ANSWER_BYTES: Final = 256 * 1024  # the largest page, the licences, is a tenth of it
DIGEST_HEX: Final = 64


class FingerprintError(ConnectionError):
    """The device shows another certificate than the label names; nothing was sent to it."""


@dataclass(frozen=True)
class Reply:
    """One HTTP answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON. Raises ValueError where it is none."""
        return json.loads(self.body)


def fingerprint_of(text: str) -> str:
    """The normal form of a typed or printed fingerprint: 64 lower-case hex digits. Raises ValueError."""
    plain = "".join(text.split()).replace(":", "").lower()
    if len(plain) != DIGEST_HEX or any(sign not in "0123456789abcdef" for sign in plain):
        raise ValueError("a fingerprint has 64 digits from 0 to 9 and A to F")
    return plain


class DeviceClient:
    """Talks to one device; `fingerprint` is the SHA-256 of its certificate, in hex.

    `address` is asked at each request: a simulated unit picks its port when it first serves. `session` is the
    cookie of an open session, "" without one. Secret.
    """

    def __init__(self, address: Callable[[], tuple[str, int]], fingerprint: str) -> None:
        self._address = address
        self._fingerprint = fingerprint_of(fingerprint)
        self._session = ""

    def request(
        self, method: str, path: str, form: dict[str, str] | None = None, *, accept: str = ""
    ) -> Reply:
        """Send one request over a connection of its own. Raises FingerprintError, OSError where no answer comes."""
        connection = _PinnedConnection(self._address(), self._fingerprint)
        headers = {"Cookie": f"session={self._session}"} if self._session else {}
        if accept:
            headers["Accept"] = accept
        body = None
        if form is not None:
            body = urllib.parse.urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Sec-Fetch-Site"] = "same-origin"
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            content = answer.read(ANSWER_BYTES + 1)
            if len(content) > ANSWER_BYTES:
                raise ConnectionError(f"{method} {path}: the answer is too long")
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, content)
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {path}: {type(error).__name__}") from error
        finally:
            connection.close()

    def sign_in(self, password: str) -> bool:
        """Open a session; False where the device refuses."""
        self._session = ""
        reply = self.request("POST", "/login", {"password": password, "normalised": "1"})
        for part in reply.headers.get("set-cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == "session" and value:
                self._session = value
        return bool(self._session)

    def sign_out(self) -> None:
        """Forget the session; the device drops it by itself in time."""
        self._session = ""

    def status(self) -> dict[str, Any]:
        """What the status page knows. Raises PermissionError without a session, OSError without an answer."""
        reply = self.request("GET", "/status.json")
        if reply.status != 200:
            raise PermissionError(f"status answered {reply.status}")
        found: dict[str, Any] = reply.json()
        return found


class _PinnedConnection(http.client.HTTPConnection):
    def __init__(self, address: tuple[str, int], fingerprint: str) -> None:
        super().__init__(address[0], address[1], timeout=PATIENCE_S)
        self._pin = fingerprint

    def connect(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the pin below is stricter than a chain would be
        plain = socket.create_connection((self.host, self.port), self.timeout)
        try:
            stream = context.wrap_socket(plain)
        except (OSError, ssl.SSLError):
            plain.close()
            raise
        seen = hashlib.sha256(stream.getpeercert(binary_form=True) or b"").hexdigest()
        if seen != self._pin:
            stream.close()
            raise FingerprintError("the device's certificate is not the one on its label")
        self.sock = stream
