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

from device.compat import const, encode_utf8
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

# By the number that the C module gives (device/cmodules/fbcrypto/cbor_check.h).
REASONS = (
    "truncated",
    "bytes after the item",
    "bad map key",
    "map keys out of order",
    "not the shortest form",
    "indefinite length",
    "reserved",
    "float",
    "simple value",
    "not UTF-8",
)
_NESTING = const(10)
_ENTRIES = const(11)

try:
    from _fbcrypto import cbor_decode
    from _fbcrypto import scan as scan

    def _read(data: bytes, items: int, has_array_keys: bool, tag: "Any") -> "Any":
        try:
            return cbor_decode(data, items, CBOR_DEPTH, has_array_keys, tag)
        except ValueError as error:
            number, offset = error.args
        if number == _NESTING:
            raise LimitError(what="CBOR nesting", limit=CBOR_DEPTH)
        if number == _ENTRIES:
            raise LimitError(what="CBOR entries", limit=items)
        raise CborError(reason=REASONS[number], offset=offset)

except ImportError:
    from device.codec.cbor_reader import read as _read
    from device.codec.scanner import scan as scan


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
    try:
        return _read(data, items, has_array_keys, Tag)
    except MemoryError:
        raise LimitError(what="memory for CBOR", limit=limit) from None


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


def head(major: int, number: int) -> bytes:
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
        parts.append(head(_UINT, value) if value >= 0 else head(_NEGATIVE, -1 - value))
    elif isinstance(value, str):
        data = _text_bytes(value)
        parts.append(head(_TEXT, len(data)))
        parts.append(data)
    elif isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        parts.append(head(_BYTES, len(data)))
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
        parts.append(head(_TAG, value.number))
        _spend(left, 1)
        todo.append((value.value, depth))
        return
    if not isinstance(value, (list, tuple, dict)):
        raise CborError(reason="no CBOR for " + type(value).__name__)
    _spend(left, len(value) * (2 if isinstance(value, dict) else 1))
    if isinstance(value, dict):
        parts.append(head(_MAP, len(value)))
        for key, entry in sorted([(_key(k), k) for k in value], key=lambda pair: pair[0], reverse=True):
            todo.append((value[entry], depth))
            todo.append((key, -1))
    else:
        parts.append(head(_ARRAY, len(value)))
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


def _text_bytes(text: str) -> bytes:
    try:
        return encode_utf8(text)
    except ValueError:
        raise CborError(reason="not UTF-8") from None
