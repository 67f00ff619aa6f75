"""Multicast DNS under any packet: a typed refusal or an answer about the one name, and never a lost or foreign name."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from device.errors import DnsError
from device.net import mdns

NAME = "fb-1a2b3c4d"
OWN = bytes([192, 0, 2, 7])
LABELS = st.sampled_from(
    (NAME.encode(), NAME.upper().encode(), b"fb-other", b"local", b"LOCAL", b"_https", b"")
)
NUMBERS = st.sampled_from((1, 2, 12, 28, 33, 47, 255, 0x8001, 0x80FF))


def named() -> mdns.Responder:
    responder = mdns.Responder(NAME, lambda: 0, 0)
    responder.set_address(OWN, 0)
    for now_ms in range(0, 3001, 250):
        responder.tick(now_ms)
    assert responder.name == NAME + ".local"
    return responder


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    """Return packets that look like DNS: names of ours and of others, pointers, counts that may be wrong."""
    counts = [draw(st.integers(0, 3)) for _ in range(4)]
    data = draw(st.binary(min_size=2, max_size=2)) + draw(
        st.sampled_from((b"\0\0", b"\x84\0", b"\x02\0", b"\x80\3"))
    )
    data += b"".join(count.to_bytes(2, "big") for count in counts)
    for at in range(sum(counts)):
        for label in draw(st.lists(LABELS, max_size=4)):
            data += bytes([len(label)]) + label if label else b"\xc0" + bytes([draw(st.integers(0, 60))])
        data += b"\0" + draw(NUMBERS).to_bytes(2, "big") + draw(NUMBERS).to_bytes(2, "big")
        if at >= counts[0]:
            body = draw(st.sampled_from((OWN, bytes(4), bytes(16), b"")))
            data += (
                bytes(2) + draw(st.integers(0, 200)).to_bytes(2, "big") + len(body).to_bytes(2, "big") + body
            )
    return data[: draw(st.integers(len(data) - 3, len(data)))] + draw(st.binary(max_size=4))


SOURCES = st.sampled_from((None, ("192.0.2.1", 5353), ("192.0.2.1", 40000)))


@given(st.lists(st.tuples(st.one_of(packets(), st.binary(max_size=80)), SOURCES), max_size=6))
def test_any_packets_get_an_answer_about_the_one_name_or_a_typed_refusal(
    heard: list[tuple[bytes, tuple[str, int] | None]],
) -> None:
    responder, now_ms = named(), 5000
    for data, source in heard:
        now_ms += 1001
        sent: list[tuple[bytes, object]] = []
        with contextlib.suppress(DnsError):
            sent = responder.receive(data, source, now_ms)
        assert len(sent) <= 1
        for answer, to in sent:
            found = mdns.decode(answer)
            assert found.is_response and to in (None, source)
            assert len(answer) <= 160, "no amplifier"
            assert {one.name for one in (*found.questions, *found.answers)} == {NAME + ".local"}
            assert all(one.data == OWN for one in found.answers)
        for probe, _ in responder.tick(now_ms):
            assert not mdns.decode(probe).answers or responder.name
        assert responder.name in ("", NAME + ".local"), "a certain name is probed for before it is given up"


@given(st.binary(max_size=300), st.integers(0, 5))
def test_decoding_reads_only_a_bounded_part(tail: bytes, count: int) -> None:
    data = bytes(4) + count.to_bytes(2, "big") + bytes(6) + tail
    with contextlib.suppress(DnsError):
        found = mdns.decode(data)
        assert len(found.questions) <= count
        assert all(len(one.name) <= 255 for one in found.questions)
