"""MQTT 3.1.1 client core: the same file runs on CPython and on the board."""

from device import limits
from device.errors import FirstbootError, LimitError, PeerRefusedError, ProtocolError
from device.net import mqtt, mqtt_session

CONNACK_OK = b"\x20\x02\x00\x00"


def refused(error, call, *arguments):
    """Return the error that `call` raises; it must be of that class."""
    try:
        call(*arguments)
    except FirstbootError as seen:
        assert isinstance(seen, error), seen
        return seen
    raise AssertionError("not refused")


def connected():
    session = mqtt_session.Session("a", 60)
    assert session.feed(CONNACK_OK) == [mqtt_session.Connected()]
    return session


def test_connect_carries_a_will_and_a_login_in_the_order_of_the_standard():
    session = mqtt_session.Session("ab", 60)
    sent = session.connect(mqtt.Login("me", "pw"), mqtt.Will("t/x", b"off"))
    # 3.1.2: user name, password, will retained at QoS 1, clean session; 3.1.3: identifier, will, user name, password
    head = b"\x00\x04MQTT\x04\xee\x00\x3c"
    body = b"\x00\x02ab" + b"\x00\x03t/x" + b"\x00\x03off" + b"\x00\x02me" + b"\x00\x02pw"
    assert sent == b"\x10" + bytes((len(head + body),)) + head + body
    alone = mqtt.encode_connect("ab", 60, mqtt.Login("me", "pw"))
    assert alone[9] == 0xC2 and alone.endswith(b"\x00\x02me\x00\x02pw")


def test_a_packet_above_the_sessions_own_bound_is_refused_at_its_length():
    session = mqtt_session.Session("ab", packet_bytes=100)
    refused(LimitError, session.feed, b"\x30\x65")
    assert not mqtt_session.Session("ab", packet_bytes=101).feed(b"\x30\x65")


def test_connect_is_the_packet_of_the_standard():
    assert mqtt_session.Session("ab", 60).connect() == b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02ab"


def test_publish_at_qos_1_carries_its_packet_id():
    assert mqtt.encode_publish("a/b", b"xyz", packet_id=10) == b"\x32\x0a\x00\x03a/b\x00\x0axyz"


def test_subscribe_carries_reserved_flag_and_qos():
    assert mqtt.encode_subscribe(10, ("a/b", "c"), 1) == b"\x82\x0c\x00\x0a\x00\x03a/b\x01\x00\x01c\x01"


def test_remaining_length_of_two_bytes_is_read_and_written():
    data = mqtt.encode_publish("t", b"x" * 321)
    assert data[1:3] == b"\xc4\x02"
    assert mqtt.Parser().feed(data)[0].payload == b"x" * 321


def test_packets_are_found_however_the_stream_is_cut():
    data = CONNACK_OK + mqtt.encode_publish("t", b"one") + b"\xd0\x00" + mqtt.encode_publish("t", b"")
    for size in (1, 2, 3, 7, len(data)):
        parser = mqtt.Parser()
        packets = []
        for start in range(0, len(data), size):
            packets += parser.feed(data[start : start + size])
        assert [type(packet) for packet in packets] == [
            mqtt.Connack,
            mqtt.Publish,
            mqtt.Pingresp,
            mqtt.Publish,
        ]
        assert packets[1].payload == b"one"


def test_a_parser_with_a_buffer_reads_every_body_that_fits_into_it_and_a_larger_one_into_its_own():
    buffer = bytearray(16)
    parser = mqtt.Parser(buffer=buffer)
    data = mqtt.encode_publish("t", b"first") + mqtt.encode_publish("t", b"x" * 40)
    data += mqtt.encode_publish("t", b"third")
    seen = []
    kept = None
    for packet in parser.packets(data):
        seen.append((bytes(packet.payload), parser.is_shared))
        if not parser.is_shared:
            kept = packet.payload
    assert seen == [(b"first", True), (b"x" * 40, False), (b"third", True)]
    assert bytes(buffer[3:8]) == b"third"
    assert bytes(kept) == b"x" * 40  # no later packet changed it


def test_a_packet_above_the_bound_is_refused_at_its_length():
    refused(LimitError, mqtt.Parser().feed, b"\x30\xff\xff\xff")


def test_a_length_of_five_bytes_is_refused():
    refused(ProtocolError, mqtt.Parser().feed, b"\x30\x80\x80\x80\x80")


def test_malformed_packets_are_refused():
    for data in (
        b"\x00\x00",  # type 0
        b"\x10\x00",  # CONNECT from a server
        b"\x82\x05\x00\x01\x00\x01a",  # SUBSCRIBE from a server
        b"\xf0\x00",  # type 15
        b"\x21\x02\x00\x00",  # CONNACK flags
        b"\x20\x03\x00\x00\x00",
        b"\x20\x02\x02\x00",  # reserved bit
        b"\x20\x02\x00\x06",  # code unknown
        b"\x20\x02\x01\x05",  # session present in a refusal
        b"\x36\x05\x00\x01a\x00\x01",  # QoS 3
        b"\x34\x05\x00\x01a\x00\x01",  # QoS 2
        b"\x38\x03\x00\x01a",  # duplicate at QoS 0
        b"\x30\x01\x00",  # no topic
        b"\x30\x02\x00\x00",  # empty topic
        b"\x30\x03\x00\x02a",  # topic longer than the packet
        b"\x30\x03\x00\x01+",
        b"\x30\x03\x00\x01\x00",
        b"\x30\x03\x00\x01\xff",  # no UTF-8
        b"\x32\x03\x00\x01a",  # no packet id
        b"\x32\x05\x00\x01a\x00\x00",  # packet id 0
        b"\x41\x02\x00\x01",
        b"\x40\x03\x00\x01\x00",
        b"\x40\x02\x00\x00",
        b"\x90\x02\x00\x01",  # SUBACK without codes
        b"\x90\x03\x00\x01\x02",  # QoS 2 granted
        b"\x90\x03\x00\x01\x7f",
        b"\xb0\x01\x01",
        b"\xd0\x01\x00",
    ):
        refused(ProtocolError, mqtt.Parser().feed, data)


def test_a_refused_connection_names_the_reason():
    error = refused(PeerRefusedError, mqtt_session.Session("a").feed, b"\x20\x02\x00\x05")
    assert error.fields["status"] == "MQTT not authorised"


def test_nothing_is_accepted_before_connack():
    refused(ProtocolError, mqtt_session.Session("a").feed, b"\xd0\x00")


def test_a_second_connack_is_refused():
    refused(ProtocolError, connected().feed, CONNACK_OK)


def test_a_message_of_a_subscribed_topic_is_delivered():
    session = connected()
    packet_id, _ = session.subscribe(("t",), 0)
    events = session.feed(b"\x90\x03" + packet_id.to_bytes(2, "big") + b"\x00")
    assert events == [mqtt_session.Subscribed(packet_id, ())]
    assert session.feed(mqtt.encode_publish("t", b"x", is_retained=True)) == [
        mqtt_session.Message("t", b"x", True)
    ]


def test_a_message_of_another_topic_is_dropped_and_counted():
    session = connected()
    assert session.feed(mqtt.encode_publish("other", b"x")) == []
    assert session.stray_total == 1


def test_a_flood_of_other_topics_ends_the_connection():
    session = connected()
    packet = mqtt.encode_publish("other", b"x")
    for _ in range(limits.MQTT_STRAY_MESSAGES):
        session.feed(packet)
    refused(ProtocolError, session.feed, packet)


def test_an_unsubscribed_topic_is_dropped_at_once():
    session = connected()
    session.subscribe(("t",), 0)
    session.unsubscribe(("t",))
    assert session.feed(mqtt.encode_publish("t", b"x")) == []


def test_a_denied_subscription_is_reported():
    session = connected()
    packet_id, _ = session.subscribe(("a", "b"), 0)
    events = session.feed(b"\x90\x04" + packet_id.to_bytes(2, "big") + b"\x00\x80")
    assert events == [mqtt_session.Subscribed(packet_id, ("b",))]
    assert session.feed(mqtt.encode_publish("b", b"x")) == []


def test_suback_of_another_length_is_refused():
    session = connected()
    packet_id, _ = session.subscribe(("a", "b"), 0)
    refused(ProtocolError, session.feed, b"\x90\x03" + packet_id.to_bytes(2, "big") + b"\x00")


def test_a_qos_1_message_is_acknowledged():
    session = connected()
    session.subscribe(("t",), 1)
    session.feed(mqtt.encode_publish("t", b"x", packet_id=7))
    assert session.output == b"\x40\x02\x00\x07"


def test_a_qos_above_the_one_asked_for_is_refused():
    session = connected()
    session.subscribe(("t",), 0)
    refused(ProtocolError, session.feed, mqtt.encode_publish("t", b"x", packet_id=7))


def test_an_acknowledgement_without_a_request_is_refused():
    for data in (b"\x40\x02\x00\x05", b"\x90\x03\x00\x05\x00", b"\xb0\x02\x00\x05", b"\xd0\x00"):
        refused(ProtocolError, connected().feed, data)


def test_an_acknowledgement_of_the_wrong_kind_is_refused():
    session = connected()
    packet_id, _ = session.publish("t", b"x")
    refused(ProtocolError, session.feed, b"\xb0\x02" + packet_id.to_bytes(2, "big"))


def test_a_publish_is_open_until_it_is_acknowledged():
    session = connected()
    packet_id, _ = session.publish("t", b"x")
    assert session.is_open(packet_id)
    assert session.feed(b"\x40\x02" + packet_id.to_bytes(2, "big")) == [mqtt_session.Acknowledged(packet_id)]
    assert not session.is_open(packet_id)


def test_a_packet_id_in_use_is_not_given_again():
    session = connected()
    first, _ = session.publish("t", b"x")
    session._last_id = first - 1
    second, _ = session.publish("t", b"x")
    assert second != first


def test_unanswered_requests_are_bounded():
    session = connected()
    for _ in range(limits.MQTT_OPEN_REQUESTS):
        session.publish("t", b"x")
    refused(ProtocolError, session.publish, "t", b"x")


def test_wildcards_are_never_subscribed_to():
    for topic in ("#", "a/+", ""):
        refused(ProtocolError, connected().subscribe, (topic,), 0)
