"""Form bodies (application/x-www-form-urlencoded) into text, strictly.

Rules: at most FIELDS fields, none twice, valid percent escapes, valid UTF-8. http.py has bounded the size of the body.
Nothing here stores or prints a value, since values are passwords.
"""

from device.compat import const, decode_utf8
from device.errors import RequestError

TYPE_CHECKING = const(0)

FIELDS = 8
CONTENT_TYPE = "application/x-www-form-urlencoded"

_HEX = b"0123456789abcdef"


def parse(body: bytes, content_type: str) -> "dict[str, str]":
    """Return the fields of a form. Raises RequestError: 415 for another content type, 400 for a malformed body."""
    if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise RequestError(status=415, reason="content type")
    fields: "dict[str, str]" = {}
    if not body:
        return fields
    pairs = body.split(b"&")
    if len(pairs) > FIELDS:
        raise RequestError(status=400, reason="fields")
    for pair in pairs:
        equals = pair.find(b"=")
        if equals < 1:
            raise RequestError(status=400, reason="field")
        name = unescape(pair[:equals])
        if name in fields:
            raise RequestError(status=400, reason="field given twice")
        fields[name] = unescape(pair[equals + 1 :])
    return fields


def unescape(data: bytes) -> str:
    """Return the text of one name or value. Raises RequestError(400)."""
    result = bytearray()
    at = 0
    while at < len(data):
        byte = data[at]
        if byte == 0x2B:  # "+"
            byte = 0x20
        elif byte == 0x25:  # "%"
            byte = _escaped(data, at)
            at += 2
        result.append(byte)
        at += 1
    return _text(bytes(result))


def _escaped(data: bytes, at: int) -> int:
    digits = data[at + 1 : at + 3].lower()
    if len(digits) != 2 or digits[:1] not in _HEX or digits[1:] not in _HEX:
        raise RequestError(status=400, reason="escape")
    return _HEX.find(digits[:1]) * 16 + _HEX.find(digits[1:])


def _text(data: bytes) -> str:
    try:
        return decode_utf8(data)
    except ValueError:
        raise RequestError(status=400, reason="encoding") from None
