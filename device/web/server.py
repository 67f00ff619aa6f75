"""One client of the local pages, from its first byte to the closed connection: limits, deadlines, headers.

microdot's own server sets no read timeout and prints what it cannot parse, so the unit does not use it: requests
are read here, handed to `Microdot.dispatch_request`, and answered here.
"""

import asyncio

from microdot import Request

from device.compat import const, forget
from device.errors import LinkError, RequestError
from device.limits import HTTP_HEAD_BYTES, HTTP_READ_TIMEOUT_S, HTTP_WRITE_TIMEOUT_S
from device.web import answers, http, pages, texts, words
from device.web.script import csp_source

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Awaitable, Callable

    from device.interfaces import ServedStream, Stream
    from device.web.http import Parts

# Nothing from other servers, no frame around the pages, only the inline script and files of this device. The referrer
# policy is not "no-referrer", since a browser would then send "Origin: null" with the device's own forms.
SECURITY_HEADERS = (
    (
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; script-src "
        + csp_source()
        + " 'self'; img-src data:; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'",
    ),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)
_DRAIN_BYTES = const(16384)
_DRAIN_S = const(1)
# Written at once: an old heap has no longer pieces; with TLS two of them fit into one packet.
_WRITE_BYTES = const(700)


def create_handler(
    app: "Any", read_timeout_s: float = HTTP_READ_TIMEOUT_S
) -> "Callable[[ServedStream], Awaitable[None]]":
    """Return the function that Network.serve_tls calls for each client; a client that stalls is closed."""

    async def handler(stream: "ServedStream") -> None:
        has_body = False
        try:
            has_body = await serve_client(app, stream, read_timeout_s)
        except (LinkError, asyncio.TimeoutError, MemoryError):
            has_body = True  # the client is gone or does not read its answer; what it sent is still in RAM
        finally:
            await stream.close()
            if has_body:
                forget()  # a form may have held a password or the set-up code (PW-13)

    return handler


async def serve_client(
    app: "Any", stream: "ServedStream", read_timeout_s: float = HTTP_READ_TIMEOUT_S
) -> bool:
    """Read one request and answer it. Return whether it may have contained a form.

    Raises LinkError, asyncio.TimeoutError if the client does not read the answer.
    """
    is_head = False
    has_body = True  # a request that was not read completely may contain half a form
    is_refused = True
    try:
        found = await asyncio.wait_for(http.read_request(stream), read_timeout_s)
        stream.is_waiting = False  # device/net/places.py
        if found is None:
            return False
        head, body = found
        has_body = bool(body)
        is_head = head.method == "HEAD"
        if not app.site.is_own_host(head.headers.get("Host", "")):
            raise RequestError(status=421, reason="host")  # RFC 9110 15.5.20; keeps DNS rebinding out
        status, headers, content = await answer(app, head, body)
        is_refused = False
    except asyncio.TimeoutError:
        status, headers, content = _message(408)
    except RequestError as error:
        status, headers, content = _message(http.status_of(error))
    except MemoryError:  # MemoryShortError of this client: what it sent is dropped, and it reads why
        forget()
        status, headers, content = _message(503)
    stream.is_reading = True
    sending = _send(stream, status, _with_security(headers), content, is_head)
    await asyncio.wait_for(sending, HTTP_WRITE_TIMEOUT_S)
    if is_refused:
        await _drain(stream)
    return has_body


async def _send(
    stream: "Stream", status: int, headers: "dict[str, str]", content: "Parts", is_head: bool
) -> None:
    length = 0
    for piece in http.encoded(content):
        length += len(piece)
    data = bytearray(http.head_bytes(status, headers, length))
    for piece in () if is_head else http.encoded(content):
        if len(data) + len(piece) > _WRITE_BYTES:
            await stream.write(bytes(data))
            data = bytearray()
        data += piece
    await stream.write(bytes(data))


async def answer(app: "Any", head: "http.Head", body: bytes) -> "tuple[int, dict[str, str], Parts]":
    """Return (status, headers, body) of the application's answer to a parsed request."""
    request = Request(
        app, ("", 0), head.method, head.path, head.version, head.headers, body=body, scheme="https"
    )
    response = await app.dispatch_request(request)
    content: "Parts" = response.body if isinstance(response.body, tuple) else (response.body,)
    headers: "dict[str, str]" = {}
    for name in response.headers:
        headers[name] = response.headers[name]
    return response.status_code, headers, content


def _message(status: int) -> "tuple[int, dict[str, str], Parts]":
    words.use_english()
    return status, {"Content-Type": answers.HTML}, pages.message(status, texts.http_text(status))


def _with_security(headers: "dict[str, str]") -> "dict[str, str]":
    result = {"Cache-Control": "no-store"}
    for name, value in SECURITY_HEADERS:
        result[name] = value
    for name in headers:
        result[name] = headers[name]
    return result


async def _drain(stream: "Stream") -> None:
    """Read some of what the client still sends, for a moment; closing at once could discard our answer."""
    try:
        # One deadline for everything: one for each read would let a slow client keep its connection for hours.
        await asyncio.wait_for(_throw_away(stream), _DRAIN_S)
    except (LinkError, asyncio.TimeoutError):
        return


async def _throw_away(stream: "Stream") -> None:
    left = _DRAIN_BYTES
    while left > 0:
        part = await stream.read(min(left, HTTP_HEAD_BYTES))
        if not part:
            return
        left -= len(part)
