"""The owner's journal: what is written into it, and what pushes nothing out of it."""

from memory_unit import MemoryRecords

from device.codec.cbor import encode
from device.errors import LinkError, SignatureError, StorageError
from device.records.events import REPEAT_S, Events
from device.records.store import USER, Store

NOW_S = 1_900_000_000
FIRST, SECOND, THIRD = SignatureError(reason="one"), StorageError(reason="two"), LinkError(reason="three")


def bench():
    records = MemoryRecords()
    return Events(Store(records, USER)), records


def test_errors_that_take_turns_push_no_other_out_and_wear_no_flash():
    events, records = bench()
    events.add(THIRD, NOW_S)
    for turn in range(50):
        for error in (FIRST, SECOND):
            events.add(error, NOW_S + turn)
    assert [entry[1] for entry in events.entries] == [THIRD.code, FIRST.code, SECOND.code]
    assert [entry[0] for entry in events.entries] == [NOW_S] * 3
    assert len(records.log) == 3
    assert Events(Store(records, USER)).entries == events.entries


def test_an_event_that_comes_back_after_a_day_is_the_newest_again():
    events, _ = bench()
    for error in (FIRST, SECOND):
        events.add(error, NOW_S)
    events.add(FIRST, NOW_S + REPEAT_S - 1)
    assert [entry[1] for entry in events.entries] == [FIRST.code, SECOND.code]
    events.add(FIRST, NOW_S + REPEAT_S)
    assert [entry[1] for entry in events.entries] == [SECOND.code, FIRST.code]
    assert events.entries[-1][0] == NOW_S + REPEAT_S


def test_an_event_is_written_again_if_its_time_was_unknown_or_was_corrected():
    for first, again, is_written in (
        (None, None, False),
        (None, NOW_S, True),
        (NOW_S, None, False),
        (NOW_S, NOW_S, False),
        (NOW_S, NOW_S - 1, True),
    ):
        events, records = bench()
        events.add(FIRST, first)
        events.add(FIRST, again)
        assert len(records.log) == (2 if is_written else 1) and len(events.entries) == 1, (first, again)


def test_a_time_of_another_form_is_never_due():
    for time in ("5", True, None, [1]):
        store = Store(MemoryRecords(), USER)
        store.write("events", encode([[time, FIRST.code, FIRST.describe()]]))
        events = Events(store)
        events.add(FIRST, NOW_S)
        assert [entry[0] for entry in events.entries] == [time]
