"""The CBOR that the grammar needs: an encoder that also writes wrong forms, and a walk over the items of bytes.

It shares no code with the implementation that is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Raw:
    """Bytes that are written without a change."""

    data: bytes


@dataclass(frozen=True)
class Tag:
    number: int
    value: Any


@dataclass(frozen=True)
class Pairs:
    """A map whose entries keep their order, and may occur twice."""

    entries: tuple[tuple[Any, Any], ...]


def head(major: int, number: int, width: int | None = None) -> bytes:
    """Return initial byte and argument; `width` (1, 2, 4, 8 bytes) forces a longer form than needed."""
    if width is None and number < 24:
        return bytes([major << 5 | number])
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if (width or 1) <= size and number < 1 << 8 * size:
            return bytes([major << 5 | info]) + number.to_bytes(size, "big")
    raise ValueError(number)


def enc(value: Any) -> bytes:
    """Return the encoding of `value`; maps are sorted by their encoded keys, unless they are Pairs."""
    if isinstance(value, Raw):
        return value.data
    if isinstance(value, Tag):
        return head(6, value.number) + enc(value.value)
    if isinstance(value, dict | Pairs | list | tuple):
        return _container(value)
    return _scalar(value)


def _scalar(value: Any) -> bytes:
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    return head(3, len(value.encode())) + bytes(value.encode())


def _container(value: Any) -> bytes:
    if isinstance(value, dict):
        entries = sorted((enc(key), enc(entry)) for key, entry in value.items())
        return head(5, len(entries)) + b"".join(key + entry for key, entry in entries)
    if isinstance(value, Pairs):
        return head(5, len(value.entries)) + b"".join(enc(key) + enc(one) for key, one in value.entries)
    return head(4, len(value)) + b"".join(map(enc, value))


@dataclass(frozen=True)
class Item:
    """One item of well-formed, definite CBOR: its start, the length of its head, its whole length."""

    start: int
    head_bytes: int
    end: int
    major: int
    argument: int


def items(data: bytes) -> list[Item]:
    """Yield every item of `data`, the outermost first; byte strings are not opened."""
    found: list[Item] = []
    end = _walk(data, 0, found)
    if end != len(data):
        raise ValueError("bytes after the item")
    return sorted(found, key=lambda item: (item.start, -item.end))


def _walk(data: bytes, start: int, found: list[Item]) -> int:
    major, info = data[start] >> 5, data[start] & 31
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(info, 0)
    argument = int.from_bytes(data[start + 1 : start + 1 + size], "big") if size else info
    end = start + 1 + size
    if major in (2, 3):
        end += argument
    else:
        for _ in range({4: argument, 5: 2 * argument, 6: 1}.get(major, 0)):
            end = _walk(data, end, found)
    found.append(Item(start, 1 + size, end, major, argument))
    return end


def children(data: bytes, item: Item) -> Iterator[tuple[int, int]]:
    """Return (start, end) of the direct entries of an array or map (keys and values in turn)."""
    at = item.start + item.head_bytes
    while at < item.end:
        end = _walk(data, at, [])
        yield at, end
        at = end


def misencodings(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield every form of `data` that RFC 8949 4.2.1 or the subset without floats forbids, each with one damage."""
    for item in items(data):
        before, after = data[: item.start], data[item.end :]
        body = data[item.start + item.head_bytes : item.end]
        where = f"{item.start}"
        if item.major != 7:
            for width in (1, 2, 4, 8):
                longer = head(item.major, item.argument, width)
                if len(longer) > item.head_bytes:
                    yield f"{where}-head-{width}", before + longer + body + after
            yield f"{where}-reserved", before + bytes([item.major << 5 | 28]) + body + after
        for name, simple in (("float", b"\xf9\x3c\x00"), ("undefined", b"\xf7"), ("simple", b"\xf8\x20")):
            yield f"{where}-{name}", before + simple + after
        yield from (
            (f"{where}-{name}", before + changed + after) for name, changed in _containers(data, item, body)
        )


def _containers(data: bytes, item: Item, body: bytes) -> Iterator[tuple[str, bytes]]:
    own = data[item.start : item.start + item.head_bytes]
    if item.major in (2, 3):
        chunk = head(item.major, item.argument) + body
        yield "indefinite", bytes([item.major << 5 | 31]) + chunk + b"\xff"
    if item.major in (4, 5):
        yield "indefinite", bytes([item.major << 5 | 31]) + body + b"\xff"
    if item.major == 3 and body:
        yield "not-utf8", own + b"\xff" + body[1:]
    if item.major == 5 and item.argument:
        parts = [data[start:end] for start, end in children(data, item)]
        twice = head(5, item.argument + 1) + parts[0] + parts[1] + body
        yield "key-twice", twice
        if item.argument > 1:
            yield "keys-out-of-order", own + b"".join(parts[2:4] + parts[:2] + parts[4:])
