"""The arena of Mbed TLS (port/arena.c) compiled for the host with a check for undefined behaviour."""

import ctypes
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emulated.boot_support import BOARD, run

BYTES = 4096
HEADER = 8


class _Facts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ("bytes", "used", "peak", "largest_free", "refused")]


class Arena:
    """The C code over `memory`."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self.memory = (ctypes.c_uint64 * (BYTES // 8))()
        self.base = ctypes.addressof(self.memory)
        library.arena_init(self.memory, BYTES)

    def alloc(self, size: int) -> int | None:
        """Return the offset of a new block, None if there is no room."""
        found = self._library.arena_alloc(size)
        return None if found is None else found - self.base

    def free(self, offset: int) -> bool:
        return bool(self._library.arena_free(ctypes.c_void_p(self.base + offset)))

    def fill(self, offset: int, size: int, byte: int) -> None:
        ctypes.memset(self.base + offset, byte, size)

    def read(self, offset: int, size: int) -> bytes:
        return ctypes.string_at(self.base + offset, size)

    @property
    def facts(self) -> _Facts:
        found = _Facts()
        self._library.arena_facts(ctypes.byref(found))
        return found


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    path: Path = tmp_path_factory.mktemp("arena") / "arena.so"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
    flags += ["-fsanitize=undefined", "-fsanitize-undefined-trap-on-error"]
    run("gcc", *flags, "-o", path, BOARD / "port" / "arena.c")
    found = ctypes.CDLL(str(path))
    found.arena_alloc.restype = ctypes.c_void_p
    found.arena_alloc.argtypes = [ctypes.c_size_t]
    found.arena_init.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    found.arena_free.restype = ctypes.c_bool
    return found


@pytest.fixture
def arena(library: ctypes.CDLL) -> Iterator[Arena]:
    yield Arena(library)


def test_freed_neighbours_become_one_block_again(arena: Arena) -> None:
    blocks = [arena.alloc(100) for _ in range(20)]
    for block in blocks[::2] + blocks[1::2]:
        assert block is not None and arena.free(block)
    assert arena.facts.used == 0
    assert arena.facts.largest_free == BYTES - HEADER
    assert arena.alloc(BYTES - HEADER) is not None


def test_a_request_without_room_gets_nothing_and_changes_nothing(arena: Arena) -> None:
    held = arena.alloc(BYTES // 2)
    before = arena.facts.used
    for size in (BYTES, BYTES // 2, 2**32 + 8, 2**64 - 1):
        assert arena.alloc(size) is None
    assert arena.facts.used == before and arena.facts.refused == 4
    assert held is not None and arena.free(held)


def test_freed_memory_keeps_nothing_of_its_content(arena: Arena) -> None:
    kept = [arena.alloc(64) for _ in range(3)]
    for block in kept:
        assert block is not None
        arena.fill(block, 64, 0x5A)
    for block in kept:
        assert block is not None and arena.free(block)
    assert b"\x5a" not in arena.read(0, BYTES)


def test_what_is_no_block_in_use_is_refused(arena: Arena) -> None:
    block = arena.alloc(64)
    assert block is not None
    for wrong in (block + 8, block + 4, -8, BYTES, BYTES + 64):
        assert not arena.free(wrong), wrong
    assert arena.free(block)
    assert not arena.free(block)


def test_the_smallest_block_that_fits_is_taken(arena: Arena) -> None:
    large = arena.alloc(512)
    arena.alloc(8)
    small = arena.alloc(128)
    arena.alloc(8)
    assert large is not None and small is not None
    assert arena.free(large) and arena.free(small)
    assert arena.alloc(120) == small


@pytest.mark.parametrize("seed", range(4))
def test_blocks_never_overlap_and_keep_their_content(arena: Arena, seed: int) -> None:
    chance = random.Random(seed)
    held: dict[int, tuple[int, int]] = {}
    for step in range(4000):
        if held and chance.random() < 0.48:
            offset = chance.choice(sorted(held))
            size, byte = held.pop(offset)
            assert arena.read(offset, size) == bytes((byte,)) * size
            assert arena.free(offset)
            continue
        size = chance.choice((0, 1, 7, 8, 24, 40, 100, 300, 900))
        found = arena.alloc(size)
        if found is not None:
            assert found % 8 == 0 and found + size <= BYTES
            assert all(found + size <= other or other + held[other][0] <= found for other in held)
            held[found] = (size, step % 255 + 1)
            arena.fill(found, size, step % 255 + 1)
    for offset in sorted(held):
        assert arena.free(offset)
    facts = arena.facts
    assert (facts.used, facts.largest_free) == (0, BYTES - HEADER) and facts.peak > BYTES // 2
