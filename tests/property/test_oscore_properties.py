"""OSCORE client against aiocoap's implementation, numbers under power cuts, and any bytes from a peer."""

from __future__ import annotations

import aiocoap
from aiocoap import oscore as peer
from aiocoap.message import Direction
from hypothesis import given
from hypothesis import strategies as st

from device import limits
from device.codec import cbor
from device.errors import CodecError, LinkError, ProtocolError
from device.net import coap, oscore
from device.net.sender_sequence import SenderSequence

SECRET, SALT, DEVICE, SERVER = bytes(range(16)), bytes(8), b"device!", b"fb"
CONTEXT = oscore.derive(SECRET, SALT, DEVICE, SERVER)


class PeerContext(peer.CanProtect, peer.CanUnprotect, peer.SecurityContextUtils):  # type: ignore[misc]
    """The server's side in aiocoap."""

    echo_recovery = None

    def __init__(self) -> None:
        self.alg_aead = peer.algorithms["AES-CCM-16-64-128"]
        self.hashfun = peer.hashfunctions["sha256"]
        self.id_context = None
        self.sender_id, self.recipient_id = SERVER, DEVICE
        self.derive_keys(SALT, SECRET)
        self.recipient_replay_window = peer.ReplayWindow(32, lambda: None)
        self.recipient_replay_window.initialize_empty()
        self.sender_sequence_number = 0

    def post_seqnoincrease(self) -> None:
        pass


def as_peer_sees(message: coap.Message) -> aiocoap.Message:
    return aiocoap.Message.decode(coap.encode(message))


@given(
    st.lists(st.text("abc/%ü", min_size=1, max_size=12), max_size=3),
    st.binary(max_size=200),
    st.integers(0, (1 << 40) - 1),
    st.binary(max_size=200),
    st.booleans(),
)
def test_aiocoap_opens_our_requests_and_we_open_its_responses(
    path: list[str], payload: bytes, sequence: int, answer: bytes, has_own_number: bool
) -> None:
    options = tuple((coap.URI_PATH, part.encode()) for part in path)
    request = coap.Message(coap.CON, coap.POST, 5, b"tok", options, payload)
    outer, binding = oscore.protect(CONTEXT, request, sequence)
    server = PeerContext()
    inner, request_id = server.unprotect(as_peer_sees(outer))
    assert (inner.code, inner.opt.uri_path, inner.payload) == (aiocoap.POST, tuple(path), payload)

    if has_own_number:
        request_id.can_reuse_nonce = False
    response = aiocoap.Message(code=aiocoap.CONTENT, payload=answer, etag=b"e")
    sealed, _ = server.protect(response, request_id)
    assert sealed.direction is Direction.OUTGOING
    sealed.mtype, sealed.mid, sealed.token = aiocoap.ACK, 5, b"tok"
    opened = oscore.unprotect(CONTEXT, binding, coap.decode(sealed.encode()))
    assert opened is not None
    assert (opened.code, opened.payload) == (coap.CONTENT, answer)
    assert coap.find_option(opened, coap.ETAG) == b"e"
    other = oscore.Binding(binding.kid, coap.encode_uint((sequence + 1) % (1 << 40)) or b"\x00")
    try:
        oscore.unprotect(CONTEXT, other, coap.decode(sealed.encode()))
    except ProtocolError:
        return
    raise AssertionError("a response opened another request")


@given(st.binary(max_size=60), st.binary(max_size=20))
def test_any_payload_and_option_from_a_peer_is_refused(payload: bytes, value: bytes) -> None:
    response = coap.Message(coap.ACK, coap.CHANGED, 1, b"t", ((coap.OSCORE, value),), payload)
    try:
        oscore.unprotect(CONTEXT, oscore.Binding(DEVICE, b"\x01"), response)
    except (LinkError, CodecError):
        return
    raise AssertionError("opened")


@given(st.lists(st.sampled_from(["take", "cut", "cut while storing", "cut after storing"]), max_size=60))
def test_no_number_is_ever_given_twice_whatever_the_power_does(steps: list[str]) -> None:
    stored = [0]
    mood = [""]

    def reserve(upto: int) -> None:
        if mood[0] == "cut while storing":
            raise InterruptedError
        stored[0] = upto
        if mood[0] == "cut after storing":
            raise InterruptedError

    given_out: set[int] = set()
    sequence = SenderSequence(stored[0], reserve)
    for step in steps:
        if step == "cut":
            sequence = SenderSequence(stored[0], reserve)
            continue
        mood[0] = step
        try:
            number = sequence.take()
        except InterruptedError:
            sequence = SenderSequence(stored[0], reserve)
            continue
        assert number not in given_out
        assert number < stored[0]
        given_out.add(number)


@given(st.integers(0, (1 << 40) - 1), st.integers(1, 3 * limits.OSCORE_SEQUENCE_STEP))
def test_numbers_rise_by_one_and_are_always_reserved(first: int, count: int) -> None:
    reserved = [first]
    sequence = SenderSequence(first, reserved.append)
    for expected in range(first, min(first + count, 1 << 40)):
        assert sequence.take() == expected
        assert expected < reserved[-1]
    assert reserved == sorted(set(reserved))


@given(st.binary(max_size=7), st.binary(max_size=5))
def test_the_additional_data_is_the_cbor_of_its_structure(kid: bytes, partial_iv: bytes) -> None:
    external = cbor.encode([1, [oscore.ALGORITHM], kid, partial_iv, b""])
    assert oscore.additional_data(kid, partial_iv) == cbor.encode(["Encrypt0", b"", external])
