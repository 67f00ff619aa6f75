"""Untrusted text: the same verdict on every interpreter, and limits that count bytes."""

from device.codec import cbor
from device.compat import clip_utf8, decode_utf8, encode_utf8, utf8_bytes
from device.errors import FirstbootError, ProtocolError, RequestError
from device.net import mqtt
from device.records.events import Events
from device.suit import report
from device.web import forms

SURROGATE = chr(0xD800)  # as a literal it could not be frozen into a firmware

# A surrogate, an overlong "/", a code point past U+10FFFF, a stray byte.
NOT_UTF8 = (b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\x80", b"a\xe2\x82")


def raises(error, function, *arguments):
    try:
        function(*arguments)
    except error:
        return
    raise AssertionError("accepted")


def test_what_is_not_utf8_is_refused():
    for data in NOT_UTF8:
        raises(ValueError, decode_utf8, data)
        raises(ValueError, decode_utf8, b"before " + data + b" after")


def test_text_of_every_length_comes_back():
    for text in ("", "a", "\u00e9", "\u20ac", "\U0001f4a1", "a\u00e9\u20ac\U0001f4a1"):
        data = encode_utf8(text)
        assert decode_utf8(data) == text
        assert utf8_bytes(text) == len(data)


def test_a_lone_surrogate_is_never_written():
    raises(ValueError, encode_utf8, SURROGATE)
    assert utf8_bytes(SURROGATE) == -1


def test_a_topic_that_is_not_utf8_ends_the_link():
    for data in NOT_UTF8:
        topic = b"fb/" + data
        packet = bytes([0x30, len(topic) + 2, 0, len(topic)]) + topic
        raises(ProtocolError, feed, packet)


def feed(packet):
    return list(mqtt.Parser().feed(packet))


def test_a_form_field_that_is_not_utf8_is_refused():
    for escaped in (b"a=%ED%A0%80", b"a=%C0%AF", b"a=%F4%90%80%80"):
        raises(RequestError, forms.parse, escaped, "application/x-www-form-urlencoded")


def test_clipping_counts_bytes_and_splits_no_character():
    assert clip_utf8("\U0001f4a1" * 50, 160) == "\U0001f4a1" * 40
    assert clip_utf8("a\u20acb", 3) == "a"
    assert clip_utf8("a" + SURROGATE + "b", 160) == "a?b"


class MemoryStore:
    def __init__(self):
        self.records = {}

    def read(self, name):
        return self.records.get(name)

    def write(self, name, data):
        self.records[name] = data


class ForeignTextError(FirstbootError):
    code = 2


def test_the_journal_keeps_an_event_with_any_text():
    store = MemoryStore()
    events = Events(store)
    for text in ("\U0001f4a1" * 500, "a" + SURROGATE):
        events.add(ForeignTextError(reason=text), None)
    assert [entry[2][:25] for entry in Events(store).entries] == [entry[2][:25] for entry in events.entries]
    for entry in cbor.decode(store.records["events"]):
        assert utf8_bytes(entry[2]) <= 160


def test_a_report_with_a_long_reference_in_emoji_fits_its_bound():
    # 120 characters of four bytes each made a report of 649 bytes where 512 are allowed.
    assert report.fitting_uri("\U0001f4a1" * 120) == ""
    assert report.fitting_uri("\U0001f4a1" * 30) == "\U0001f4a1" * 30
