"""Congestion limits of RFC 7252 4.7 and 4.8 in a whole source, and transfers that make no progress."""

import test_coap_source as base

from device import limits
from device.errors import LinkError, LinkTimeoutError, ProtocolError
from device.net import coap, probing


class Wire(base.Server):
    """A server that records the time of each datagram. With `acknowledges` it acknowledges and never answers."""

    def __init__(self, answer, acknowledges=False):
        base.Server.__init__(self, answer)
        self.acknowledges = acknowledges
        self.sent = []  # (ms, message id, bytes)

    async def send(self, data):
        outer = coap.decode(data)
        self.sent.append((self.clock.now_ms, outer.message_id, len(data)))
        if self.acknowledges:
            self.out.append(coap.encode(coap.Message(coap.ACK, coap.EMPTY, outer.message_id, b"", (), b"")))
            return
        await base.Server.send(self, data)


def answering(request):
    return (coap.CHANGED, (), b"record")


def silent(request):
    return None


async def ask(source):
    """Return the error of one request, None if it is answered."""
    try:
        await source.freshness(b"request")
    except LinkError as error:
        return error
    return None


def test_the_parameters_are_those_of_rfc_7252():
    """4.8: with one byte of jitter ACK_TIMEOUT lies between 2 and 3 s, ACK_RANDOM_FACTOR 1.5."""
    assert (coap.ACK_TIMEOUT_MS, coap.ACK_RANDOM_PERCENT, coap.MAX_RETRANSMIT) == (2000, 50, 4)
    assert probing.PROBING_RATE == 1


def test_a_silent_server_is_sent_five_datagrams_in_doubled_steps_and_waited_for():
    wire = Wire(silent)

    async def work(source):
        return await ask(source)

    error = base.run(wire, work)
    assert isinstance(error, LinkTimeoutError)
    assert [at for at, _, _ in wire.sent] == [0, 2000, 6000, 14000, 30000]
    assert wire.clock.now_ms == 62000, "MAX_TRANSMIT_WAIT, 4.8.2, at the least jitter"
    assert len(set([message_id for _, message_id, _ in wire.sent])) == 1


def test_one_request_is_under_way_at_a_time():
    """NSTART 1: a new message id comes only after the answer to the one before."""
    wire = Wire(answering)
    open_ids = []

    async def receive(timeout_ms):
        data = await base.Server.receive(wire, timeout_ms)
        if data is not None:
            open_ids.remove(coap.decode(data).message_id)
        return data

    async def send(data):
        message_id = coap.decode(data).message_id
        if message_id not in open_ids:
            open_ids.append(message_id)
        assert len(open_ids) == 1
        await Wire.send(wire, data)

    wire.receive, wire.send = receive, send

    async def work(source):
        for _ in range(5):
            assert await ask(source) is None

    base.run(wire, work)
    assert len(wire.sent) == 5


def test_a_server_that_acknowledges_and_never_answers_is_probed_at_one_byte_a_second():
    wire = Wire(silent, acknowledges=True)

    async def work(source):
        for _ in range(400):
            assert isinstance(await ask(source), LinkTimeoutError)
            wire.clock.now_ms += 5000
            await source.open()  # the next check, over the same source

    base.run(wire, work)
    total = sum([size for _, _, size in wire.sent])
    assert len(wire.sent) > 2
    assert (total - wire.sent[-1][2]) * 1000 <= probing.PROBING_RATE * wire.sent[-1][0]


def test_a_request_that_must_wait_costs_no_sequence_number_and_no_time():
    wire = Wire(silent, acknowledges=True)

    async def work(source):
        await ask(source)
        before = wire.clock.now_ms
        error = await ask(source)
        assert (wire.clock.now_ms, len(wire.sent)) == (before, 1)
        return error

    error = base.run(wire, work)
    assert error.fields["wait_s"] == wire.sent[0][2] - limits.REPLY_TIMEOUT_S
    assert error.code == LinkTimeoutError.code


def test_a_server_that_answers_again_is_asked_as_before():
    wire = Wire(answering, acknowledges=True)

    async def work(source):
        assert await ask(source) is not None
        wire.acknowledges = False
        wire.clock.now_ms += 300000
        assert await ask(source) is None
        assert await ask(source) is None

    base.run(wire, work)


def blocks_of(size, etag=b"etag", total=4096):
    """Return a server of a payload of zeros in blocks of `size` bytes; `etag` may be a function of the start."""

    def answer(request):
        message = coap.Message(0, 0, 0, b"", request[2], b"")
        asked = coap.decode_block(coap.find_option(message, coap.BLOCK2))
        start = asked.number * asked.size
        options = (
            (coap.ETAG, etag(start) if callable(etag) else etag),
            (coap.BLOCK2, coap.encode_block(start // size, start + size < total, size)),
            (coap.SIZE2, coap.encode_uint(total)),
        )
        return (coap.CONTENT, options, bytes(min(size, total - start)))

    return Wire(answer)


def chunk(source):
    source.plan(bytes(32), 4096, (), (0,))
    return source.chunk(0)


def test_the_smallest_blocks_end_in_as_many_requests_as_there_are():
    wire = blocks_of(16)
    assert len(base.run(wire, chunk)) == 4096
    assert len(wire.sent) == limits.CHUNK_BYTES // 16


def test_blocks_without_content_are_refused_at_the_first():
    """An empty block with the flag "more" would never end a transfer."""
    wire = Wire(lambda request: (coap.CONTENT, ((coap.BLOCK2, coap.encode_block(0, True, 1024)),), b""))
    base.refused(ProtocolError, wire, chunk)
    assert len(wire.sent) == 1


def test_the_same_block_again_and_again_is_refused():
    block = ((coap.BLOCK2, coap.encode_block(0, True, 1024)),)
    wire = Wire(lambda request: (coap.CONTENT, block, bytes(1024)))
    base.refused(ProtocolError, wire, chunk)
    assert len(wire.sent) == 2


def test_a_payload_replaced_in_the_middle_ends_the_transfer():
    wire = blocks_of(1024, etag=lambda start: b"old" if start < 2048 else b"new")
    error = base.refused(ProtocolError, wire, chunk)
    assert error.fields["reason"] == "ETag changed"


def test_a_size_that_is_not_the_manifests_ends_the_transfer():
    error = base.refused(ProtocolError, blocks_of(1024, total=5000), chunk)
    assert error.fields["reason"] == "Size2 changed"


def test_a_server_that_stops_in_the_middle_of_a_payload_ends_it_in_a_timeout():
    wire = blocks_of(1024)
    whole = wire.answer
    wire.answer = lambda request: whole(request) if len(wire.requests) < 3 else None
    base.refused(LinkTimeoutError, wire, chunk)
    assert len(wire.sent) == 2 + 5
