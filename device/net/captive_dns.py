"""Answers to DNS questions inside the unit's own access point: every name is the unit (RFC 1035, a captive portal).

Rules:
1. Only a standard query with one question of class IN is answered; anything else raises DnsError and gets no answer.
2. A question for an IPv4 address gets the unit's, with a life of zero, so that no phone keeps it. Every other type gets
   an answer without records: the name exists and has none.
3. Nothing of a packet is kept. The answer is at most 16 bytes longer than the question, so it amplifies nothing.
"""

from device.compat import const
from device.errors import DnsError
from device.limits import DNS_PACKET_BYTES

TYPE_CHECKING = const(0)

_HEADER_BYTES = const(12)
_NAME_BYTES = const(255)  # RFC 1035, 2.3.4
_LABEL_BYTES = const(63)
_TYPE_A = const(1)
_TYPE_OPT = const(41)
_CLASS_IN = const(1)


def answer(packet: bytes, address: bytes) -> bytes:
    """Return the answer to a question. `address`: the unit's IPv4 address, 4 bytes. Raises DnsError."""
    if not _HEADER_BYTES < len(packet) <= DNS_PACKET_BYTES:
        raise DnsError(reason="size")
    if packet[2] & 0xF8 or packet[2] & 0x02:  # an answer, another operation, or a part of one
        raise DnsError(reason="not a query")
    counts = [int.from_bytes(packet[at : at + 2], "big") for at in (4, 6, 8, 10)]
    if counts[0] != 1 or counts[1] or counts[2] or counts[3] > 1:
        raise DnsError(reason="counts")
    end = _name_end(packet)
    if len(packet) < end + 4:
        raise DnsError(reason="question")
    kind = int.from_bytes(packet[end : end + 2], "big")
    if int.from_bytes(packet[end + 2 : end + 4], "big") != _CLASS_IN:
        raise DnsError(reason="class")
    end += 4
    _check_rest(packet, end, counts[3])
    has_record = kind == _TYPE_A
    head = packet[:2] + bytes(
        (0x84 | packet[2] & 0x01, 0x00)
    )  # an answer with authority; "recursion desired" as asked
    head += bytes((0, 1, 0, 1 if has_record else 0, 0, 0, 0, 0))
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04" + address if has_record else b""
    return head + packet[_HEADER_BYTES:end] + record


def _name_end(packet: bytes) -> int:
    """Return where the question's name ends; a question has nothing before it that a pointer could mean."""
    at = int(_HEADER_BYTES)
    while True:
        if at >= len(packet) or at - _HEADER_BYTES >= _NAME_BYTES:
            raise DnsError(reason="name")
        length = packet[at]
        if length == 0:
            return at + 1
        if length > _LABEL_BYTES:
            raise DnsError(reason="label")
        at += 1 + length


def _check_rest(packet: bytes, at: int, records: int) -> None:
    """Raise DnsError unless the packet ends here, or after one empty-named OPT record (EDNS, RFC 6891)."""
    if records:
        if len(packet) < at + 11 or packet[at] != 0 or packet[at + 1] != 0 or packet[at + 2] != _TYPE_OPT:
            raise DnsError(reason="additional record")
        at += 11 + int.from_bytes(packet[at + 9 : at + 11], "big")
    if at != len(packet):
        raise DnsError(reason="length")
