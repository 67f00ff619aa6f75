"""CoAP client core: the same file runs on CPython and on the board."""

from device import limits
from device.errors import FirstbootError, LimitError, LinkTimeoutError, PeerRefusedError, ProtocolError
from device.net import coap

REQUEST = coap.Message(coap.CON, coap.GET, 0x7D34, b"tk", ((coap.URI_PATH, b"temperature"),), b"")


def refused(error, call, *arguments):
    """Return the error that `call` raises; it must be of that class."""
    try:
        call(*arguments)
    except FirstbootError as seen:
        assert isinstance(seen, error), seen
        return seen
    raise AssertionError("not refused")


def response(
    mtype=coap.ACK, code=coap.CONTENT, message_id=0x7D34, token=b"tk", options=(), payload=b"22.3 C"
):
    return coap.encode(coap.Message(mtype, code, message_id, token, options, payload))


def block(number, is_more, payload, size=1024, options=()):
    every = list(options)
    every.append((coap.BLOCK2, coap.encode_block(number, is_more, size)))
    return coap.Message(coap.ACK, coap.CONTENT, 1, b"", tuple(sorted(every)), payload)


def run(exchange, answers):
    """Drive an exchange; return (sent datagrams, waits, result). `answers` as Receive expects them."""
    sent, waited = [], []
    answers = list(answers)
    effect = next(exchange)
    try:
        while True:
            if isinstance(effect, coap.Send):
                sent.append(effect.data)
                effect = exchange.send(None)
            else:
                waited.append(effect.timeout_ms)
                effect = exchange.send(answers.pop(0) if answers else (effect.timeout_ms, None))
    except StopIteration as stop:
        return sent, waited, stop.value


def test_a_request_is_the_datagram_of_rfc_7252_appendix_a():
    message = coap.Message(coap.CON, coap.GET, 0x7D34, b"", ((coap.URI_PATH, b"temperature"),), b"")
    assert coap.encode(message) == b"\x40\x01\x7d\x34\xbbtemperature"


def test_a_response_of_rfc_7252_appendix_a_is_read():
    message = coap.decode(b"\x60\x45\x7d\x34\xff22.3 C")
    assert message == coap.Message(coap.ACK, coap.CONTENT, 0x7D34, b"", (), b"22.3 C")


def test_long_options_survive_a_round_trip():
    options = ((3, b"h" * 12), (11, b"p" * 13), (11, b"q" * 268), (300, b"r" * 269), (9000, b""))
    message = coap.Message(coap.NON, coap.POST, 1, b"12345678", options, b"x")
    assert coap.decode(coap.encode(message)) == message


def test_malformed_datagrams_are_refused():
    for data in (
        b"",
        b"\x40\x01\x00",
        b"\x00\x01\x00\x00",  # version 0
        b"\x80\x01\x00\x00",  # version 2
        b"\x49\x01\x00\x00123456789",  # token of 9 bytes
        b"\x42\x01\x00\x001",  # token cut short
        b"\x40\x00\x00\x00\xff1",  # empty message with a payload
        b"\x41\x00\x00\x001",
        b"\x40\x20\x00\x00",  # class 1
        b"\x40\xc0\x00\x00",  # class 6
        b"\x40\x45\x00\x00\xff",  # marker without payload
        b"\x40\x45\x00\x00\xf0",  # delta nibble 15
        b"\x40\x45\x00\x00\x0f",  # length nibble 15
        b"\x40\x45\x00\x00\xd0",  # extended delta missing
        b"\x40\x45\x00\x00\x0e\x00",
        b"\x40\x45\x00\x00\x12a",  # value cut short
        b"\x40\x45\x00\x00\xe0\xff\xff",  # option number above 65535
    ):
        refused(ProtocolError, coap.decode, data)


def test_a_datagram_above_the_bound_is_refused():
    refused(LimitError, coap.decode, b"\x40\x45\x00\x00\xff" + bytes(limits.COAP_MESSAGE_BYTES))


def test_too_many_options_are_refused():
    refused(LimitError, coap.decode, b"\x40\x45\x00\x00" + b"\x00" * (limits.COAP_OPTIONS + 1))


def test_options_out_of_order_are_not_encoded():
    refused(ProtocolError, coap.encode_options, ((11, b"a"), (3, b"b")))


def test_an_unknown_critical_option_is_refused_and_an_elective_one_is_not():
    coap.check_options(((2050, b"x"),), coap.RESPONSE_OPTIONS)
    refused(ProtocolError, coap.check_options, ((2051, b"x"),), coap.RESPONSE_OPTIONS)


def test_repeated_or_mis_sized_options_are_refused():
    for options in (((4, b"a"), (4, b"b")), ((4, b""),), ((23, b"1234"),), ((28, b"12345"),)):
        refused(ProtocolError, coap.check_options, options, coap.RESPONSE_OPTIONS)


def test_a_piggybacked_response_ends_the_exchange():
    sent, _, result = run(coap.exchange(REQUEST, 0), [(5, response())])
    assert sent == [coap.encode(REQUEST)]
    assert result.payload == b"22.3 C"


def test_a_lost_request_is_sent_again_with_doubled_waits():
    exchange = coap.exchange(REQUEST, 0)
    sent, waited, result = run(exchange, [(2000, None), (4000, None), (10, response())])
    assert len(sent) == 3
    assert waited == [2000, 4000, 8000]
    assert result.payload == b"22.3 C"


def test_jitter_lengthens_the_first_wait_by_half_at_most():
    assert run(coap.exchange(REQUEST, 255), [(1, response())])[1] == [3000]


def test_without_an_answer_the_exchange_ends_after_four_retransmissions():
    sent = []

    def drive():
        exchange = coap.exchange(REQUEST, 0)
        effect = next(exchange)
        while True:
            if isinstance(effect, coap.Send):
                sent.append(effect.data)
                effect = exchange.send(None)
            else:
                effect = exchange.send((effect.timeout_ms, None))

    refused(LinkTimeoutError, drive)
    assert len(sent) == 5


def test_a_separate_response_is_awaited_and_acknowledged():
    empty = coap.encode(coap.Message(coap.ACK, coap.EMPTY, 0x7D34, b"", (), b""))
    sent, waited, result = run(
        coap.exchange(REQUEST, 0), [(1, empty), (700, response(coap.CON, message_id=9))]
    )
    assert waited[1] == limits.REPLY_TIMEOUT_S * 1000
    assert sent[1] == b"\x60\x00\x00\x09"
    assert result.payload == b"22.3 C"


def test_a_reset_ends_the_exchange():
    reset = coap.encode(coap.Message(coap.RST, coap.EMPTY, 0x7D34, b"", (), b""))
    refused(PeerRefusedError, run, coap.exchange(REQUEST, 0), [(1, reset)])


def test_what_is_no_answer_is_ignored_and_costs_its_time():
    strange = (b"junk", response(message_id=1), response(token=b"no"), response(coap.CON, coap.GET))
    answers = [(100, data) for data in strange] + [(100, response())]
    _, waited, result = run(coap.exchange(REQUEST, 0), answers)
    assert waited == [2000, 1900, 1800, 1700, 1600]
    assert result.payload == b"22.3 C"


def test_block_option_values_are_those_of_rfc_7959():
    assert coap.encode_block(0, False, 64) == b"\x02"
    assert coap.encode_block(1, True, 128) == b"\x1b"
    assert coap.encode_block(0, False, 16) == b""
    assert coap.decode_block(b"\x1b") == coap.Block(1, True, 128)
    refused(ProtocolError, coap.decode_block, b"\x07")
    refused(ProtocolError, coap.encode_block, 0, False, 48)


def test_a_transfer_asks_for_block_after_block():
    transfer = coap.start_transfer(0, None)
    transfer, data, is_more = coap.accept_block(transfer, block(0, True, b"a" * 1024))
    assert data == b"a" * 1024 and is_more
    assert coap.next_block(transfer) == (coap.BLOCK2, coap.encode_block(1, False, 1024))
    transfer, data, is_more = coap.accept_block(transfer, block(1, False, b"b"))
    assert data == b"b" and not is_more


def test_a_transfer_can_start_at_a_later_block_and_end_before_the_last():
    transfer = coap.start_transfer(4096, 5120)
    assert coap.next_block(transfer) == (coap.BLOCK2, coap.encode_block(4, False, 1024))
    assert not coap.accept_block(transfer, block(4, True, b"a" * 1024))[2]


def test_a_smaller_block_size_of_the_server_is_taken_over():
    transfer, _, _ = coap.accept_block(coap.start_transfer(0, None), block(0, True, b"a" * 256, 256))
    assert coap.next_block(transfer) == (coap.BLOCK2, coap.encode_block(1, False, 256))


def test_a_whole_body_without_block2_is_taken():
    message = coap.Message(coap.ACK, coap.CONTENT, 1, b"", (), b"short")
    assert coap.accept_block(coap.start_transfer(0, None), message)[1:] == (b"short", False)


def test_wrong_blocks_are_refused():
    for message in (
        block(1, True, b"a" * 1024),  # not asked for
        block(0, True, b"a" * 1023),  # short, but more to come
        block(0, False, b"a" * 1025),
        coap.Message(coap.ACK, coap.CONTENT, 1, b"", (), b"a" * 1025),
        block(0, True, b"a" * 1024, options=((coap.SIZE2, b"\x04\x00"),)),  # more than Size2
        block(0, False, b"a" * 1024, options=((coap.SIZE2, b"\x04\x01"),)),  # less than Size2
    ):
        refused(ProtocolError, coap.accept_block, coap.start_transfer(0, None), message)


def test_a_block_larger_than_asked_for_is_refused():
    transfer, _, _ = coap.accept_block(coap.start_transfer(0, None), block(0, True, b"a" * 512, 512))
    transfer = coap.Transfer(0, None, 512, None, None)
    refused(ProtocolError, coap.accept_block, transfer, block(0, True, b"a" * 1024))


def test_another_etag_or_size_in_the_middle_is_refused():
    first = block(0, True, b"a" * 1024, options=((coap.ETAG, b"one"), (coap.SIZE2, b"\x08\x00")))
    transfer, _, _ = coap.accept_block(coap.start_transfer(0, None), first)
    for options in (
        ((coap.ETAG, b"two"), (coap.SIZE2, b"\x08\x00")),
        ((coap.SIZE2, b"\x08\x00"),),
        ((coap.ETAG, b"one"), (coap.SIZE2, b"\x08\x01")),
    ):
        refused(ProtocolError, coap.accept_block, transfer, block(1, False, b"a" * 1024, options=options))


def test_a_refusal_carries_its_code():
    message = coap.Message(coap.ACK, coap.NOT_FOUND, 1, b"", (), b"")
    error = refused(PeerRefusedError, coap.accept_block, coap.start_transfer(0, None), message)
    assert error.fields["status"] == "4.04"


def options_outcome(read, data, offset):
    try:
        return read(data, offset), None
    except FirstbootError as error:
        return None, error.describe()


def check_options_of(data):
    """Return whether both readers of options take `data`. They give the same options, or the same refusal."""
    expected = options_outcome(coap.read_options, data, 4)
    assert options_outcome(coap.decode_options, data, 4) == expected, data.hex()
    return expected[1] is None


def test_options_are_read_as_the_reference_reads_them_or_refused_for_the_same_reason():
    whole = b"\x40\x45\x00\x00\x41e\xd1\x06\x2e\x14\x00\x10\x00\x00\xd2\xd3ab\xe1\x01\x00z\xffpayload"
    assert check_options_of(whole) and check_options_of(bytearray(whole))
    taken = 0
    for at in range(4, len(whole)):
        check_options_of(whole[:at])
        for mark in (0x00, 0x01, 0x0D, 0x0F, 0x10, 0x41, 0xD0, 0xDE, 0xE0, 0xEE, 0xF0, 0xFF):
            damaged = bytearray(whole)
            damaged[at] = mark
            taken += check_options_of(bytes(damaged))
    assert 0 < taken < 12 * len(whole)
    for data in (
        b"\0\0\0\0" + b"\0" * 32,
        b"\0\0\0\0" + b"\0" * 33,
        b"\0\0\0\0\xe0\xfe\xf2",
        b"\0\0\0\0\xe0\xfe\xf3",
    ):
        check_options_of(data)
