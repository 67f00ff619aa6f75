"""Recordings with arbitrary actions, and arbitrary damage to their description."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from renode import recording as format_
from renode.recording import LINES, Action, RecordingError, parse_head
from tests.unit.renode.recordings import recording

actions = st.lists(
    st.one_of(
        st.builds(
            Action, st.integers(0, 1000), st.just("input"), st.sampled_from(LINES), st.just(0), st.binary()
        ),
        st.builds(Action, st.integers(0, 1000), st.just("reset")),
        st.builds(
            Action,
            st.integers(0, 1000),
            st.just("write"),
            st.just(""),
            st.integers(0, 2**32 - 1),
            st.binary(),
        ),
    ),
    max_size=8,
).map(lambda made: tuple(sorted(made, key=lambda one: one.at)))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)


def places(found: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a JSON document."""
    inner = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    return [path, *(place for key, value in inner for place in places(value, (*path, key)))]


@given(actions)
def test_actions_come_back_as_they_were_written(made: tuple[Action, ...]) -> None:
    head = json.dumps(format_._head(recording(*made))).encode()
    assert parse_head(head).runs == recording(*made).runs


@given(actions, st.data())
def test_a_changed_description_is_refused_or_means_what_it_says(
    made: tuple[Action, ...], data: st.DataObject
) -> None:
    head = json.loads(json.dumps(format_._head(recording(*made))))
    place = data.draw(st.sampled_from(places(head)[1:]))
    target = head
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = data.draw(values)
    try:
        found = parse_head(json.dumps(head).encode())
    except RecordingError:
        return
    assert json.loads(json.dumps(format_._head(found))) == head


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_no_description(data: bytes) -> None:
    try:
        parse_head(data)
    except RecordingError:
        return
    raise AssertionError(data)
