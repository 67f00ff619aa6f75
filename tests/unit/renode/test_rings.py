"""Bytes that a recording machine puts into the firmware's receive rings, and a guest that lies about them."""

from __future__ import annotations

import pytest

from device.boards.mps2_an385.memory_map import RAM_ADDRESS, RAM_END, RINGS_ADDRESS, RINGS_MAGIC
from renode.rings import clock_ms, put

HEAD, TAIL, RING, CLOCK, LENGTH = RAM_ADDRESS, RAM_ADDRESS + 4, RAM_ADDRESS + 16, RAM_ADDRESS + 8, 8


class Guest:
    """Memory with a table for the network line and a ring of eight bytes."""

    def __init__(self, head: int = 0, tail: int = 0, **table: int) -> None:
        self.bytes: dict[int, int] = {}
        words = {
            "magic": RINGS_MAGIC,
            "length": LENGTH,
            "clock": CLOCK,
            "at_head": HEAD,
            "at_tail": TAIL,
            "ring": RING,
        } | table
        network = [words["at_head"], words["at_tail"], words["ring"]]
        listed = [words["magic"], words["length"], words["clock"], 0, 0, 0, *network, 0, 0, 0]
        self.write(RINGS_ADDRESS, b"".join(word.to_bytes(4, "little") for word in listed))
        self.write(HEAD, head.to_bytes(4, "little") + tail.to_bytes(4, "little") + (77).to_bytes(4, "little"))
        self.writes = 0

    def read(self, address: int, length: int) -> bytes:
        return bytes(self.bytes.get(at, 0) for at in range(address, address + length))

    def write(self, address: int, data: bytes) -> None:
        self.writes = getattr(self, "writes", 0) + 1
        self.bytes.update(zip(range(address, address + len(data)), data, strict=True))

    @property
    def head(self) -> int:
        return int.from_bytes(self.read(HEAD, 4), "little")


def test_bytes_go_behind_the_head_and_the_head_moves() -> None:
    guest = Guest(head=2, tail=2)
    assert put(guest, "network", b"abc") == 3
    assert (guest.read(RING + 2, 3), guest.head) == (b"abc", 5)


def test_bytes_go_around_the_end_of_the_ring() -> None:
    guest = Guest(head=6, tail=5)
    assert put(guest, "network", b"abcd") == 4
    assert (guest.read(RING + 6, 2), guest.read(RING, 2), guest.head) == (b"ab", b"cd", 2)


def test_one_place_stays_free_so_that_full_is_not_empty() -> None:
    guest = Guest(head=0, tail=0)
    assert put(guest, "network", b"0123456789") == LENGTH - 1
    assert put(guest, "network", b"x") == 0
    assert guest.head == LENGTH - 1


def test_a_line_on_which_the_board_does_not_receive_takes_nothing() -> None:
    guest = Guest()
    assert put(guest, "console", b"x") == 0
    assert guest.writes == 0


@pytest.mark.parametrize(
    "table",
    [
        {"magic": 0},
        {"length": 0},
        {"length": 1},
        {"length": 0xFFFFFFFF},
        {"at_head": 0},
        {"at_tail": RAM_END},
        {"ring": RAM_END - LENGTH + 1},
        {"ring": 0xFFFFFFFF},
    ],
)
def test_a_table_that_leads_outside_of_ram_is_not_followed(table: dict[str, int]) -> None:
    guest = Guest(**table)
    assert put(guest, "network", b"x") == 0
    assert guest.writes == 0


@pytest.mark.parametrize(("head", "tail"), [(LENGTH, 0), (0, LENGTH), (0xFFFFFFFF, 0)])
def test_an_index_beyond_the_ring_is_not_followed(head: int, tail: int) -> None:
    guest = Guest(head, tail)
    assert put(guest, "network", b"x") == 0
    assert guest.writes == 0


def test_the_clock_is_the_guests_and_unknown_before_the_firmware_started() -> None:
    assert clock_ms(Guest()) == 77
    assert clock_ms(Guest(magic=0)) is None
    assert clock_ms(Guest(clock=0)) is None
