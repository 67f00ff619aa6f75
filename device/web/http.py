"""Read HTTP/1.1 requests from a Stream, bounded and strict (RFC 9112), and build the bytes of an answer.

Rules:
1. Line, head, number of headers and body are bounded by limits.py; one deadline bounds the whole request
   (server.py). A request that exceeds a bound ends the connection.
2. Only the headers that a page uses are kept. A request that repeats one of them is refused, since two readers could
   choose different values.
3. Transfer codings, folded header lines and absolute targets are refused: no browser sends them here.
4. One request, one answer, then the connection is closed.
5. An answer is sent in pieces: a page in one piece would need a free block of its size, which an old heap lacks.
"""

from collections import namedtuple

from device.compat import const
from device.errors import RequestError
from device.limits import HTTP_BODY_BYTES, HTTP_HEAD_BYTES, HTTP_HEADERS, HTTP_LINE_BYTES

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Generator, Sequence

    from device.interfaces import Stream

    # The body of an answer: pieces in order. Text of the firmware itself stays in flash until it is sent.
    Parts = Sequence[str | bytes]

# headers: canonical names as in KEPT. The query is removed, since no page uses one.
Head = namedtuple("Head", ("method", "path", "version", "headers"))

KEPT = {
    "accept": "Accept",
    "accept-language": "Accept-Language",
    "content-length": "Content-Length",
    "content-type": "Content-Type",
    "cookie": "Cookie",
    "host": "Host",
    "origin": "Origin",
    "sec-fetch-site": "Sec-Fetch-Site",
    "transfer-encoding": "Transfer-Encoding",
}
REASONS = {
    200: "OK",
    204: "No Content",
    302: "Found",
    303: "See Other",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_METHODS = ("GET", "HEAD", "POST")
_CHUNK = const(512)
_PIECE_CHARS = const(512)


async def read_request(stream: "Stream") -> "tuple[Head, bytes] | None":
    """Return (head, body) of one request, None if the client closed without sending one.

    Raises RequestError(status, reason) and what the stream raises (LinkError).
    """
    data = b""
    end = -1
    while end < 0:
        if len(data) >= HTTP_HEAD_BYTES:
            raise RequestError(status=431, reason="head")
        if len(data) > HTTP_LINE_BYTES and b"\r\n" not in data:
            raise RequestError(status=414, reason="request line")
        part = await stream.read(min(_CHUNK, HTTP_HEAD_BYTES - len(data)))
        if not part:
            if data:
                raise RequestError(status=400, reason="truncated")
            return None
        seen = max(0, len(data) - 3)
        data += part
        end = data.find(b"\r\n\r\n", seen)
    head = parse_head(data[:end])
    body = data[end + 4 :]
    length = body_length(head)
    while len(body) < length:
        part = await stream.read(length - len(body))
        if not part:
            raise RequestError(status=400, reason="truncated")
        body += part
    return head, body[:length]


def parse_head(data: bytes) -> "Head":
    """Return the request line and the headers in `data` (without the empty line). Raises RequestError."""
    lines = data.split(b"\r\n")
    if len(lines[0]) > HTTP_LINE_BYTES:
        raise RequestError(status=414, reason="request line")
    if len(lines) - 1 > HTTP_HEADERS:
        raise RequestError(status=431, reason="headers")
    method, path, version = _request_line(_ascii(lines[0]))
    headers: "dict[str, str]" = {}
    for line in lines[1:]:
        _header(line, headers)
    if version == "1.1" and "Host" not in headers:
        raise RequestError(status=400, reason="no host")
    if "Transfer-Encoding" in headers:
        raise RequestError(status=400, reason="transfer coding")
    return Head(method, path, version, headers)


def _request_line(line: str) -> "tuple[str, str, str]":
    parts = line.split(" ")
    if len(parts) != 3 or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise RequestError(status=400, reason="request line")
    if parts[0] not in _METHODS:
        # An unknown method is answered like an unknown page, so that the answer reveals nothing.
        raise RequestError(status=404, reason="method")
    if not parts[1].startswith("/"):
        raise RequestError(status=400, reason="target")
    return parts[0], parts[1].split("?", 1)[0], parts[2][5:]


def _header(line: bytes, headers: "dict[str, str]") -> None:
    if len(line) > HTTP_LINE_BYTES:
        raise RequestError(status=431, reason="header line")
    colon = line.find(b":")
    # RFC 9112 5.1 and 5.2: no blank before the colon, no folding.
    if colon < 1 or line[0] in b" \t" or line[colon - 1] in b" \t":
        raise RequestError(status=400, reason="header line")
    name = KEPT.get(_ascii(line[:colon]).lower())
    if name is None:
        return
    if name in headers:
        raise RequestError(status=400, reason="header given twice")
    headers[name] = _ascii(line[colon + 1 :].strip(b" \t"))


def _ascii(data: bytes) -> str:
    for byte in data:
        if not 0x20 <= byte < 0x7F:
            raise RequestError(status=400, reason="character")
    return data.decode()


def body_length(head: "Head") -> int:
    """Return the length of the body in bytes. Raises RequestError."""
    text = head.headers.get("Content-Length")
    if text is None:
        return 0
    if not text.isdigit() or len(text) > 9:
        raise RequestError(status=400, reason="content length")
    length = int(text)
    if length > HTTP_BODY_BYTES:
        raise RequestError(status=413, reason="body")
    return length


def encoded(parts: "Parts") -> "Generator[bytes, None, None]":
    """Return the bytes of an answer's body in pieces of at most about _PIECE_CHARS characters; no copy of the whole."""
    for part in parts:
        for start in range(0, len(part), _PIECE_CHARS):
            piece = part[start : start + _PIECE_CHARS]
            yield piece.encode() if isinstance(piece, str) else piece


def head_bytes(status: int, headers: "dict[str, str]", length: int) -> bytes:
    """Return the head of an answer whose body has `length` bytes. Raises ValueError for a line break in a header."""
    lines = ["HTTP/1.1 {} {}".format(status, REASONS.get(status, "Unknown"))]
    for name in sorted(headers):
        value = headers[name]
        if "\r" in value or "\n" in value:
            raise ValueError("header value")
        lines.append(name + ": " + value)
    lines.append("Content-Length: {}".format(length))
    lines.append("Connection: close\r\n\r\n")
    return "\r\n".join(lines).encode()


def status_of(error: "RequestError") -> int:
    """Return the HTTP status of a request that could not be read; 400 if the error names none."""
    status = error.fields.get("status")
    return status if isinstance(status, int) else 400
