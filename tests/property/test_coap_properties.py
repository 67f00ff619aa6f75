"""CoAP codec and block transfer: round trips, typed errors for any bytes, and agreement with aiocoap."""

from __future__ import annotations

import aiocoap
from aiocoap.message import Direction
from hypothesis import given
from hypothesis import strategies as st

from device import limits
from device.errors import LimitError, LinkError, ProtocolError
from device.net import coap

OPTIONS = st.lists(
    st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40) | st.binary(min_size=250, max_size=290)),
    max_size=4,
).map(lambda options: tuple(sorted(options, key=lambda option: option[0])))
MESSAGES = st.builds(
    coap.Message,
    st.integers(0, 3),
    st.sampled_from([coap.GET, coap.POST, coap.CHANGED, coap.CONTENT, coap.NOT_FOUND, 0xA0]),
    st.integers(0, 0xFFFF),
    st.binary(max_size=8),
    OPTIONS,
    st.binary(max_size=60),
)


@given(MESSAGES)
def test_a_message_is_read_back_as_it_was_written(message: coap.Message) -> None:
    try:
        data = coap.encode(message)
    except LimitError:
        return
    assert coap.decode(data) == message


@given(st.binary(max_size=limits.COAP_MESSAGE_BYTES + 10))
def test_any_datagram_gives_a_message_or_a_typed_error(data: bytes) -> None:
    try:
        message = coap.decode(data)
    except (ProtocolError, LimitError):
        return
    assert coap.decode(coap.encode(message)) == message


@given(MESSAGES, st.integers(0, 2000), st.integers(0, 255))
def test_a_damaged_datagram_gives_a_message_or_a_typed_error(
    message: coap.Message, place: int, value: int
) -> None:
    try:
        data = bytearray(coap.encode(message))
        data[place % len(data)] = value
        coap.decode(bytes(data))
    except (ProtocolError, LimitError):
        pass


@given(
    st.lists(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20), max_size=4),
    st.integers(0, (1 << 20) - 1),
    st.integers(0, 6),
    st.booleans(),
    st.binary(min_size=1, max_size=50),
)
def test_aiocoap_reads_what_we_write(
    path: list[str], number: int, exponent: int, is_more: bool, payload: bytes
) -> None:
    options = [(coap.URI_PATH, part.encode()) for part in path]
    options.append((coap.BLOCK2, coap.encode_block(number, is_more, 16 << exponent)))
    data = coap.encode(coap.Message(coap.CON, coap.GET, 7, b"tok", tuple(options), payload))
    seen = aiocoap.Message.decode(data)
    assert seen.opt.uri_path == tuple(path)
    assert tuple(seen.opt.block2) == (number, is_more, exponent)
    assert (seen.mid, seen.token, seen.payload) == (7, b"tok", payload)


@given(st.binary(max_size=50), st.binary(min_size=1, max_size=8), st.integers(0, 0xFFFFFFFF))
def test_we_read_what_aiocoap_writes(payload: bytes, etag: bytes, size: int) -> None:
    message = aiocoap.Message(code=aiocoap.CONTENT, payload=payload, etag=etag, size2=size)
    message.mtype, message.mid, message.token = aiocoap.ACK, 9, b"t"
    assert message.direction is Direction.OUTGOING
    seen = coap.decode(message.encode())
    coap.check_options(seen.options, coap.RESPONSE_OPTIONS)
    assert (seen.code, seen.payload) == (coap.CONTENT, payload)
    assert coap.find_option(seen, coap.ETAG) == etag
    assert int.from_bytes(coap.find_option(seen, coap.SIZE2) or b"", "big") == size


@given(
    st.integers(0, 20_000),
    st.integers(0, 4),
    st.integers(0, 20_000),
    st.lists(st.sampled_from([16, 64, 256, 512, 1024]), min_size=1, max_size=3),
)
def test_a_transfer_gives_the_bytes_asked_for_whatever_block_sizes_the_server_likes(
    size: int, first: int, length: int, sizes: list[int]
) -> None:
    body = bytes(index * 7 % 251 for index in range(size))
    start = min(first * 4096, size // 1024 * 1024)
    transfer = coap.start_transfer(start, start + length)
    got, is_more = b"", True
    while is_more:
        asked = coap.decode_block(coap.next_block(transfer)[1])
        offset = asked.number * asked.size
        block_bytes = min(asked.size, sizes[min(len(got) // 2048, len(sizes) - 1)])
        more = offset + block_bytes < size
        value = coap.encode_block(offset // block_bytes, more, block_bytes)
        options = ((coap.ETAG, b"e"), (coap.BLOCK2, value), (coap.SIZE2, coap.encode_uint(size)))
        answer = coap.Message(coap.ACK, coap.CONTENT, 0, b"", options, body[offset : offset + block_bytes])
        transfer, data, is_more = coap.accept_block(transfer, answer)
        got += data
    assert got[:length] == body[start : start + length]
    assert len(got) < length + 1024 + 1


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.none() | st.binary(max_size=30)), max_size=30),
    st.integers(0, 255),
)
def test_an_exchange_ends_in_bounded_time_whatever_arrives(
    arrivals: list[tuple[int, bytes | None]], jitter: int
) -> None:
    exchange = coap.exchange(coap.Message(coap.CON, coap.GET, 1, b"t", (), b""), jitter)
    elapsed_ms = 0
    pending = list(arrivals)
    try:
        effect = next(exchange)
        while True:
            if isinstance(effect, coap.Send):
                effect = exchange.send((0, None))
                continue
            wait_ms, datagram = pending.pop(0) if pending else (effect.timeout_ms, None)
            wait_ms = effect.timeout_ms if datagram is None else min(wait_ms, effect.timeout_ms)
            elapsed_ms += wait_ms
            effect = exchange.send((wait_ms, datagram))
    except (StopIteration, LinkError):
        pass
    # RFC 7252 4.8.2: MAX_TRANSMIT_WAIT, and a separate response after it.
    assert elapsed_ms <= 93_000 + limits.REPLY_TIMEOUT_S * 1000
