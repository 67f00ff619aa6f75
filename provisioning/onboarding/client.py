"""HTTPS to one device, which is authenticated by the certificate fingerprint on its label.

Rules:
1. The certificate is compared before the first byte of HTTP is sent, so another machine in between learns no set-up
   code, no password and no path.
2. Each request has its own connection, because the device serves one request on each.
3. An answer has a size limit, and redirects are not followed.
4. A handshake without an answer is begun again on a new connection: nothing was asked yet. A request is sent once.
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

from provisioning import fair_time
from provisioning.file_system import read_stream

PATIENCE_S: Final = 30  # for the next bytes of an answer; the emulated board answers within 2 s
HANDSHAKE_S: Final = 15
HANDSHAKES: Final = 4  # a device that restarts forgets its connections, and tells nobody
ANSWER_BYTES: Final = 256 * 1024  # ten times the largest page, the licences
DIGEST_HEX: Final = 64


class FingerprintError(ConnectionError):
    """The certificate of the device is not the one on the label. Nothing was sent to the device."""


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
        """Return the body as JSON. Raises ValueError if it is not JSON."""
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("the JSON is nested too deep") from None


def fingerprint_of(text: str) -> str:
    """Return the normal form of a typed or printed fingerprint: 64 lower-case hex digits. Raises ValueError."""
    plain = "".join(text.split()).replace(":", "").lower()
    if len(plain) != DIGEST_HEX or any(one not in "0123456789abcdef" for one in plain):
        raise ValueError("A fingerprint has 64 digits from 0 to 9 and A to F.")
    return plain


class DeviceClient:
    """Talks to one device; `fingerprint` is the SHA-256 of its certificate, in hex.

    `address` is called for each request, because a simulated unit chooses its port when it starts to serve.
    """

    def __init__(self, address: Callable[[], tuple[str, int]], fingerprint: str) -> None:
        self._address = address
        self._fingerprint = fingerprint_of(fingerprint)
        self._session = ""  # cookie of the open session; secret

    def request(
        self, method: str, path: str, form: dict[str, str] | None = None, *, accept: str = ""
    ) -> Reply:
        """Send one request on a new connection. Raises FingerprintError, OSError without an answer."""
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
            content = read_stream(answer, ANSWER_BYTES)
            if content is None:
                raise ConnectionError(f"{method} {path}: the answer is too long")
            if answer.length:  # read() with a limit returns less without an error
                raise ConnectionError(f"{method} {path}: the answer was cut off")
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, content)
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {path}: {type(error).__name__}") from error
        finally:
            connection.close()

    def sign_in(self, password: str) -> bool:
        """Open a session. False if the device refuses the password."""
        self._session = ""
        reply = self.request("POST", "/login", {"password": password, "normalised": "1"})
        for part in reply.headers.get("set-cookie", "").split(";"):
            name, _, value = part.strip().partition("=")
            if name == "session" and value:
                self._session = value
        return bool(self._session)

    def sign_out(self) -> None:
        """Forget the session. The device ends it after its lifetime."""
        self._session = ""

    def status(self) -> dict[str, Any]:
        """Return the status page's content. Raises PermissionError without a session, OSError without an answer."""
        reply = self.request("GET", "/status.json")
        if reply.status != 200:
            raise PermissionError(f"status answered {reply.status}")
        try:
            found = reply.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ConnectionError("the status of the device cannot be read")
        return found


class _PatientSocket(ssl.SSLSocket):
    """A TLS socket whose waits give a busy machine more time. A timeout leaves OpenSSL's state as it was."""

    def do_handshake(self, block: bool = False) -> None:
        fair_time.patiently(lambda: super(_PatientSocket, self).do_handshake(block), HANDSHAKE_S)

    def recv_into(self, *arguments: Any, **more: Any) -> int:
        return fair_time.patiently(
            lambda: super(_PatientSocket, self).recv_into(*arguments, **more), PATIENCE_S
        )


class _PinnedConnection(http.client.HTTPConnection):
    def __init__(self, address: tuple[str, int], fingerprint: str) -> None:
        super().__init__(address[0], address[1], timeout=PATIENCE_S)
        self._pin = fingerprint

    def connect(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.sslsocket_class = _PatientSocket
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the comparison below is stricter than a certificate chain
        stream = self._secured(context)
        seen = hashlib.sha256(stream.getpeercert(binary_form=True) or b"").hexdigest()
        if seen != self._pin:
            stream.close()
            raise FingerprintError(
                "The device's certificate is not the one on its label. Nothing was sent to the device."
            )
        self.sock = stream

    def _secured(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        """Return a stream whose handshake is done (rule 4). A device that takes no connection is tried once."""
        for left in reversed(range(HANDSHAKES)):
            plain = socket.create_connection((self.host, self.port), self.timeout)
            plain.settimeout(fair_time.SLICE_S)
            try:
                return context.wrap_socket(plain)
            except OSError as error:  # ssl.SSLError is one
                plain.close()
                if not (left and isinstance(error, TimeoutError)):
                    raise
        raise AssertionError("the last try returns or raises")
