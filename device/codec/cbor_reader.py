"""The decoder of `device.codec.cbor` in Python: for boards without the C module, and the reference of that module
(device/cmodules/fbcrypto/cbor_check.c), which gives the same values, reasons and offsets.

It works without recursion, so that the depth of a message takes heap and no stack: a recursive decoder took about 900
bytes of stack for each level, and a stack of 10 KiB was not enough for CBOR_DEPTH of them.
"""

from device.compat import const, decode_utf8
from device.errors import CborError, LimitError
from device.limits import CBOR_DEPTH

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

# Major types, RFC 8949 section 3.1.
_UINT = const(0)
_NEGATIVE = const(1)
_BYTES = const(2)
_TEXT = const(3)
_ARRAY = const(4)
_MAP = const(5)
_TAG = const(6)

_FALSE = const(0xF4)
_TRUE = const(0xF5)
_NULL = const(0xF6)

# `at`: the offset of the next byte, how many entries the message may still hold, the limit of entries, whether map
# keys may be arrays; after the head of a container its major type and its number; the class of a tagged value. A list,
# so that no object is made to return them.
#
# An open container is a list too:
_MAJOR = const(0)
_CONTENT = const(1)  # list, dict; of a tag its number, then the Tag
_LEFT = const(2)  # items that it still lacks; keys and values counted
_KEY = const(3)  # of a map: where its key begins, then the key
_BEFORE = const(4)  # of a map: the encoded key before


class _Head:
    """The value of a container of which only the head was read."""


def read(data: bytes, items: int, has_array_keys: bool, tag: "Any") -> "Any":
    """Return the value of the one item in `data`, which has at most `items` entries; `tag` makes a tagged value.

    Raises CborError (with `reason`, `offset`), LimitError past a bound, MemoryError.
    """
    if not isinstance(data, bytes):
        data = bytes(data)  # a bytearray or memoryview could change under the decoder
    at = [0, items, items, has_array_keys, 0, 0, tag]
    value = _whole(data, at)
    if at[0] != len(data):
        raise CborError(reason="bytes after the item", offset=at[0])
    return value


def _whole(data: bytes, at: "list[Any]") -> "Any":
    around: "list[Any]" = []  # the containers around the innermost open one; the first is None
    inner: "Any" = None
    while True:
        if inner is not None and inner[_MAJOR] == _MAP and not inner[_LEFT] & 1:
            inner[_KEY] = _key_begins(data, at)
        value = _item(data, at)
        if value is _Head:
            around.append(inner)
            inner = _opened(at, len(around))
            if inner[_LEFT]:
                continue
            value = inner[_CONTENT]
            inner = around.pop()
        while inner is not None and _is_complete(inner, value, data, at):
            value = inner[_CONTENT]
            inner = around.pop()
        if inner is None:
            return value


def _item(data: bytes, at: "list[Any]") -> "Any":
    """Return the value at `at` and move it behind; of an array, map or tag read the head only and return _Head."""
    start = at[0]
    if start >= len(data):
        raise CborError(reason="truncated", offset=start)
    initial = data[start]
    major = initial >> 5
    if major == 7:
        return _simple(data, at)
    number = initial & 0x1F
    begin = start + 1
    if number < 24:  # most items: the argument is in the initial byte
        at[0] = begin
    else:
        number = _argument(data, at, number)
        begin = at[0]
    if major <= _NEGATIVE:
        return -1 - number if major else number
    if major > _TEXT:
        at[4], at[5] = major, number
        return _Head
    if number > len(data) - begin:
        raise CborError(reason="truncated", offset=start)
    at[0] = begin + number
    content = data[begin : begin + number]
    return content if major == _BYTES else _text(content, start)


def _opened(at: "list[Any]", depth: int) -> "list[Any]":
    major, number = at[4], at[5]
    if depth > CBOR_DEPTH:
        raise LimitError(what="CBOR nesting", limit=CBOR_DEPTH)
    entries = 1 if major == _TAG else number * 2 if major == _MAP else number
    if entries > at[1]:
        raise LimitError(what="CBOR entries", limit=at[2])
    at[1] -= entries
    if major == _ARRAY:
        return [major, [], entries]
    if major == _TAG:
        return [major, number, entries]
    return [major, {}, entries, 0, b""]


def _key_begins(data: bytes, at: "list[Any]") -> int:
    """Return the offset of a map's key. Raises CborError if no key may begin there."""
    start: int = at[0]
    major = data[start] >> 5 if start < len(data) else _UINT
    if major > _TEXT and not (major == _ARRAY and at[3]):
        raise CborError(reason="bad map key", offset=start)
    return start


def _is_complete(inner: "list[Any]", value: "Any", data: bytes, at: "list[Any]") -> bool:
    """Put the next value into an open container. Returns whether that was its last one."""
    left: int = inner[_LEFT] - 1
    inner[_LEFT] = left
    major = inner[_MAJOR]
    if major == _ARRAY:
        inner[_CONTENT].append(value)
    elif major == _TAG:
        inner[_CONTENT] = at[6](inner[_CONTENT], value)
    elif left & 1:  # a key
        start = inner[_KEY]
        if isinstance(value, list):
            value = _array_key(value, start)
        encoded = data[start : at[0]]
        if encoded <= inner[_BEFORE]:  # equal: the key occurs twice
            raise CborError(reason="map keys out of order", offset=start)
        inner[_BEFORE] = encoded
        inner[_KEY] = value
    else:
        inner[_CONTENT][inner[_KEY]] = value
    return left == 0


def _argument(data: bytes, at: "list[Any]", info: int) -> int:
    """Return the argument after an initial byte whose lower five bits are `info` (24 or more); move `at` past both."""
    start = at[0]
    if info > 27:
        raise CborError(reason="indefinite length" if info == 31 else "reserved", offset=start)
    size = 1 << (info - 24)
    end = start + 1 + size
    if end > len(data):
        raise CborError(reason="truncated", offset=start)
    number = int.from_bytes(data[start + 1 : end], "big")
    # A shorter form could hold the number; one below 24 fits into the initial byte.
    if number < 24 or (size > 1 and not number >> (4 * size)):
        raise CborError(reason="not the shortest form", offset=start)
    at[0] = end
    return number


def _simple(data: bytes, at: "list[Any]") -> "bool | None":
    start = at[0]
    initial = data[start]
    at[0] = start + 1
    if initial == _NULL:
        return None
    if initial == _TRUE:
        return True
    if initial == _FALSE:
        return False
    if 0xF9 <= initial <= 0xFB:
        raise CborError(reason="float", offset=start)
    raise CborError(reason="simple value", offset=start)


def _array_key(key: "list[Any]", offset: int) -> "tuple[Any, ...]":
    for part in key:
        if not isinstance(part, bytes):
            raise CborError(reason="bad map key", offset=offset)
    return tuple(key)


def _text(content: bytes, offset: int) -> str:
    try:
        return decode_utf8(content)
    except ValueError:
        raise CborError(reason="not UTF-8", offset=offset) from None
