"""The firmware's receive rings, as a machine that records or replays a run sees them in the memory of the board.

The processor must stand still. The table is in docs/reference/memory-map.md, Handover page. What it says comes from the
guest, so it is checked.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from device.boards.mps2_an385.memory_map import RAM_ADDRESS, RAM_END, RINGS_ADDRESS, RINGS_MAGIC

LINES: Final = ("console", "network", "factory")  # UART0, 1, 2
_TABLE_BYTES: Final = 12 + 12 * len(LINES)
_RING_MAX_BYTES: Final = 1024 * 1024


class Memory(Protocol):
    """Physical memory of the board."""

    def read(self, address: int, length: int) -> bytes: ...
    def write(self, address: int, data: bytes) -> None: ...


class _Ring(NamedTuple):
    head: int
    tail: int
    start: int
    length: int


def put(memory: Memory, line: str, data: bytes) -> int:
    """Put as much of `data` into the ring of `line` as fits; return the number of bytes.

    It is 0 if the board does not receive on this line now. Raises what `memory` raises.
    """
    ring = _find(memory, LINES.index(line))
    if ring is None:
        return 0
    head, tail = _word(memory.read(ring.head, 4)), _word(memory.read(ring.tail, 4))
    if head >= ring.length or tail >= ring.length:
        return 0
    taken = data[: (tail - head - 1) % ring.length]
    if not taken:
        return 0
    until_end = ring.length - head
    memory.write(ring.start + head, taken[:until_end])
    if len(taken) > until_end:
        memory.write(ring.start, taken[until_end:])
    memory.write(ring.head, ((head + len(taken)) % ring.length).to_bytes(4, "little"))
    return len(taken)


def clock_ms(memory: Memory) -> int | None:
    """Return the milliseconds since the firmware started; None before it did. Raises what `memory` raises."""
    words = _table(memory)
    if words is None or not RAM_ADDRESS <= words[2] <= RAM_END - 4:
        return None
    return _word(memory.read(words[2], 4))


def _find(memory: Memory, uart: int) -> _Ring | None:
    words = _table(memory)
    if words is None:
        return None
    length, (head, tail, start) = words[1], words[3 + 3 * uart : 6 + 3 * uart]
    is_inside = RAM_ADDRESS <= min(head, tail, start) and max(head + 4, tail + 4, start + length) <= RAM_END
    return _Ring(head, tail, start, length) if is_inside and 2 <= length <= _RING_MAX_BYTES else None


def _table(memory: Memory) -> list[int] | None:
    table = memory.read(RINGS_ADDRESS, _TABLE_BYTES)
    words = [_word(table[at : at + 4]) for at in range(0, _TABLE_BYTES, 4)]
    return words if words[0] == RINGS_MAGIC else None


def _word(data: bytes) -> int:
    return int.from_bytes(data, "little")
