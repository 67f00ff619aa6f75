"""MQTT parser: any input gives typed errors and bounded memory; it reads back the packets that we encode."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from device import limits
from device.errors import LimitError, LinkError, ProtocolError
from device.net import mqtt, mqtt_session
from tests.fuzz import hostile_broker, targets

TOPICS = st.text(
    st.characters(exclude_characters="+#\x00", exclude_categories=("Cs",)), min_size=1, max_size=60
)
PACKETS = st.one_of(
    st.builds(
        lambda topic, payload, packet_id, is_retained: mqtt.encode_publish(
            topic, payload, packet_id=packet_id, is_retained=is_retained
        ),
        TOPICS,
        st.binary(max_size=300),
        st.integers(0, 0xFFFF),
        st.booleans(),
    ),
    st.integers(1, 0xFFFF).map(mqtt.encode_puback),
    st.just(b"\xd0\x00"),
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Return `data` in pieces, cut at `places` (modulo its length)."""
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(marks)]


@given(TOPICS, st.binary(max_size=5000), st.integers(0, 0xFFFF), st.booleans())
def test_a_publish_is_read_back_as_it_was_written(
    topic: str, payload: bytes, packet_id: int, is_retained: bool
) -> None:
    data = mqtt.encode_publish(topic, payload, packet_id=packet_id, is_retained=is_retained)
    (packet,) = mqtt.Parser().feed(data)
    assert packet == mqtt.Publish(topic, payload, 1 if packet_id else 0, packet_id, is_retained, False)


@given(st.lists(PACKETS, max_size=6), st.lists(st.integers(0, 10_000), max_size=12))
def test_where_the_stream_is_cut_changes_nothing(packets: list[bytes], places: list[int]) -> None:
    stream = b"".join(packets)
    parser = mqtt.Parser()
    pieces = [packet for piece in cut(stream, places) for packet in parser.feed(piece)]
    assert pieces == mqtt.Parser().feed(stream)
    assert len(pieces) == len(packets)


@given(st.binary(max_size=400))
def test_any_bytes_give_packets_or_a_typed_error(data: bytes) -> None:
    parser = mqtt.Parser(limit=1000)
    try:
        parser.feed(data)
    except (ProtocolError, LimitError):
        return
    assert parser._body is None or len(parser._body) <= 1000


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=4))
def test_any_bytes_to_a_session_give_events_or_a_typed_error(data: bytes, places: list[int]) -> None:
    session = mqtt_session.Session("device")
    session.feed(b"\x20\x02\x00\x00")
    session.subscribe(("t",), 1)
    try:
        for piece in cut(data, places):
            for event in session.feed(piece):
                assert not isinstance(event, mqtt_session.Message) or event.topic == "t"
    except (LinkError, LimitError):
        pass


@given(st.lists(st.sampled_from(["publish", "subscribe", "unsubscribe", "acknowledge"]), max_size=200))
def test_packet_ids_in_use_differ_and_stay_bounded(steps: list[str]) -> None:
    session = mqtt_session.Session("device")
    session.feed(b"\x20\x02\x00\x00")
    open_publishes: list[int] = []
    for step in steps:
        try:
            if step == "publish":
                packet_id, _ = session.publish("t", b"")
                assert packet_id not in open_publishes
                open_publishes.append(packet_id)
            elif step == "subscribe":
                session.subscribe(("t",), 0)
            elif step == "unsubscribe":
                session.unsubscribe(("t",))
            elif open_publishes:
                session.feed(b"\x40\x02" + open_publishes.pop(0).to_bytes(2, "big"))
        except ProtocolError as error:
            assert error.fields["reason"] == "too many unanswered requests"
        assert len(session._waiting) <= limits.MQTT_OPEN_REQUESTS


@given(st.binary(max_size=400))
def test_a_broker_that_answers_anything_ends_a_visit_with_a_typed_error_or_an_answer(script: bytes) -> None:
    hostile_broker.visit(script)


@given(st.binary(max_size=200))
def test_a_tracker_answers_or_ignores_any_message(data: bytes) -> None:
    targets.fuzz_tracker(data)
