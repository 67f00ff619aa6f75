"""Improv Wi-Fi: the unit's side of the conversation, and its packets on a serial line (improv-wifi.com/serial). No I/O.

On the line a packet is "IMPROV", version 1, type, length, data, and the sum of all bytes before it. Bluetooth
(improv_ble.py) has the same types and data without that. Rules:
1. Nothing is answered but the state until the client has proved the set-up code. On the line it does with the command
   PROVE, which is ours, and the code as text. Guesses count as on the pages (device/owner/throttle.py). Other clients
   read "authorisation required".
2. Only a unit in factory default answers at all: after set-up the code no longer works, and the state is STOPPED.
3. The authorisation ends after IMPROV_OPEN_S seconds, with set-up, and with a network that was joined.
4. A packet with a wrong sum or shape changes nothing and gets the error "invalid packet". Bytes between packets are
   passed over, as the console of a development board sends them.
"""

from device.compat import const, decode_utf8
from device.errors import FirstbootError, WifiError
from device.limits import IMPROV_OPEN_S
from device.net import wifi

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Protocol, Sequence

    class ImprovServices(Protocol):
        """The services of a unit that the conversation needs."""

        def is_open(self) -> bool:
            """Return whether the unit is in factory default."""

        def prove(self, code: str) -> None:
            """Return if `code` is the set-up code. Raises FirstbootError."""

        def choose(self, ssid: bytes, passphrase: bytes) -> None:
            """Begin to join. Raises WifiError."""

        def result(self) -> str:
            """Return how the last choice went: wifi.JOINING, wifi.JOINED, a cause; "" without one."""

        def networks(self) -> "Sequence[tuple[bytes, str, int]]":
            """Return the networks in range (wifi.Seen)."""

        def facts(self) -> "tuple[str, str, str, str]":
            """Return (firmware, version, board, name)."""

        def address(self) -> str:
            """Return the address of the unit's pages."""

        def ticks_ms(self) -> int: ...
        def ticks_diff(self, later: int, earlier: int) -> int: ...


HEADER = b"IMPROV\x01"
CURRENT_STATE, ERROR_STATE, RPC, RPC_RESULT = const(1), const(2), const(3), const(4)
STOPPED, AWAITING, AUTHORISED, PROVISIONING, PROVISIONED = const(0), const(1), const(2), const(3), const(4)
NO_ERROR, INVALID, UNKNOWN_COMMAND, UNABLE, NOT_AUTHORISED = const(0), const(1), const(2), const(3), const(4)
SETTINGS, GET_STATE, GET_INFO, GET_NETWORKS = const(1), const(2), const(3), const(4)
PROVE = const(0xF1)
_TEXT_BYTES = const(200)  # of a result: three lengths and a network's name stay below


def packet(kind: int, data: bytes) -> bytes:
    """Return a packet. Raises ValueError for more than 255 bytes."""
    if len(data) > 255:
        raise ValueError("data")
    head = HEADER + bytes((kind, len(data))) + data
    return head + bytes((sum(head) & 0xFF,))


def result(command: int, texts: "Sequence[bytes]") -> bytes:
    """Return the data of an RPC result: command, length, each text with its length."""
    body = b"".join([bytes((len(text[:_TEXT_BYTES]),)) + text[:_TEXT_BYTES] for text in texts])
    return bytes((command, len(body))) + body


class Decoder:
    """Finds packets in a stream. It keeps at most one packet."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> "list[tuple[int, bytes] | None]":
        """Return the packets that are complete now, as (type, data); None for one with a wrong sum."""
        found: "list[tuple[int, bytes] | None]" = []
        self._data += data
        while True:
            self._skip()
            size = 10 + self._data[8] if len(self._data) > 8 else 0
            if not size or len(self._data) < size:
                return found
            whole, self._data = self._data[:size], self._data[size:]
            is_right = sum(whole[:-1]) & 0xFF == whole[-1]
            found.append((whole[7], whole[9:-1]) if is_right else None)

    def _skip(self) -> None:
        """Drop what cannot begin a packet."""
        while self._data and not self._data.startswith(HEADER[: len(self._data)]):
            next_at = self._data.find(HEADER[:1], 1)
            self._data = self._data[next_at:] if next_at > 0 else b""


class Conversation:
    """The unit's side, whatever carries it. Its answers are lists of (type, data).

    `tick` is called between commands.
    """

    def __init__(self, services: "ImprovServices") -> None:
        self._services = services
        self._since_ms: "int | None" = None  # of the authorisation
        self._is_joining = False

    def state(self) -> int:
        """Return the state that a client reads."""
        return int(self._state())

    def _state(self) -> "Any":
        if not self._services.is_open():
            self._since_ms = None
            return STOPPED
        if self._services.result() == wifi.JOINED:
            self._since_ms = None
            return PROVISIONED
        if self._is_joining:
            return PROVISIONING
        return AUTHORISED if self._is_authorised() else AWAITING

    def tick(self) -> "list[tuple[int, bytes]]":
        """Return what the client must learn now: how the join went."""
        if not self._is_joining:
            return []
        outcome = self._services.result()
        if outcome == wifi.JOINING:
            return []
        self._is_joining = False
        if outcome == wifi.JOINED:
            address = self._services.address().encode()
            return [self.state_event(), (RPC_RESULT, result(SETTINGS, (address,)))]
        return [error(UNABLE), self.state_event()]

    def authorise(self) -> None:
        """Note that the client has proved the set-up code."""
        self._since_ms = self._services.ticks_ms()

    def revoke(self) -> None:
        """End the authorisation."""
        self._since_ms = None

    def command(self, data: bytes) -> "list[tuple[int, bytes]]":
        """Answer a command that asks for the authorisation: number, length, body."""
        if len(data) < 2 or data[1] != len(data) - 2:
            return [error(INVALID)]
        number, body = data[0], data[2:]
        if number not in (SETTINGS, GET_INFO, GET_NETWORKS):
            return [error(UNKNOWN_COMMAND)]
        if self.state() not in (AUTHORISED, PROVISIONING):
            return [error(NOT_AUTHORISED)]
        if number == SETTINGS:
            return self._join(body)
        if number == GET_INFO:
            return [(RPC_RESULT, result(GET_INFO, [text.encode() for text in self._services.facts()]))]
        return self._list()

    def _join(self, body: bytes) -> "list[tuple[int, bytes]]":
        if not body or len(body) < body[0] + 2:
            return [error(INVALID)]
        ssid, rest = body[1 : 1 + body[0]], body[1 + body[0] :]
        if rest[0] != len(rest) - 1:
            return [error(INVALID)]
        try:
            self._services.choose(ssid, rest[1:])
        except WifiError:
            return [error(UNABLE)]
        self._is_joining = True
        return [error(NO_ERROR), self.state_event()]

    def _list(self) -> "list[tuple[int, bytes]]":
        out = []
        for ssid, security, signal_dbm in self._services.networks():
            texts = (ssid, str(signal_dbm).encode(), b"NO" if security == wifi.OPEN else b"YES")
            out.append((RPC_RESULT, result(GET_NETWORKS, texts)))
        out.append((RPC_RESULT, result(GET_NETWORKS, ())))
        return out

    def _is_authorised(self) -> bool:
        if self._since_ms is None:
            return False
        passed_ms = self._services.ticks_diff(self._services.ticks_ms(), self._since_ms)
        if not 0 <= passed_ms < IMPROV_OPEN_S * 1000:
            self._since_ms = None
        return self._since_ms is not None

    def state_event(self) -> "tuple[int, bytes]":
        """Return the state as (type, data)."""
        return CURRENT_STATE, bytes((self.state(),))


class SerialConversation:
    """The unit's side on a serial line. `receive` takes bytes of the line, `tick` is called between them; both return
    bytes to send.
    """

    def __init__(self, services: "ImprovServices") -> None:
        self._services = services
        self._conversation = Conversation(services)
        self._decoder = Decoder()
        self.state = self._conversation.state

    def receive(self, data: bytes) -> bytes:
        """Answer the packets in `data`."""
        out = b""
        for found in self._decoder.feed(data):
            if found is None:
                out += _packets([error(INVALID)])
            elif found[0] == RPC:
                out += _packets(self._command(found[1]))
        return out

    def tick(self) -> bytes:
        """Return what the client must learn now."""
        return _packets(self._conversation.tick())

    def _command(self, data: bytes) -> "list[tuple[int, bytes]]":
        if len(data) < 2 or data[1] != len(data) - 2:
            return [error(INVALID)]
        if data[0] == GET_STATE:
            out = [error(NO_ERROR), self._conversation.state_event()]
            if self.state() == PROVISIONED:
                out.append((RPC_RESULT, result(GET_STATE, (self._services.address().encode(),))))
            return out
        return self._prove(data[2:]) if data[0] == PROVE else self._conversation.command(data)

    def _prove(self, body: bytes) -> "list[tuple[int, bytes]]":
        if self.state() not in (AWAITING, AUTHORISED):
            return [error(NOT_AUTHORISED)]
        try:
            self._services.prove(decode_utf8(body))
        except (FirstbootError, ValueError):
            self._conversation.revoke()
            return [error(NOT_AUTHORISED), self._conversation.state_event()]
        self._conversation.authorise()
        return [error(NO_ERROR), self._conversation.state_event()]


def error(number: int) -> "tuple[int, bytes]":
    """Return an error as (type, data)."""
    return ERROR_STATE, bytes((number,))


def _packets(events: "list[tuple[int, bytes]]") -> bytes:
    return b"".join([packet(kind, data) for kind, data in events])
