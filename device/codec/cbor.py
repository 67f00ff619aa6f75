"""CBOR in the deterministic encoding of RFC 8949 section 4.2.1 and no other.

Rules, checked by the decoder and kept by the encoder:
1. Definite lengths only; integers and lengths in their shortest form (4.2.1).
2. Map keys are integers, byte strings or text, strictly ascending by their encoded bytes, so no key occurs twice.
3. Text is valid UTF-8 (no surrogates, nothing overlong), with the same result on every interpreter.
4. The only simple values are false, true and null. Floats and undefined are refused.
5. One item and no bytes after it. Size, nesting and the entries of the whole message stay inside limits.py: an empty
   array costs one byte to send and some 150 bytes of heap, so a limit for each single array would not bound the heap.
6. A decoder that runs out of memory refuses the message as too large; it never ends with MemoryError.

Values: None, bool, int (-2**64 .. 2**64-1), bytes, str, list, dict and Tag. Decoding gives lists for arrays;
the encoder also takes tuples, bytearrays and memoryviews. Dict order never matters: keys are sorted.
"""

from collections import namedtuple

from device.compat import const, decode_utf8, encode_utf8
from device.errors import CborError, LimitError
from device.limits import CBOR_DEPTH, CBOR_ITEMS, ENVELOPE_BYTES

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Sequence

Tag = namedtuple("Tag", ("number", "value"))

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


def encode(value: "Any", items: int = CBOR_ITEMS) -> bytes:
    """Return the deterministic encoding of `value`.

    `items` bounds the entries of all arrays and maps. Raises CborError for a type or integer that has no CBOR here,
    LimitError past CBOR_DEPTH or `items`.
    """
    parts: "list[bytes]" = []
    left = [items, items]
    # What is still to be written, the next one last: a value and how many containers are around it; for the encoded
    # key of a map, -1.
    todo = [(value, 0)]
    while todo:
        value, depth = todo.pop()
        if depth < 0:
            parts.append(value)
        elif not _put(parts, value):
            _put_container(parts, value, depth + 1, left, todo)
    return b"".join(parts)


def decode(
    data: bytes, limit: int = ENVELOPE_BYTES, items: int = CBOR_ITEMS, has_array_keys: bool = False
) -> "Any":
    """Return the value that `data` encodes; `limit` bounds len(data) in bytes, `items` the entries of all arrays and
    maps (keys and values counted). With `has_array_keys` a map key may be an array too, which becomes a tuple.

    Raises LimitError past a bound or without memory, CborError (with `reason`, `offset`) for everything else.
    """
    if len(data) > limit:
        raise LimitError(what="CBOR bytes", limit=limit)
    if not isinstance(data, bytes):
        data = bytes(data)  # a bytearray or memoryview could change under the decoder
    at = [0, items, items, has_array_keys, 0, 0]
    try:
        value = _whole(data, at)
    except MemoryError:
        raise LimitError(what="memory for CBOR", limit=limit) from None
    if at[0] != len(data):
        raise CborError(reason="bytes after the item", offset=at[0])
    return value


def check_map(
    value: "Any", required: "Sequence[tuple[Any, type]]", optional: "Sequence[tuple[Any, type]]" = ()
) -> "dict[Any, Any]":
    """Return `value` when it is a map with all `required` and at most the `optional` keys, each of its type.

    Both are sequences of (key, type); `int` does not take a bool. Raises CborError naming the key.
    """
    if not isinstance(value, dict):
        raise CborError(reason="not a map")
    known = 0
    for key, kind in required:
        if key not in value:
            raise CborError(reason="missing key", key=key)
        _check_type(key, value[key], kind)
        known += 1
    for key, kind in optional:
        if key in value:
            _check_type(key, value[key], kind)
            known += 1
    if known != len(value):
        raise CborError(reason="unknown key")
    return value


def _check_type(key: "Any", value: "Any", kind: type) -> None:
    # CPython counts bool as int, MicroPython does not; here neither passes as the other.
    if isinstance(value, bool) != (kind is bool) or not isinstance(value, kind):
        raise CborError(reason="wrong type", key=key)


# Encoding --------------------------------------------------------------------------------------------


def _head(major: int, number: int) -> bytes:
    """Return the initial byte and the argument in the shortest form (RFC 8949 3 and 4.2.1)."""
    if number < 24:
        return bytes((major << 5 | number,))
    size, info = 1, 24
    while number >> (8 * size):
        size *= 2
        info += 1
    if size > 8:
        raise CborError(reason="integer beyond 64 bits")
    return bytes((major << 5 | info,)) + number.to_bytes(size, "big")


def _put(parts: "list[bytes]", value: "Any") -> bool:
    """Append the encoding of a value that contains no other. False for every other value."""
    if value is None:
        parts.append(b"\xf6")
    elif isinstance(value, bool):  # before int: on CPython True is an int
        parts.append(b"\xf5" if value else b"\xf4")
    elif isinstance(value, int):
        parts.append(_head(_UINT, value) if value >= 0 else _head(_NEGATIVE, -1 - value))
    elif isinstance(value, str):
        data = _text_bytes(value)
        parts.append(_head(_TEXT, len(data)))
        parts.append(data)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        parts.append(_head(_BYTES, len(data)))
        parts.append(data)
    else:
        return False
    return True


def _put_container(
    parts: "list[bytes]", value: "Any", depth: int, left: "list[int]", todo: "list[tuple[Any, int]]"
) -> None:
    """Append the head of a container, and to `todo` what it contains, the first one last."""
    if depth > CBOR_DEPTH:
        raise LimitError(what="CBOR nesting", limit=CBOR_DEPTH)
    if isinstance(value, Tag):  # before tuple: a Tag is one
        if isinstance(value.number, bool) or value.number < 0:
            raise CborError(reason="bad tag number")
        parts.append(_head(_TAG, value.number))
        _spend(left, 1)
        todo.append((value.value, depth))
        return
    if not isinstance(value, (list, tuple, dict)):
        raise CborError(reason="no CBOR for " + type(value).__name__)
    _spend(left, len(value) * (2 if isinstance(value, dict) else 1))
    if isinstance(value, dict):
        parts.append(_head(_MAP, len(value)))
        for key, entry in sorted([(_key(k), k) for k in value], key=lambda pair: pair[0], reverse=True):
            todo.append((value[entry], depth))
            todo.append((key, -1))
    else:
        parts.append(_head(_ARRAY, len(value)))
        for entry in reversed(value):
            todo.append((entry, depth))


def _key(key: "Any") -> bytes:
    if isinstance(key, bool) or not isinstance(key, (int, str, bytes)):
        raise CborError(reason="bad map key")
    parts: "list[bytes]" = []
    _put(parts, key)
    return b"".join(parts)


def _spend(left: "list[int]", entries: int) -> None:
    """Count `entries` against what one message may still hold; `left`: how many, and the limit."""
    left[0] -= entries
    if left[0] < 0:
        raise LimitError(what="CBOR entries", limit=left[1])


# Decoding --------------------------------------------------------------------------------------------
# Without recursion, so that the depth of a message takes heap and no stack: a recursive decoder took about 900 bytes of
# stack for each level, and a stack of 10 KiB was not enough for CBOR_DEPTH of them.
#
# `at`: the offset of the next byte, how many entries the message may still hold, the limit of entries, whether map
# keys may be arrays; after the head of a container its major type and its number. A list, so that no object is made
# to return them.
#
# An open container is a list too:
_MAJOR = const(0)
_CONTENT = const(1)  # list, dict; of a tag its number, then the Tag
_LEFT = const(2)  # items that it still lacks; keys and values counted
_KEY = const(3)  # of a map: where its key begins, then the key
_BEFORE = const(4)  # of a map: the encoded key before


class _Head:
    """The value of a container of which only the head was read."""


def _whole(data: bytes, at: "list[int]") -> "Any":
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


def _item(data: bytes, at: "list[int]") -> "Any":
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


def _opened(at: "list[int]", depth: int) -> "list[Any]":
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


def _key_begins(data: bytes, at: "list[int]") -> int:
    """Return the offset of a map's key. Raises CborError if no key may begin there."""
    start = at[0]
    major = data[start] >> 5 if start < len(data) else _UINT
    if major > _TEXT and not (major == _ARRAY and at[3]):
        raise CborError(reason="bad map key", offset=start)
    return start


def _is_complete(inner: "list[Any]", value: "Any", data: bytes, at: "list[int]") -> bool:
    """Put the next value into an open container. Returns whether that was its last one."""
    left: int = inner[_LEFT] - 1
    inner[_LEFT] = left
    major = inner[_MAJOR]
    if major == _ARRAY:
        inner[_CONTENT].append(value)
    elif major == _TAG:
        inner[_CONTENT] = Tag(inner[_CONTENT], value)
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


def _argument(data: bytes, at: "list[int]", info: int) -> int:
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


def _simple(data: bytes, at: "list[int]") -> "bool | None":
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


def _text_bytes(text: str) -> bytes:
    try:
        return encode_utf8(text)
    except ValueError:
        raise CborError(reason="not UTF-8") from None
