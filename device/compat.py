"""The differences between MicroPython and CPython: `micropython.const`, when memory is freed, which modules stay in it,
and which bytes are UTF-8.
"""

import gc
import sys

try:
    from micropython import const as const
except ImportError:

    def const(value: int) -> int:
        """Return `value`; on a board mpy-cross replaces the name by it."""
        return value


TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Callable, Iterator


class Rows:
    """The rows of a table, each as `row_type` (a namedtuple), made each time they are iterated.

    On a board a table of constants is in flash: numbers, texts, truth values and tuples of them, written out or named
    by a private const of the same module. A table of namedtuples would take its whole size of heap.
    """

    def __init__(self, row_type: "Callable[..., Any]", rows: "tuple[tuple[Any, ...], ...]") -> None:
        self._type = row_type
        self._rows = rows

    def __iter__(self) -> "Iterator[Any]":
        for row in self._rows:
            yield self._type(*row)

    def __len__(self) -> int:
        return len(self._rows)


def forget() -> None:
    """Free unreferenced memory on MicroPython, where only a collection does so; the emulated board's port then wipes it
    (PW-13). CPython frees memory at once and wipes nothing.
    """
    if hasattr(gc, "mem_free"):
        gc.collect()


def unload(names: "tuple[str, ...]") -> None:
    """Free the modules `names` on MicroPython, where a module takes heap; the next import loads them again.

    Only functions import them, or other modules of `names`: a reference from elsewhere keeps a module in memory.
    """
    if not hasattr(gc, "mem_free"):
        return
    is_loaded = False
    for name in names:
        package, _, own = name.rpartition(".")
        if sys.modules.pop(name, None) is not None:
            delattr(sys.modules[package], own)
            is_loaded = True
    if is_loaded:
        gc.collect()


def free_bytes(enough: int) -> int:
    """Return the free bytes of a board's heap, after a collection if they are fewer than `enough`.

    On CPython `enough` are always free.
    """
    if not hasattr(gc, "mem_free"):
        return enough
    if gc.mem_free() < enough:
        gc.collect()
    return int(gc.mem_free())


# MicroPython takes overlong forms, surrogates and code points past U+10FFFF; CPython refuses them. An overlong form
# shows in the number of bytes that strict UTF-8 (RFC 3629) needs for the text.


def decode_utf8(data: "bytes | bytearray | memoryview") -> str:
    """Return the text in `data`, by strict UTF-8 on every interpreter. Raises ValueError."""
    text = str(data, "utf-8")
    if len(text) != len(data) and utf8_bytes(text) != len(data):
        raise ValueError("not UTF-8")
    return text


def encode_utf8(text: str) -> bytes:
    """Return `text` in UTF-8. Raises ValueError for text that UTF-8 cannot carry (a lone surrogate)."""
    data = text.encode("utf-8")
    if len(text) != len(data) and utf8_bytes(text) != len(data):
        raise ValueError("not UTF-8")
    return data


def clip_utf8(text: str, limit: int) -> str:
    """Return the longest beginning of `text` that takes at most `limit` bytes in UTF-8. A character that UTF-8 cannot
    carry becomes "?".
    """
    clipped = ""
    size = 0
    for character in text:
        needed = utf8_bytes(character)
        size += max(needed, 1)
        if size > limit:
            break
        clipped += character if needed > 0 else "?"
    return clipped


def utf8_bytes(text: str) -> int:
    """Return the bytes that strict UTF-8 takes for `text`, -1 if it cannot carry it."""
    total = 0
    for character in text:
        point = ord(character)
        if 0xD800 <= point <= 0xDFFF or point > 0x10FFFF:
            return -1
        total += 1 if point < 0x80 else 2 if point < 0x800 else 3 if point < 0x10000 else 4
    return total
