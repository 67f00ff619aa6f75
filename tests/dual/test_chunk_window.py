"""The window of chunks that are requested ahead: its order, its size, and what it takes."""

from device import limits
from device.transport.window import Window, room_for


def digests(count):
    return [bytes((index,)) * 32 for index in range(count)]


def buffers(count=limits.CHUNK_WINDOW):
    return [bytearray(limits.CHUNK_BYTES) for _ in range(count)]


def take(window, index):
    """Return chunk `index` as bytes, as a reader that copies it at once."""
    data = window.take(index)
    found = None if data is None else bytes(data)
    window.release()
    return found


def test_topics_that_are_done_are_closed_before_new_ones_are_opened():
    names = digests(30)
    window = Window(names, range(30), buffers())
    is_open = set()
    for index in range(30):
        to_close, to_open = window.refill()
        is_open -= set(to_close)
        assert not is_open & set(to_open)
        is_open |= set(to_open)
        assert len(is_open) <= limits.CHUNK_WINDOW
        assert is_open <= set(window.open_digests())
        assert window.accept(names[index], b"x")
        assert take(window, index) == b"x"


def test_a_short_heap_makes_the_window_smaller_and_never_larger():
    kib = 1024
    for free, room in ((0, 2), (24 * kib, 3), (40 * kib, 5), (64 * kib, 8), (1 << 30, 8)):
        assert room_for(free) == room


def test_a_smaller_window_asks_for_every_chunk_in_order():
    names = digests(9)
    for room in (2, 3, 5):
        window = Window(names, range(9), buffers(room))
        asked = []
        for index in range(9):
            asked += window.refill()[1]
            assert len(asked) - index <= room
            assert window.accept(names[index], b"x")
            assert take(window, index) == b"x"
        assert asked == names


def test_the_window_takes_only_what_it_asked_for_and_once():
    window = Window(digests(3), [0, 2], buffers())
    assert window.refill() == ([], [digests(3)[0], digests(3)[2]])
    assert not window.accept(digests(3)[1], b"not asked for")
    assert window.accept(digests(3)[0], b"first")
    assert not window.accept(digests(3)[0], b"second")
    assert take(window, 0) == b"first"
    assert take(window, 2) is None


def test_a_chunk_stays_as_it_is_until_it_is_released_while_the_next_one_arrives():
    names = digests(9)
    window = Window(names, range(9), buffers(3))
    window.refill()
    assert window.accept(names[0], b"0" * limits.CHUNK_BYTES)
    for index in range(8):
        data = window.take(index)
        assert window.accept(names[index + 1], bytes((48 + index + 1,)) * limits.CHUNK_BYTES)
        assert bytes(data) == bytes((48 + index,)) * limits.CHUNK_BYTES
        window.release()
        window.refill()


def test_a_chunk_that_comes_up_twice_is_held_until_its_second_reader():
    same = bytes(32)
    window = Window([same, same, b"\x01" * 32], range(3), buffers(3))
    window.refill()
    assert window.accept(same, b"twice")
    assert take(window, 0) == b"twice"
    assert take(window, 1) == b"twice"
    assert not window.holds(2)
    window.refill()
    assert window.accept(b"\x01" * 32, b"last")
    assert take(window, 2) == b"last"
