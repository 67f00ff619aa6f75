"""The places of the parts of CBOR in a known form: for boards without the C module, and the reference of its `scan`.

A form is a tuple of parts:

    bytes          these bytes; nothing is found
    UINT           an unsigned number in its shortest form; the number is found
    BYTES          a byte string, its length in the shortest form; where its content begins and ends is found
    another int    so many bytes; where they begin is found

At most 7 values are found. It looks into no byte string: the caller scans its content.
"""

from device.compat import const

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    Form = tuple["bytes | int", ...]

UINT = const(0)  # major types, RFC 8949 3.1
BYTES = const(2)


def scan(data: "bytes | memoryview", start: int, end: int, form: "Form") -> "tuple[int, ...] | None":
    """Return what is found in the bytes from `start` to `end` if they have exactly this form; None for another form."""
    found: "list[int]" = []
    at = start
    for part in form:
        begin = at
        if isinstance(part, bytes):
            at += len(part)
            if data[begin:at] != part:
                return None
        elif part in (UINT, BYTES):
            number, at = _argument(data, at, part)
            if number < 0:
                return None
            found.append(number if part == UINT else at)
            if part == BYTES:
                at += number
                found.append(at)
        else:
            found.append(at)
            at += part
        if at > end:
            return None
    return tuple(found) if at == end else None


def _argument(data: "bytes | memoryview", at: int, major: int) -> "tuple[int, int]":
    """Return the argument of the head at `at`, -1 for one of another type or length; and where the head ends."""
    info = data[at] - (major << 5) if at < len(data) else -1
    at += 1
    if 0 <= info < 24:
        return info, at
    if not 24 <= info < 28:
        return -1, at
    size = 1 << (info - 24)
    number = int.from_bytes(data[at : at + size], "big")
    if number < 24 or (size > 1 and number >> (4 * size) == 0):
        return -1, at
    return number, at + size
