"""The person who bought the device, as far as HTTPS goes: pins the label's fingerprint, keeps a session."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import ssl
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

PATIENCE_S = 20  # one request; the emulated board answers within two


class FingerprintError(ConnectionError):
    """The device shows another certificate than the label names."""


@dataclass(frozen=True)
class Reply:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        return json.loads(self.body)


class Owner:
    """Talks to one device; `fingerprint` is the SHA-256 of its certificate, in hex.

    `address` is asked at each request: a simulated unit picks its port when it first serves.
    """

    def __init__(self, address: Callable[[], tuple[str, int]], fingerprint: str) -> None:
        self._address = address
        self._fingerprint = fingerprint.replace(":", "").replace(" ", "").lower()
        self._session = ""

    def request(self, method: str, path: str, form: dict[str, str] | None = None) -> Reply:
        """Send one request over a connection of its own. Raises OSError where no answer comes."""
        connection = _PinnedConnection(self._address(), self._fingerprint)
        headers = {"Cookie": f"session={self._session}"} if self._session else {}
        body = None
        if form is not None:
            body = urllib.parse.urlencode(form)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Sec-Fetch-Site"] = "same-origin"
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            reply = Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {path}: {type(error).__name__}") from error
        finally:
            connection.close()
        return reply

    def set_up(self, code: str, password: str) -> Reply:
        return self.request("POST", "/setup", {"code": code, "password": password})

    def sign_in(self, password: str) -> bool:
        """Open a session; False where the device refuses."""
        self._session = ""
        reply = self.request("POST", "/login", {"password": password})
        for part in reply.headers.get("set-cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == "session" and value:
                self._session = value
        return bool(self._session)

    def sign_out(self) -> None:
        self._session = ""

    def status(self) -> dict[str, Any]:
        """What the status page knows. Raises PermissionError without a session, OSError without an answer."""
        reply = self.request("GET", "/status.json")
        if reply.status != 200:
            raise PermissionError(f"status answered {reply.status}")
        found: dict[str, Any] = reply.json()
        return found


class _PinnedConnection(http.client.HTTPConnection):
    """TLS to a device whose certificate no browser's root knows: the fingerprint on the label decides."""

    def __init__(self, address: tuple[str, int], fingerprint: str) -> None:
        super().__init__(address[0], address[1], timeout=PATIENCE_S)
        self._pin = fingerprint

    def connect(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
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
