"""CoAP client core (RFC 7252) and block-wise transfer (RFC 7959): values in, effects out, no I/O.

Rules:
1. A message that breaks the format or exceeds limits.py is refused (RFC 7252 section 3).
2. A message with an unknown critical option is refused (5.4.1); unknown elective options are skipped.
3. The driver supplies elapsed time in milliseconds, and randomness (jitter, token, message id) as an argument.
4. A block is accepted only if it was requested and belongs to the same representation: same ETag, same Size2
   (RFC 7959 section 2.4).
"""

from collections import namedtuple

from device import limits
from device.compat import const
from device.crypto import backend
from device.errors import LimitError, LinkTimeoutError, PeerRefusedError, ProtocolError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Generator, Sequence

# Message types (3)
CON = const(0)
NON = const(1)
ACK = const(2)
RST = const(3)

# Codes: class << 5 | detail (12.1)
EMPTY = const(0x00)
GET = const(0x01)
POST = const(0x02)
CHANGED = const(0x44)
CONTENT = const(0x45)
UNAUTHORIZED = const(0x81)
NOT_FOUND = const(0x84)

# Option numbers: 12.2, RFC 7959 (Block2, Size2), RFC 8613 (OSCORE), RFC 9175 (Echo)
URI_HOST = const(3)
ETAG = const(4)
URI_PORT = const(7)
OSCORE = const(9)
URI_PATH = const(11)
CONTENT_FORMAT = const(12)
MAX_AGE = const(14)
BLOCK2 = const(23)
SIZE2 = const(28)
ECHO = const(252)

# Options that this client understands in a response, and the length of each value in bytes (5.10, 2.1, RFC 9175 2.2.1).
RESPONSE_OPTIONS = {
    ETAG: (1, 8),
    CONTENT_FORMAT: (0, 2),
    MAX_AGE: (0, 4),
    BLOCK2: (0, 3),
    SIZE2: (0, 4),
    ECHO: (1, 40),
}

# 4.8: transmission parameters
ACK_TIMEOUT_MS = const(2000)
ACK_RANDOM_PERCENT = const(50)  # ACK_RANDOM_FACTOR 1.5
MAX_RETRANSMIT = const(4)

Message = namedtuple("Message", ("mtype", "code", "message_id", "token", "options", "payload"))
Block = namedtuple("Block", ("number", "is_more", "size"))


# --- options -----------------------------------------------------------------------------------------
def encode_uint(value: int) -> bytes:
    """Return the shortest big-endian form; 0 is empty (3.2)."""
    length = 0
    while value >> (8 * length):
        length += 1
    return value.to_bytes(length, "big") if length else b""


def _extended(value: int) -> "tuple[int, bytes]":
    if value < 13:
        return value, b""
    if value < 269:
        return 13, (value - 13).to_bytes(1, "big")
    return 14, (value - 269).to_bytes(2, "big")


def encode_options(options: "Sequence[tuple[int, bytes]]") -> bytes:
    """Return the bytes of options, which must be sorted by number (3.1). Raises ProtocolError."""
    out = bytearray()
    last = 0
    for number, value in options:
        if number < last:
            raise ProtocolError(reason="option order")
        delta, delta_bytes = _extended(number - last)
        length, length_bytes = _extended(len(value))
        out.append(delta << 4 | length)
        out += delta_bytes + length_bytes + value
        last = number
    return bytes(out)


def _nibble(data: bytes, offset: int, nibble: int) -> "tuple[int, int]":
    if nibble < 13:
        return nibble, offset
    if nibble == 15:
        raise ProtocolError(reason="option nibble 15")
    width = nibble - 12
    if offset + width > len(data):
        raise ProtocolError(reason="short option")
    return int.from_bytes(data[offset : offset + width], "big") + (13 if width == 1 else 269), offset + width


def decode_options(data: bytes, offset: int) -> "tuple[tuple[tuple[int, bytes], ...], bytes]":
    """Return options and payload of `data` from `offset` on, in types of `data`. Raises ProtocolError, LimitError."""
    if backend.coap_options is not None:
        found = backend.coap_options(data, offset, limits.COAP_OPTIONS)
        if found is not None:  # else the reference names the fault
            return found  # type: ignore[no-any-return]
    return read_options(data, offset)


def read_options(data: bytes, offset: int) -> "tuple[tuple[tuple[int, bytes], ...], bytes]":
    """Return what decode_options does; the reference of the C module."""
    options: "list[tuple[int, bytes]]" = []
    number = 0
    while offset < len(data):
        first = data[offset]
        offset += 1
        if first == 0xFF:
            if offset == len(data):  # 3: a marker without payload is a format error
                raise ProtocolError(reason="payload marker without payload")
            return tuple(options), data[offset:]
        delta, offset = _nibble(data, offset, first >> 4)
        length, offset = _nibble(data, offset, first & 15)
        number += delta
        if number > 0xFFFF or offset + length > len(data):
            raise ProtocolError(reason="short option")
        if len(options) >= limits.COAP_OPTIONS:
            raise LimitError(what="CoAP options", limit=limits.COAP_OPTIONS)
        options.append((number, data[offset : offset + length]))
        offset += length
    return tuple(options), b""


def find_option(message: Message, number: int) -> "bytes | None":
    """Return the value of the first option with this number, or None."""
    for seen, value in message.options:
        if seen == number:
            return bytes(value)
    return None


def check_options(options: "Sequence[tuple[int, bytes]]", known: "dict[int, tuple[int, int]]") -> None:
    """Raise ProtocolError for what 5.4 refuses: unknown critical options, repeated options, wrong option lengths."""
    seen: "set[int]" = set()
    for number, value in options:
        if number in known:
            low, high = known[number]
            if not low <= len(value) <= high:
                raise ProtocolError(reason="option length", option=number)
            if number in seen:  # 5.4.5: no option that we know may be repeated in a response
                raise ProtocolError(reason="repeated option", option=number)
            seen.add(number)
        elif number & 1:  # 5.4.6: odd numbers are critical
            raise ProtocolError(reason="unknown critical option", option=number)


# --- messages ----------------------------------------------------------------------------------------
def encode(message: Message) -> bytes:
    """Return the datagram. Raises ProtocolError, LimitError above limits.COAP_MESSAGE_BYTES."""
    if len(message.token) > 8:
        raise ProtocolError(reason="token length")
    data = bytearray((0x40 | message.mtype << 4 | len(message.token), message.code))
    data += message.message_id.to_bytes(2, "big") + message.token + encode_options(message.options)
    if message.payload:
        data += b"\xff" + message.payload
    if len(data) > limits.COAP_MESSAGE_BYTES:
        raise LimitError(what="CoAP message", limit=limits.COAP_MESSAGE_BYTES)
    return bytes(data)


def decode(data: bytes) -> Message:
    """Return the message in one datagram. Raises ProtocolError, LimitError."""
    if len(data) > limits.COAP_MESSAGE_BYTES:
        raise LimitError(what="CoAP message", limit=limits.COAP_MESSAGE_BYTES)
    if not isinstance(data, bytes):
        data = bytes(
            data
        )  # slices of bytes are bytes: on MicroPython bytes() would copy each payload once more
    if len(data) < 4 or data[0] >> 6 != 1:
        raise ProtocolError(reason="not a CoAP message")
    token_end = 4 + (data[0] & 15)
    code = data[1]
    if token_end > 12 or token_end > len(data):  # 3: lengths 9 to 15 are reserved
        raise ProtocolError(reason="token length")
    if code == EMPTY and len(data) != 4:  # 4.1
        raise ProtocolError(reason="empty message with content")
    if code >> 5 in (1, 6, 7):  # 12.1: reserved classes
        raise ProtocolError(reason="code class")
    options, payload = decode_options(data, token_end)
    message_id = int.from_bytes(data[2:4], "big")
    return Message((data[0] >> 4) & 3, code, message_id, data[4:token_end], options, payload)


def code_text(code: int) -> str:
    """Return a code in the dotted form of RFC 7252 section 3, for example 4.04."""
    return "{}.{:02d}".format(code >> 5, code & 31)


# --- one confirmable request (4.2, 5.2) --------------------------------------------------------------
Send = namedtuple("Send", ("data",))
Receive = namedtuple("Receive", ("timeout_ms",))  # answered with (elapsed ms, datagram or None)

NO_RESPONSE = "no response"


def exchange(
    request: Message, jitter: int, data: "bytes | None" = None
) -> "Generator[Send | Receive, tuple[int, bytes | None], Message]":
    """Send a CON request until it is acknowledged; return the response with its token. `data` is the datagram, if it is
    encoded already; then `request` needs only its message id and token.

    Yields Send and Receive effects. `jitter` is a random byte. Waits for a separate response for
    limits.REPLY_TIMEOUT_S after the acknowledgement. Ignores datagrams that do not answer this request, because
    anyone can send one. Raises LinkTimeoutError, PeerRefusedError (reset).
    """
    if data is None:
        data = encode(request)
    wait_ms = ACK_TIMEOUT_MS + ACK_TIMEOUT_MS * ACK_RANDOM_PERCENT * jitter // (255 * 100)
    for _ in range(MAX_RETRANSMIT + 1):
        yield Send(data)
        left_ms = wait_ms
        while left_ms > 0:
            elapsed_ms, datagram = yield Receive(left_ms)
            left_ms = -1 if datagram is None else left_ms - elapsed_ms
            answer = None if datagram is None else _answer_to(request, datagram)
            if answer is None:
                continue
            if answer.code == EMPTY:
                return (yield from _separate(request))
            return (yield from _acknowledge(answer))
        wait_ms *= 2  # 4.2: exponential back-off
    raise LinkTimeoutError(reason="no acknowledgement")


def _answer_to(request: Message, datagram: bytes) -> "Message | None":
    try:
        message = decode(datagram)
    except (ProtocolError, LimitError):
        return None  # 4.3: silently ignored
    if message.mtype in (ACK, RST) and message.message_id != request.message_id:
        return None
    if message.mtype == RST:
        raise PeerRefusedError(status="CoAP reset")
    if message.code == EMPTY:
        return message if message.mtype == ACK else None
    # 5.3.2: a response has the token of its request; requests from the peer are ignored.
    if message.token != request.token or message.code >> 5 == 0:
        return None
    return message


def _acknowledge(response: Message) -> "Generator[Send | Receive, tuple[int, bytes | None], Message]":
    if response.mtype == CON:  # 5.2.2: a separate response is acknowledged
        yield Send(encode(Message(ACK, EMPTY, response.message_id, b"", (), b"")))
    return response


def _separate(request: Message) -> "Generator[Send | Receive, tuple[int, bytes | None], Message]":
    left_ms = limits.REPLY_TIMEOUT_S * 1000
    while left_ms > 0:
        elapsed_ms, datagram = yield Receive(left_ms)
        if datagram is None:
            break
        left_ms -= elapsed_ms
        answer = _answer_to(request, datagram)
        if answer is not None and answer.code != EMPTY:
            return (yield from _acknowledge(answer))
    raise LinkTimeoutError(reason=NO_RESPONSE)


# --- Block2 (RFC 7959) -------------------------------------------------------------------------------
def encode_block(number: int, is_more: bool, size: int) -> bytes:
    """Return NUM, M, SZX of a block of `size` bytes: 16, 32 ... 1024 (2.2). Raises ProtocolError."""
    exponent = 0
    while 16 << exponent < size:
        exponent += 1
    if 16 << exponent != size or exponent > 6 or number >= 1 << 20:
        raise ProtocolError(reason="block")
    return encode_uint(number << 4 | (8 if is_more else 0) | exponent)


def decode_block(value: bytes) -> Block:
    """Return the block that NUM, M, SZX describe (2.2). Raises ProtocolError."""
    number = int.from_bytes(value, "big")
    if len(value) > 3 or number & 7 == 7:  # 2.2: SZX 7 is reserved
        raise ProtocolError(reason="block")
    return Block(number >> 4, bool(number & 8), 16 << (number & 7))


# The state of a transfer: the range still wanted, the block size in use, and ETag and size of the first answer.
Transfer = namedtuple("Transfer", ("offset", "end", "block_bytes", "etag", "size"))


def start_transfer(offset: int, end: "int | None", size: "int | None" = None) -> Transfer:
    """Return a transfer of the bytes `offset` to `end` (None: to the last block); `size` is the whole, if known."""
    if offset % limits.COAP_BLOCK_BYTES:
        raise ProtocolError(reason="transfer offset")
    return Transfer(offset, end, limits.COAP_BLOCK_BYTES, None, size)


def next_block(transfer: Transfer) -> "tuple[int, bytes]":
    """Return the Block2 option that requests the next block."""
    number = transfer.offset // transfer.block_bytes
    return (BLOCK2, encode_block(number, False, transfer.block_bytes))


def accept_block(transfer: Transfer, response: Message) -> "tuple[Transfer, bytes, bool]":
    """Return (the transfer after this response, its bytes, whether more blocks follow).

    Raises ProtocolError for a block that was not requested, a short block before the end, or another
    representation; PeerRefusedError for any code except 2.05.
    """
    if response.code != CONTENT:
        raise PeerRefusedError(status=code_text(response.code))
    etag, option, size_option = _block_options(response.options)
    if option is None:  # 2.2: absent means the whole body fits
        block = Block(0, False, limits.COAP_BLOCK_BYTES)
    else:
        block = decode_block(option)
    payload = response.payload
    if block.number * block.size != transfer.offset or block.size > transfer.block_bytes:
        raise ProtocolError(reason="not the requested block")
    if len(payload) > block.size or (block.is_more and len(payload) != block.size):
        raise ProtocolError(reason="block length")
    size = _same_representation(transfer, etag, size_option)
    offset = transfer.offset + len(payload)
    if size is not None and (offset > size or block.is_more != (offset < size)):
        raise ProtocolError(reason="block contradicts Size2")
    is_more = block.is_more and (transfer.end is None or offset < transfer.end)
    return Transfer(offset, transfer.end, block.size, etag, size), payload, is_more


def _block_options(
    options: "Sequence[tuple[int, bytes]]",
) -> "tuple[bytes | None, bytes | None, bytes | None]":
    """Return ETag, Block2 and Size2, each None if absent. Raises as check_options, which sees every other option."""
    etag = block = size = None
    is_plain = True
    for number, value in options:
        if number == BLOCK2 and block is None:
            block = value
            is_plain = is_plain and len(value) <= 3
        elif number == ETAG and etag is None:
            etag = value
            is_plain = is_plain and 1 <= len(value) <= 8
        elif number == SIZE2 and size is None:
            size = value
            is_plain = is_plain and len(value) <= 4
        else:
            is_plain = False
    if not is_plain:
        check_options(options, RESPONSE_OPTIONS)
    return etag, block, size


def _same_representation(
    transfer: Transfer, etag: "bytes | None", size_option: "bytes | None"
) -> "int | None":
    """Return the size of the whole body, None if it is not known."""
    if transfer.etag is not None and etag != transfer.etag:
        raise ProtocolError(reason="ETag changed")
    size: "int | None" = transfer.size
    if size_option is not None:
        size = int.from_bytes(size_option, "big")
        if transfer.size is not None and size != transfer.size:
            raise ProtocolError(reason="Size2 changed")
    return size
