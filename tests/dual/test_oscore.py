"""OSCORE client: the vectors of RFC 8613 appendix C and the rules, on CPython and on the board."""

from binascii import unhexlify as h

from device import limits
from device.crypto import backend
from device.errors import FirstbootError, ProtocolError
from device.net import coap, oscore
from device.net.sender_sequence import SenderSequence

SECRET = h("0102030405060708090a0b0c0d0e0f10")
SALT = h("9e7ca92223786340")
ID_CONTEXT = h("37cbf3210017a2d3")

C4_REQUEST = h("44015d1f00003974396c6f63616c686f737483747631")
C7_RESPONSE = h("64445d1f0000397490ffdbaad1e9a7e7b2a813d3c31524378303cdafae119106")
C8_RESPONSE = h("64445d1f00003974920100ff4d4c13669384b67354b2b6175ff4b8658c666a6cf88e")


def refused(error, call, *arguments):
    """Return the error that `call` raises; it must be of that class."""
    try:
        call(*arguments)
    except FirstbootError as seen:
        assert isinstance(seen, error), seen
        return seen
    raise AssertionError("not refused")


def context_1():
    return oscore.derive(SECRET, SALT, b"", b"\x01")


def context_2():
    return oscore.derive(SECRET, b"", b"\x00", b"\x01")


def context_3():
    return oscore.derive(SECRET, SALT, b"", b"\x01", ID_CONTEXT)


def answer(context, binding, options=(), inner=b"\x45\xffok", option=b""):
    """Return a response of the server of `context`: inner message, and outer options beside OSCORE."""
    nonce = oscore.nonce(context.common_iv, binding.kid, binding.partial_iv)
    aad = oscore.additional_data(binding.kid, binding.partial_iv)
    payload = backend.aes_ccm_encrypt(context.recipient_key, nonce, aad, inner, 8)
    every = list(options)
    every.append((coap.OSCORE, option))
    return coap.Message(coap.ACK, coap.CHANGED, 1, b"t", tuple(sorted(every)), payload)


def request(context, sequence=20):
    return oscore.protect(context, coap.decode(C4_REQUEST), sequence)


def test_keys_with_salt_are_those_of_c_1():
    context = context_1()
    assert context.sender_key == h("f0910ed7295e6ad4b54fc793154302ff")
    assert context.recipient_key == h("ffb14e093c94c9cac9471648b4f98710")
    assert context.common_iv == h("4622d4dd6d944168eefb54987c")
    assert oscore.nonce(context.common_iv, b"", b"\x00") == h("4622d4dd6d944168eefb54987c")
    assert oscore.nonce(context.common_iv, b"\x01", b"\x00") == h("4722d4dd6d944169eefb54987c")


def test_keys_of_the_server_of_c_1_are_the_same_the_other_way_round():
    context = oscore.derive(SECRET, SALT, b"\x01", b"")
    assert context.sender_key == h("ffb14e093c94c9cac9471648b4f98710")
    assert context.recipient_key == h("f0910ed7295e6ad4b54fc793154302ff")


def test_keys_without_salt_are_those_of_c_2():
    context = context_2()
    assert context.sender_key == h("321b26943253c7ffb6003b0b64d74041")
    assert context.recipient_key == h("e57b5635815177cd679ab4bcec9d7dda")
    assert context.common_iv == h("be35ae297d2dace910c52e99f9")
    assert oscore.nonce(context.common_iv, b"\x00", b"\x00") == h("bf35ae297d2dace910c52e99f9")
    assert oscore.nonce(context.common_iv, b"\x01", b"\x00") == h("bf35ae297d2dace810c52e99f9")


def test_keys_with_id_context_are_those_of_c_3():
    context = context_3()
    assert context.sender_key == h("af2a1300a5e95788b356336eeecd2b92")
    assert context.recipient_key == h("e39a0c7c77b43f03b4b39ab9a268699f")
    assert context.common_iv == h("2ca58fb85ff1b81c0b7181b85e")


def test_additional_data_is_that_of_section_5_4():
    assert oscore.additional_data(b"\x00", b"\x25") == h("8368456e63727970743040498501810a4100412540")


def test_request_is_that_of_c_4():
    message, binding = request(context_1())
    wanted = "44025d1f00003974396c6f63616c686f7374620914ff612f1092f1776f1c1668b3825e"
    assert coap.encode(message) == h(wanted)
    assert binding == oscore.Binding(b"", b"\x14")


def test_request_is_that_of_c_5():
    plain = coap.decode(h("440171c30000b932396c6f63616c686f737483747631"))
    message, _ = oscore.protect(context_2(), plain, 20)
    wanted = "440271c30000b932396c6f63616c686f737463091400ff4ed339a5a379b0b8bc731fffb0"
    assert coap.encode(message) == h(wanted)


def test_request_with_id_context_is_that_of_c_6():
    plain = coap.decode(h("44012f8eef9bbf7a396c6f63616c686f737483747631"))
    message, _ = oscore.protect(context_3(), plain, 20)
    wanted = "44022f8eef9bbf7a396c6f63616c686f73746b19140837cbf3210017a2d3ff72cd7273fd331ac45cffbe55c3"
    assert coap.encode(message) == h(wanted)


def test_response_without_partial_iv_is_that_of_c_7():
    _, binding = request(context_1())
    message = oscore.unprotect(context_1(), binding, coap.decode(C7_RESPONSE))
    assert (message.code, message.payload) == (coap.CONTENT, b"Hello World!")


def test_response_with_partial_iv_is_that_of_c_8():
    _, binding = request(context_1())
    message = oscore.unprotect(context_1(), binding, coap.decode(C8_RESPONSE))
    assert (message.code, message.payload) == (coap.CONTENT, b"Hello World!")


def test_a_response_opens_no_other_request():
    _, binding = request(context_1(), 21)
    for data in (C7_RESPONSE, C8_RESPONSE):
        refused(ProtocolError, oscore.unprotect, context_1(), binding, coap.decode(data))


def test_a_damaged_response_is_refused():
    _, binding = request(context_1())
    for index in range(len(C7_RESPONSE) - 22, len(C7_RESPONSE)):
        data = bytearray(C7_RESPONSE)
        data[index] ^= 1
        refused(ProtocolError, oscore.unprotect, context_1(), binding, coap.decode(bytes(data)))


def test_an_unprotected_response_gives_none():
    _, binding = request(context_1())
    plain = coap.Message(coap.ACK, coap.UNAUTHORIZED, 1, b"", (), b"x")
    assert oscore.unprotect(context_1(), binding, plain) is None


def test_a_response_of_another_kid_or_kid_context_is_refused():
    context = context_1()
    _, binding = request(context)
    assert oscore.unprotect(context, binding, answer(context, binding, option=b"\x08\x01")).payload == b"ok"
    for option in (b"\x08\x02", b"\x08", b"\x10\x01x"):
        refused(ProtocolError, oscore.unprotect, context, binding, answer(context, binding, option=option))


def test_outer_critical_options_are_refused_and_elective_ones_discarded():
    context = context_1()
    _, binding = request(context)
    message = oscore.unprotect(context, binding, answer(context, binding, options=((coap.ETAG, b"outer"),)))
    assert message.options == ()
    for number in (coap.BLOCK2, 2051, coap.OSCORE):
        response = answer(context, binding, options=((number, b""),))
        refused(ProtocolError, oscore.unprotect, context, binding, response)


def test_an_inner_message_must_be_a_response():
    context = context_1()
    _, binding = request(context)
    for inner in (b"\x01", b"\x00", b"\x45\xff", b"\x45\xf0"):
        refused(ProtocolError, oscore.unprotect, context, binding, answer(context, binding, inner=inner))


def test_malformed_option_values_are_refused():
    for value in (
        b"\x00",  # all zero must be empty
        b"\x20",  # reserved bits
        b"\x80",
        b"\x06\x01\x02\x03\x04\x05\x06",  # partial IV of 6 bytes
        b"\x03\x01",
        b"\x10",
        b"\x11\x01\x05\x00",
        b"\x01\x01\x09",  # bytes after the end
    ):
        refused(ProtocolError, oscore.decode_option, value)


def test_option_values_survive_a_round_trip():
    for parts in (
        (b"\x14", b"", None),
        (b"\x14", b"kid", b"context"),
        (b"12345", None, b""),
        (b"", None, None),
    ):
        value = oscore.encode_option(*parts)
        assert oscore.decode_option(value) == oscore.OptionValue(parts[0], parts[2], parts[1])


def test_identifiers_that_do_not_fit_are_refused():
    refused(ProtocolError, oscore.derive, SECRET, SALT, b"12345678", b"fb")
    refused(ProtocolError, oscore.derive, SECRET, SALT, b"fb", b"fb")


def test_numbers_are_reserved_before_they_are_used():
    reserved = []
    sequence = SenderSequence(100, reserved.append)
    assert sequence.take() == 100
    assert reserved == [100 + limits.OSCORE_SEQUENCE_STEP]


def test_one_reservation_serves_a_whole_step():
    reserved = []
    sequence = SenderSequence(0, reserved.append)
    for number in range(limits.OSCORE_SEQUENCE_STEP):
        assert sequence.take() == number
    assert len(reserved) == 1
    sequence.take()
    assert reserved[1] == 2 * limits.OSCORE_SEQUENCE_STEP


def test_a_failed_reservation_gives_no_number():
    asked, stored = [], []

    def fail_once(upto):
        asked.append(upto)
        if len(asked) == 1:
            raise ProtocolError(reason="flash")
        stored.append(upto)

    sequence = SenderSequence(0, fail_once)
    refused(ProtocolError, sequence.take)
    assert sequence.take() == 0
    assert stored == [limits.OSCORE_SEQUENCE_STEP]  # number 0 went out only after this write


def test_no_number_goes_out_while_reservations_fail():
    def fail(_upto):
        raise ProtocolError(reason="flash")

    sequence = SenderSequence(7, fail)
    for _ in range(3):
        refused(ProtocolError, sequence.take)


def test_the_last_number_ends_the_context():
    reserved = []
    sequence = SenderSequence((1 << 40) - 1, reserved.append)
    assert sequence.take() == (1 << 40) - 1
    assert reserved == [1 << 40]
    refused(ProtocolError, sequence.take)


def test_the_largest_partial_iv_is_five_bytes():
    message, binding = request(context_1(), (1 << 40) - 1)
    assert binding.partial_iv == b"\xff" * 5
    assert coap.find_option(message, coap.OSCORE)[0] == 0x0D


# The C module against the references -----------------------------------------------------------------


def outcome(call, *arguments):
    """Return (result, None), or (None, text of the refusal)."""
    try:
        return call(*arguments), None
    except FirstbootError as error:
        return None, error.describe()


def in_python(context, message, sequence):
    outer, binding = oscore.protect(context, message, sequence)
    return coap.encode(outer), binding


REQUESTS = (
    coap.Message(coap.CON, coap.GET, 5, b"tokn", ((11, b"fb"), (11, b"o" * 64), (23, b"\x2e")), b""),
    coap.Message(
        coap.NON,
        coap.POST,
        0xFFFF,
        b"",
        ((11, b""), (60, b"\xff"), (252, bytes(40)), (2053, b"x")),
        b"p" * 300,
    ),
    coap.Message(coap.CON, coap.POST, 0, b"8 bytes.", (), bytes(range(256)) * 4),
    coap.Message(coap.CON, coap.GET, 1, b"9 bytes..", (), b""),  # refused
    coap.Message(coap.CON, coap.GET, 1, b"", ((23, b""), (11, b"a")), b""),  # refused: order
    coap.Message(coap.CON, coap.GET, 1, b"", ((3, b"host"), (7, b"\x16"), (11, b"a")), b""),
    coap.Message(coap.CON, coap.POST, 1, b"", (), bytes(limits.COAP_MESSAGE_BYTES)),  # refused: too long
    coap.Message(coap.CON, coap.POST, 1, b"", (), bytes(limits.COAP_MESSAGE_BYTES - 26)),
    coap.Message(coap.CON, coap.POST, 1, b"", (), bytes(limits.COAP_MESSAGE_BYTES - 25)),
    coap.Message(coap.CON, coap.POST, 1, b"", (), bytes(limits.COAP_MESSAGE_BYTES - 24)),
    coap.Message(coap.CON, coap.POST, 1, b"", (), bytes(limits.COAP_MESSAGE_BYTES - 23)),
)


def test_requests_are_sealed_as_the_reference_does_or_refused_for_the_same_reason():
    for context in (
        context_1(),
        context_2(),
        context_3(),
        oscore.derive(SECRET, SALT, b"7 bytes", b"fb", bytes(255)),
    ):
        for sequence in (0, 1, 255, 256, (1 << 40) - 1):
            for message in REQUESTS:
                expected = outcome(in_python, context, message, sequence)
                assert outcome(oscore.seal, context, message, sequence) == expected


def check_opening(context, binding, response):
    """Return whether both open `response`. They give the same message, or the same refusal."""
    expected = outcome(oscore.unprotect_reference, context, binding, response)
    assert outcome(oscore.unprotect, context, binding, response) == expected
    return expected[1] is None


INNER = (
    b"\x45",
    b"\x45\xffp",
    b"\x45\x41e\xd1\x0a\x08\x12\x01\x00\xff" + bytes(1024),
    b"\x84",
    b"\xa0\xffx",
    b"\x45" + b"\0" * 32,
)
BROKEN = (
    b"",
    b"\x01",
    b"\x25",
    b"\xe5",
    b"\x45\xff",
    b"\x45\xf0",
    b"\x45\x0f",
    b"\x45\xd0",
    b"\x45\xe0\x00",
    b"\x45\x02e",
)
BROKEN += (b"\x45\x0d", b"\x45\xe0\xff\xff", b"\x45\xe0\xfe\xf2\x10", b"\x45" + b"\0" * 33)
OPTIONS = (
    b"",
    b"\x01\x07",
    b"\x05\xff\xff\xff\xff\xff",
    b"\x08\x01",
    b"\x09\x07\x01",
    b"\x08\x02",
    b"\x10\x01x",
    b"\x00",
    b"\x20",
)
OPTIONS += (b"\x06123456", b"\x01", b"\x01\x07\x07", b"\x07", b"\x80")


def test_responses_are_opened_as_the_reference_does_or_refused_for_the_same_reason():
    opened = 0
    for context in (context_1(), context_2(), context_3()):
        _, binding = request(context)
        for inner in INNER + BROKEN:
            opened += check_opening(context, binding, answer(context, binding, inner=inner))
        for option in OPTIONS:
            check_opening(context, binding, answer(context, binding, option=option))
            number = option[1 : 1 + (option[0] & 7)] if option else b""
            if number and len(number) < 6:  # the server's own number, used as it should be
                own = oscore.Binding(context.recipient_id, number)
                nonce = oscore.nonce(context.common_iv, own.kid, own.partial_iv)
                aad = oscore.additional_data(binding.kid, binding.partial_iv)
                payload = backend.aes_ccm_encrypt(context.recipient_key, nonce, aad, b"\x45\xffok", 8)
                made = coap.Message(coap.ACK, coap.CHANGED, 1, b"t", ((coap.OSCORE, option),), payload)
                opened += check_opening(context, binding, made)
        for outer in (
            (coap.ETAG, b"e"),
            (coap.URI_HOST, b"h"),
            (coap.BLOCK2, b""),
            (2051, b""),
            (coap.OSCORE, b""),
        ):
            check_opening(context, binding, answer(context, binding, options=(outer,)))
    assert opened >= 3 * (len(INNER) + 3)


def test_damage_to_a_response_gets_the_same_answer_from_both():
    context = context_1()
    _, binding = request(context)
    for data in (C7_RESPONSE, C8_RESPONSE):
        for at in range(len(data)):
            check_damaged(context, binding, data[:at])
            for bit in (1, 0x10, 0x80):
                damaged = bytearray(data)
                damaged[at] ^= bit
                check_damaged(context, binding, bytes(damaged))


def check_damaged(context, binding, data):
    try:
        message = coap.decode(data)
    except FirstbootError:
        return
    check_opening(context, binding, message)
