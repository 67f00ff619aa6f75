"""CoapSource against a small test server: protection, Echo, losses, and reservation of sequence numbers."""

import asyncio

from device import limits
from device.crypto import backend
from device.errors import (
    FirstbootError,
    LimitError,
    LinkError,
    LinkTimeoutError,
    PeerRefusedError,
    ProtocolError,
)
from device.net import coap, oscore
from device.net.sender_sequence import SenderSequence
from device.transport.coap import CoapPeer, CoapSource

CLASS_ID = b"\x01" * 16
CREDENTIALS = oscore.Credentials(b"s" * 16, b"t" * 8, b"device!", b"fb")
CONTEXT = oscore.derive(*CREDENTIALS)


class Clock:
    def __init__(self):
        self.now_ms = 0

    def ticks_ms(self):
        return self.now_ms

    def ticks_diff(self, later, earlier):
        return later - earlier


class Entropy:
    """Counts up: two tokens are never the same."""

    def __init__(self):
        self.count = 0

    def random_bytes(self, length):
        self.count += 1
        return self.count.to_bytes(length, "big") if length > 1 else b"\x00"


class Server:
    """Network and Datagram of a source: decrypts each request, calls `answer`, protects the result."""

    def __init__(self, answer):
        self.clock = Clock()
        self.answer = answer
        self.requests = []  # inner (code, path, options, payload)
        self.numbers = []  # sequence numbers seen
        self.out = []
        self.is_closed = False
        self.to_lose = 0

    async def open_udp(self, host, port):
        assert (host, port) == ("host", 5683)
        return self

    async def send(self, data):
        if self.to_lose:
            self.to_lose -= 1
            return
        outer = coap.decode(data)
        value = oscore.decode_option(coap.find_option(outer, coap.OSCORE))
        self.numbers.append(int.from_bytes(value.partial_iv, "big"))
        nonce = oscore.nonce(CONTEXT.common_iv, value.kid, value.partial_iv)
        aad = oscore.additional_data(value.kid, value.partial_iv)
        plain = backend.aes_ccm_decrypt(CONTEXT.sender_key, nonce, aad, outer.payload, 8)
        options, payload = coap.decode_options(plain, 1)
        path = "/".join([item.decode() for number, item in options if number == coap.URI_PATH])
        self.requests.append((plain[0], path, options, payload))
        reply = self.answer(self.requests[-1])
        if reply is None:
            return
        inner = bytes((reply[0],)) + coap.encode_options(reply[1])
        if reply[2]:
            inner += b"\xff" + reply[2]
        sealed = backend.aes_ccm_encrypt(CONTEXT.recipient_key, nonce, aad, inner, 8)
        message = coap.Message(
            coap.ACK, coap.CHANGED, outer.message_id, outer.token, ((coap.OSCORE, b""),), sealed
        )
        self.out.append(coap.encode(message))

    async def receive(self, timeout_ms):
        if self.out:
            return self.out.pop(0)
        self.clock.now_ms += timeout_ms
        return None

    def close(self):
        self.is_closed = True


def run(server, work, reserved=None):
    """Open a source, run `work(source)`, close it."""
    sequence = SenderSequence(0, (reserved if reserved is not None else []).append)

    async def all_of_it():
        source = CoapSource(
            server,
            server.clock,
            Entropy(),
            CoapPeer("host", 5683),
            CLASS_ID,
            credentials=CREDENTIALS,
            sequence=sequence,
        )
        await source.open()
        try:
            return await work(source)
        finally:
            await source.close()

    return asyncio.run(all_of_it())


def refused(error, server, work):
    """Return the error that `work` raises; it must be of that class."""
    try:
        run(server, work)
    except FirstbootError as seen:
        assert isinstance(seen, error), seen
        return seen
    raise AssertionError("not refused")


def always(code, options=(), payload=b""):
    return Server(lambda request: (code, options, payload))


def body(data, size=None):
    """Return a server of one resource in blocks of 1024."""

    def answer(request):
        asked = coap.decode_block(coap.find_option(coap.Message(0, 0, 0, b"", request[2], b""), coap.BLOCK2))
        start = asked.number * asked.size
        is_more = start + asked.size < len(data)
        options = (
            (coap.ETAG, b"etag"),
            (coap.BLOCK2, coap.encode_block(asked.number, is_more, asked.size)),
            (coap.SIZE2, coap.encode_uint(len(data) if size is None else size)),
        )
        return (coap.CONTENT, options, data[start : start + asked.size])

    return Server(answer)


def test_the_envelope_is_read_block_by_block_from_its_resource():
    data = bytes(range(256)) * 10
    server = body(data)
    assert run(server, lambda source: source.envelope()) == data
    assert [request[:2] for request in server.requests] == [(coap.GET, "fb/" + "01" * 16 + "/manifest")] * 3
    assert server.is_closed


def test_a_missing_record_gives_none_and_a_missing_object_is_refused():
    assert run(always(coap.NOT_FOUND), lambda source: source.support()) is None
    refused(PeerRefusedError, always(coap.NOT_FOUND), lambda source: source.object(bytes(32), 32))


def test_a_body_above_its_bound_is_refused():
    refused(LimitError, body(bytes(limits.RECORD_BYTES + 1)), lambda source: source.support())
    refused(LimitError, body(bytes(limits.ENVELOPE_BYTES + 1)), lambda source: source.envelope())


def test_an_object_of_another_size_is_refused():
    refused(ProtocolError, body(bytes(64)), lambda source: source.object(bytes(32), 32))


def test_a_chunk_is_read_from_its_own_block_on():
    data = bytes(index >> 8 & 255 for index in range(10000))

    async def work(source):
        source.plan(bytes(32), 10000, [], [2, 1])
        return bytes(await source.chunk(2)) + bytes(await source.chunk(1))

    server = body(data)
    assert run(server, work) == data[8192:] + data[4096:8192]
    assert len(server.requests) == 6


def test_every_chunk_is_read_into_the_same_buffer():
    data = bytes(range(250)) * 40

    async def work(source):
        source.plan(bytes(32), len(data), [], [0, 2])
        first = await source.chunk(0)
        assert first == data[:4096]
        last = await source.chunk(2)
        assert bytes(last) == data[8192:]
        return bytes(first[: len(last)]) == bytes(last)

    assert run(body(data), work)


def test_without_a_plan_there_is_no_chunk():
    refused(LinkError, body(b""), lambda source: source.chunk(0))


def test_a_payload_that_changes_between_chunks_is_refused():
    server = body(bytes(8192))

    async def work(source):
        source.plan(bytes(32), 8192, [], [0, 1])
        await source.chunk(0)
        inner = server.answer
        server.answer = lambda request: (
            coap.CONTENT,
            ((coap.ETAG, b"other"),) + inner(request)[1][1:],
            bytes(1024),
        )
        await source.chunk(1)

    refused(ProtocolError, server, work)


def test_an_echo_challenge_is_answered_with_a_new_number():
    def answer(request):
        echo = [value for number, value in request[2] if number == coap.ECHO]
        if echo == [b"challenge"]:
            return (coap.CHANGED, (), b"record")
        return (coap.UNAUTHORIZED, ((coap.ECHO, b"challenge"),), b"")

    server = Server(answer)
    assert run(server, lambda source: source.freshness(b"request")) == b"record"
    assert server.numbers == [0, 1]
    assert server.requests[1][3] == b"request"


def test_a_server_that_challenges_for_ever_is_refused():
    server = always(coap.UNAUTHORIZED, ((coap.ECHO, b"challenge"),))
    refused(PeerRefusedError, server, lambda source: source.report(b""))
    assert len(server.requests) == 2


def test_an_unprotected_answer_is_a_refusal_and_never_content():
    server = Server(lambda request: None)
    send = server.send

    async def send_plain(data):
        await send(data)
        outer = coap.decode(data)
        plain = coap.Message(coap.ACK, coap.CHANGED, outer.message_id, outer.token, (), b"forged")
        server.out.append(coap.encode(plain))

    server.send = send_plain
    error = refused(PeerRefusedError, server, lambda source: source.freshness(b"request"))
    assert error.fields["status"] == "2.04 unprotected"


class Moved(Server):
    """Loses the answer to `lost` of its requests; a number that comes again gets an unprotected 4.01 (RFC 8613 8.2)."""

    def __init__(self, answer, lost):
        Server.__init__(self, answer)
        self.lost = lost

    async def send(self, data):
        before = list(self.numbers)
        await Server.send(self, data)
        if self.numbers[-1] in before:
            outer = coap.decode(data)
            refusal = coap.Message(coap.ACK, coap.UNAUTHORIZED, outer.message_id, outer.token, (), b"Replay")
            self.out = [coap.encode(refusal)]
        elif len(set(self.numbers)) in self.lost:
            self.out = []


def test_an_answer_that_was_lost_while_the_port_changed_costs_one_new_request():
    server = Moved(lambda request: (coap.CONTENT, (), b"envelope"), lost=(1,))
    assert run(server, lambda source: source.envelope()) == b"envelope"
    assert server.numbers == [0, 0, 1]


def test_a_second_4_01_ends_the_request():
    server = Moved(lambda request: (coap.CONTENT, (), b"envelope"), lost=(1, 2))
    error = refused(PeerRefusedError, server, lambda source: source.envelope())
    assert error.fields["status"] == "4.01 unprotected"
    assert server.numbers == [0, 0, 1, 1]


def test_a_post_takes_2_04_in_one_block_only():
    refused(PeerRefusedError, always(coap.CONTENT), lambda source: source.report(b""))
    block = ((coap.BLOCK2, coap.encode_block(0, True, 1024)),)
    refused(ProtocolError, always(coap.CHANGED, block, bytes(1024)), lambda source: source.freshness(b""))
    refused(ProtocolError, always(coap.CHANGED, ((2051, b""),)), lambda source: source.report(b""))


def test_a_lost_request_is_sent_again_under_its_number():
    server = always(coap.CHANGED, (), b"record")
    server.to_lose = 2
    assert run(server, lambda source: source.freshness(b"request")) == b"record"
    assert server.numbers == [0]


def test_a_silent_server_is_a_timeout():
    server = Server(lambda request: None)
    refused(LinkTimeoutError, server, lambda source: source.report(b""))
    assert server.numbers == [0] * 5


def test_an_undeliverable_datagram_counts_as_lost():
    server = always(coap.CHANGED, (), b"record")
    send = server.send
    fails = [True, True]

    async def send_or_fail(data):
        if fails:
            fails.pop()
            raise LinkError(reason="unreachable")
        await send(data)

    server.send = send_or_fail
    assert run(server, lambda source: source.freshness(b"request")) == b"record"


def test_a_number_is_reserved_before_its_request_is_sent():
    reserved = []
    server = Server(lambda request: (coap.CHANGED, (), bytes((len(reserved),))))
    assert run(server, lambda source: source.freshness(b""), reserved) == b"\x01"


def test_nothing_is_sent_if_the_reservation_fails():
    server = always(coap.CHANGED)

    def fail(upto):
        raise ProtocolError(reason="flash")

    async def work():
        source = CoapSource(
            server,
            server.clock,
            Entropy(),
            CoapPeer("host", 5683),
            CLASS_ID,
            credentials=CREDENTIALS,
            sequence=SenderSequence(0, fail),
        )
        await source.open()
        try:
            await source.report(b"")
        except ProtocolError:
            return len(server.requests)

    assert asyncio.run(work()) == 0


def test_a_closed_source_sends_nothing():
    server = always(coap.CHANGED)

    async def work(source):
        await source.close()
        await source.report(b"")

    refused(LinkError, server, work)
    assert server.requests == []
