"""Multicast DNS for one name and its IPv4 address (RFC 6762): probe, announce, answer, give way. No I/O.

Rules:
1. One name, `LABEL.local`, is owned. Questions about any other name get no answer, and no service is announced.
2. A name is used only after three probes that nobody contradicts (8.1). Of two hosts that probe for one name at a time
   the one with the lower address waits for the other (8.2). A name in use by another host becomes NAME-2, NAME-3 ...
3. An answer has the address, and says that there is no other record (NSEC, 6.1). It goes to the group at most once a
   second (6), and to one host for a question that asks for that (5.4) or that came from another port than 5353 (6.7).
4. A packet is read only as far as limits.MDNS_ITEMS, and a name as far as 255 bytes; compression pointers only go back.
   A packet that breaks a rule is dropped whole. Nothing that a packet says is kept, but that a name is in use.

The unit does not store its new name: after a restart it asks for its first name again, which is the one on its label.
"""

from collections import namedtuple

from device.compat import const
from device.errors import DnsError
from device.limits import MDNS_ITEMS, MDNS_PACKET_BYTES, MDNS_PORT

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Callable, Sequence

TTL_S = const(120)  # RFC 6762, 10: for names of hosts
A = const(1)
NSEC = const(47)
ANY = const(255)

_IN = const(1)
# The top bit of a class: "unicast answer wanted" in a question, "flush what you cached" in an answer.
_TOP = const(0x8000)
_RESPONSE = const(0x8400)  # authoritative answer
_LEGACY_TTL_S = const(10)  # 6.7
_LABEL_BYTES = const(63)
_NAME_BYTES = const(255)
_JUMPS = const(16)  # compression pointers in one name

_PROBES = const(3)
_PROBE_MS = const(250)
_ANNOUNCEMENTS = const(2)
_SECOND_MS = const(1000)
_CONFLICTS = const(15)  # in _CONFLICT_MS: then only one attempt in _BACK_OFF_MS (8.1)
_CONFLICT_MS = const(10000)
_BACK_OFF_MS = const(5000)
_IDLE_MS = const(60000)
_UNICASTS = const(10)  # answers to one host in a second

Question = namedtuple("Question", ("name", "kind", "is_unicast"))
# data: of an A record 4 bytes, of any other what the packet has
Answer = namedtuple("Answer", ("name", "kind", "ttl_s", "data"))
# answers, authorities: sequences of Answer; number: the id that a one-shot question expects back
Message = namedtuple("Message", ("number", "is_response", "questions", "answers", "authorities"))


def decode(data: bytes) -> "Message":
    """Return a message; names are lower-case text without the final dot. Raises DnsError(reason)."""
    if len(data) > MDNS_PACKET_BYTES:
        raise DnsError(reason="size")
    if len(data) < 12:
        raise DnsError(reason="header")
    flags = _number(data, 2)
    if flags & 0x780F:
        raise DnsError(reason="opcode")  # RFC 6762, 18.3 and 18.11
    counts = [_number(data, at) for at in (4, 6, 8, 10)]
    if sum(counts) > MDNS_ITEMS:
        raise DnsError(reason="items")
    at = 12
    questions = []
    for _ in range(counts[0]):
        name, at = _name(data, at)
        kind, group = _number(data, at), _number(data, at + 2)
        at += 4
        if group & ~_TOP in (_IN, ANY):
            questions.append(Question(name, kind, bool(group & _TOP)))
    answers, at = _records(data, at, counts[1])
    authorities, at = _records(data, at, counts[2])
    _records(data, at, counts[3])
    return Message(_number(data, 0), bool(flags & 0x8000), questions, answers, authorities)


def _records(data: bytes, at: int, count: int) -> "tuple[list[Answer], int]":
    found = []
    for _ in range(count):
        name, at = _name(data, at)
        kind, group = _number(data, at), _number(data, at + 2)
        ttl_s = _number(data, at + 4) << 16 | _number(data, at + 6)
        length = _number(data, at + 8)
        at += 10
        if at + length > len(data):
            raise DnsError(reason="record")
        if group & ~_TOP == _IN:
            found.append(Answer(name, kind, ttl_s, data[at : at + length]))
        at += length
    return found, at


def _number(data: bytes, at: int) -> int:
    if at + 2 > len(data):
        raise DnsError(reason="end")
    return data[at] << 8 | data[at + 1]


def _name(data: bytes, at: int) -> "tuple[str, int]":
    """Return (name, offset after it). A label with bytes beyond ASCII or a dot can not be ours and becomes "?"."""
    labels: "list[str]" = []
    length, jumps, after = 0, 0, -1
    while True:
        if at >= len(data):
            raise DnsError(reason="name")
        size = data[at]
        if size >= 0xC0:
            target = _number(data, at) & 0x3FFF
            jumps += 1
            if jumps > _JUMPS or target >= at:
                raise DnsError(reason="pointer")
            after = at + 2 if after < 0 else after
            at = target
            continue
        if size > _LABEL_BYTES:
            raise DnsError(reason="label")
        at += 1
        if size == 0:
            return ".".join(labels), at if after < 0 else after
        length += size + 1
        if length > _NAME_BYTES or at + size > len(data):
            raise DnsError(reason="name")
        labels.append(_label(data[at : at + size]))
        at += size


def _label(data: bytes) -> str:
    for byte in data:
        if byte == 0x2E or byte >= 0x80:
            return "?"
    return data.decode().lower()


def encode_name(name: str) -> bytes:
    """Return the bytes of a name without compression."""
    encoded = bytearray()
    for label in name.split("."):
        encoded.append(len(label))
        encoded += label.encode()
    return bytes(encoded) + b"\x00"


def _pair(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _record(name: bytes, kind: int, group: int, ttl_s: int, data: bytes) -> bytes:
    return name + _pair(kind) + _pair(group) + ttl_s.to_bytes(4, "big") + _pair(len(data)) + data


def _message(number: int, flags: int, counts: "Sequence[int]", body: bytes) -> bytes:
    return _pair(number) + _pair(flags) + b"".join([_pair(count) for count in counts]) + body


class Responder:
    """The name of one unit. `now_ms` are ticks that do not wrap; `random_byte()` returns 0 to 255.

    `name`: LABEL.local, "" while no name is certain. Methods return packets as [(bytes, to)]; `to` None is the group.
    """

    def __init__(self, label: str, random_byte: "Callable[[], int]", now_ms: int) -> None:
        self._first = label.lower()[:_LABEL_BYTES]
        self._random_byte = random_byte
        self._address = b""
        self._attempt = 1
        self._conflicts: "list[int]" = []
        self._is_slow = False  # until a name is certain
        self._unicasts: "list[int]" = []
        self.name = ""
        self._wanted = ""
        self._begin(now_ms)

    def set_address(self, address: bytes, now_ms: int) -> None:
        """Use this IPv4 address (4 bytes; b"" without a network) from now on; a new one is probed for and announced."""
        if address != self._address:
            self._address = address
            self._begin(now_ms)

    def _begin(self, now_ms: int) -> None:
        """Begin to probe for the present attempt's name, after a wait of up to 250 ms (8.1)."""
        self.name = ""
        suffix = "" if self._attempt == 1 else "-" + str(self._attempt)
        self._wanted = self._first[: _LABEL_BYTES - len(suffix)] + suffix + ".local"
        self._probes, self._announcements = 0, 0
        self._sent_ms = now_ms - _SECOND_MS
        self._due_ms = now_ms + self._random_byte() * _PROBE_MS // 255

    def wait_ms(self, now_ms: int) -> int:
        """Return how long tick() has nothing to do."""
        left_ms: int = self._due_ms - now_ms
        return max(0, left_ms)

    def tick(self, now_ms: int) -> "list[tuple[bytes, object]]":
        """Return what is to be sent now: a probe, an announcement, or nothing."""
        if now_ms < self._due_ms:
            return []
        if not self._address:
            self._due_ms = now_ms + _IDLE_MS
            return []
        if self._probes < _PROBES:
            self._probes += 1
            self._due_ms = now_ms + _PROBE_MS
            return [(self._probe(), None)]
        self.name, self._is_slow = self._wanted, False
        if self._announcements < _ANNOUNCEMENTS:
            self._announcements += 1
            self._due_ms = now_ms + _SECOND_MS
            self._sent_ms = now_ms
            return [(self._answer(), None)]
        self._due_ms = now_ms + _IDLE_MS
        return []

    def receive(
        self, data: bytes, source: "tuple[str, int] | None", now_ms: int
    ) -> "list[tuple[bytes, object]]":
        """Return the answers to a packet. `source`: (host, port), None if the port of the device does not tell it.

        Raises DnsError: the packet is malformed, and nothing has changed.
        """
        message = decode(data)
        if not self._address:
            return []
        if message.is_response:
            if source is None or source[1] == MDNS_PORT:  # 6: no other port may answer
                self._hear(message.answers, now_ms)
            return []
        if self.name:
            return self._reply(message, source, now_ms)
        self._compare(message, now_ms)
        return []

    def _hear(self, answers: "Sequence[Answer]", now_ms: int) -> None:
        """Begin again if another host uses the name (9): a certain name is probed for again, a wanted one is lost."""
        for answer in answers:
            if answer.name != self._wanted or answer.ttl_s == 0:  # the other host says goodbye
                continue
            is_other = answer.kind == A and answer.data != self._address
            if self.name and is_other:
                self._begin(now_ms)
                return
            # 8.1: while it is wanted, a record of any kind shows that another host has the name.
            # Before the first probe nobody was asked: its owner answers the probe.
            if self._probes and not self.name and (is_other or answer.kind not in (A, NSEC)):
                self._lose(now_ms)
                return

    def _lose(self, now_ms: int) -> None:
        self._attempt += 1
        recent = [one for one in self._conflicts if now_ms - one < _CONFLICT_MS]
        self._conflicts = recent[-_CONFLICTS:] + [now_ms]
        self._is_slow = self._is_slow or len(self._conflicts) > _CONFLICTS
        self._begin(now_ms)
        if self._is_slow:
            self._due_ms = now_ms + _BACK_OFF_MS

    def _compare(self, message: "Message", now_ms: int) -> None:
        """Compare a probe of another host for the same name with ours (8.2): the lower records wait a second."""
        theirs = [(one.kind, one.data) for one in message.authorities if one.name == self._wanted]
        theirs.sort()
        if theirs and theirs > [(A, self._address)]:
            self._begin(now_ms)
            self._due_ms = now_ms + _SECOND_MS

    def _reply(
        self, message: "Message", source: "tuple[str, int] | None", now_ms: int
    ) -> "list[tuple[bytes, object]]":
        asked = [one for one in message.questions if one.name == self.name]
        if not asked or self._is_known(message.answers, asked):
            return []
        if source is not None and source[1] != MDNS_PORT:
            return self._to_one(self._legacy(message.number, asked[0]), source, now_ms)
        is_recent = now_ms - self._sent_ms < TTL_S * 250  # a quarter of its life (5.4)
        if source is not None and is_recent and all([one.is_unicast for one in asked]):
            return self._to_one(self._answer(), source, now_ms)
        if now_ms - self._sent_ms < (_PROBE_MS if message.authorities else _SECOND_MS):
            return []  # 6: everyone has just heard it
        self._sent_ms = now_ms
        return [(self._answer(), None)]

    def _is_known(self, answers: "Sequence[Answer]", asked: "Sequence[Question]") -> bool:
        """Return whether the one who asks knows the answer already, for at least half of its life (7.1)."""
        for answer in answers:
            if answer.name == self.name and answer.kind == A and answer.data == self._address:
                return answer.ttl_s >= TTL_S // 2 and all([one.kind in (A, ANY) for one in asked])
        return False

    def _to_one(self, data: bytes, source: "tuple[str, int]", now_ms: int) -> "list[tuple[bytes, object]]":
        """Return a packet for one host; a forged source makes the unit send at most _UNICASTS packets a second."""
        self._unicasts = [one for one in self._unicasts if now_ms - one < _SECOND_MS]
        if len(self._unicasts) >= _UNICASTS:
            return []
        self._unicasts.append(now_ms)
        return [(data, source)]

    # packets -----------------------------------------------------------------------------------------------
    def _probe(self) -> bytes:
        """Return a question for any record of the wanted name, with the record that we want to have (8.1, 8.2)."""
        name = encode_name(self._wanted)
        # It does not ask for an answer to itself: where programs share port 5353, another one would get it (15.1).
        # It asks for the address too, because python-zeroconf (Home Assistant) answers that, and ANY not.
        questions = name + _pair(ANY) + _pair(_IN) + name + _pair(A) + _pair(_IN)
        return _message(0, 0, (2, 0, 1, 0), questions + _record(name, A, _IN, TTL_S, self._address))

    def _answer(self) -> bytes:
        """Return the address, and that the name has no other record (6.1)."""
        name = encode_name(self._wanted)
        body = _record(name, A, _TOP | _IN, TTL_S, self._address)
        # RFC 4034, 4.1: the next name (our own), then window 0 with one byte, in which bit 1 is A.
        body += _record(name, NSEC, _TOP | _IN, TTL_S, name + b"\x00\x01\x40")
        return _message(0, _RESPONSE, (0, 1, 0, 1), body)

    def _legacy(self, number: int, asked: "Question") -> bytes:
        """Return the answer to a one-shot question: its id and question back, a short life, no cache flush (6.7)."""
        name = encode_name(self._wanted)
        body = name + _pair(asked.kind) + _pair(_IN)
        is_had = asked.kind in (A, ANY)
        if is_had:
            body += _record(name, A, _IN, _LEGACY_TTL_S, self._address)
        return _message(number, _RESPONSE, (1, int(is_had), 0, 0), body)
