"""A replay window accepts each number once, and nothing below a fresh beginning (RFC 8613 7.4)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioning.shared_store.replay_window import EMPTY, SIZE, Window

NUMBERS = st.integers(min_value=0, max_value=100)


@given(st.lists(NUMBERS, max_size=80))
def test_a_window_accepts_what_a_set_of_all_numbers_accepts(numbers: list[int]) -> None:
    window, accepted = Window(0, 0), set()
    for number in numbers:
        is_wanted = number not in accepted and number > max(accepted, default=0) - SIZE
        new = window.accept(number)
        assert (new is not None) == is_wanted
        if new is not None:
            assert new.includes(window) and not window.includes(new)
            window = new
            accepted.add(number)


@given(st.lists(NUMBERS, max_size=40), NUMBERS)
def test_a_fresh_beginning_ends_every_lower_number_and_keeps_the_higher_ones(
    numbers: list[int], fresh: int
) -> None:
    window, accepted = Window(0, 0), set()
    for number in numbers:
        new = window.accept(number)
        if new is not None:
            window, _ = new, accepted.add(number)
    begun = window.begin(fresh)
    if begun is None:
        assert fresh in accepted or fresh < window.start
        return
    assert begun.includes(window)
    assert not any(begun.is_new(number) for number in range(fresh + 1))
    for number in range(fresh + 1, 140):
        assert begun.is_new(number) == (number not in accepted)


def test_an_empty_window_begins_at_any_number_of_five_bytes() -> None:
    largest = (1 << 40) - 1
    begun = EMPTY.begin(largest)
    assert begun == Window(largest, 1)
    assert EMPTY.begin(0) == Window(0, 1)


def test_a_window_that_went_back_is_noticed() -> None:
    window = Window(0, 0)
    for number in (0, 1, 50):
        found = window.accept(number)
        assert found is not None
        window = found
    assert not Window(0, 3).includes(window)
    assert not Window(window.start, 0).includes(window)
    assert Window(200, 0).includes(window)
