"""Improv Wi-Fi from the client's side: bring a device in factory default onto a network.

The device's side is device/net/improv.py (serial line) and improv_ble.py (Bluetooth). Rules:
1. Over Bluetooth the code never leaves this side, and commands leave it sealed only. A result that is not sealed, or
   whose seal is wrong, ends the conversation: another device may have sent it.
2. A network counts as joined when the device has sent its address, and not with its state alone: over Bluetooth anyone
   in range can send a state.
3. An answer of another shape raises ImprovError, and nothing of it is used. The address is one of the form that a
   device has, because a person opens it.
4. Code and passphrase are in no message of an error.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Final, NamedTuple, Protocol

from device.crypto import backend
from device.net import improv, improv_ble
from device.owner import setup_code
from provisioning import fair_time
from provisioning.onboarding.flow import AlreadySetUpError, OnboardError

ANSWER_S: Final = 15
JOIN_S: Final = 60  # the device gives a network 25 s (limits.WIFI_JOIN_S)
NETWORKS: Final = 100
_SLICE_S: Final = 0.2
_ADDRESS: Final = re.compile(rb"https://[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.local/")

Event = tuple[int, bytes]


class ImprovError(OnboardError):
    """The conversation failed."""


class CodeRefusedError(ImprovError):
    """The device did not accept the set-up code."""


class JoinError(ImprovError):
    """The device did not join the network."""


class Line(Protocol):
    """A serial line (provisioning/station/ports.py)."""

    def write(self, data: bytes, /) -> object:
        """Send all of `data`. Raises OSError, LinkError."""

    def read(self, timeout_s: float, /) -> bytes:
        """Return what arrived, b"" after `timeout_s`. Raises OSError, LinkError."""


class Service(Protocol):
    """Improv's service on a device that this side is connected to over Bluetooth."""

    def write(self, data: bytes, /) -> object:
        """Write the characteristic of commands. Raises OSError, LinkError."""

    def read(self, timeout_s: float, /) -> Event | None:
        """Return the next notification as (type of net/improv.py, value), None after `timeout_s`."""


class Channel(Protocol):
    """Carries commands to a device and events from it."""

    def authorise(self, code: str) -> None:
        """Prove the set-up code (normal form). Raises CodeRefusedError, ImprovError, OSError, LinkError."""

    def send(self, command: bytes) -> None:
        """Send number, length and body of a command."""

    def receive(self, timeout_s: float) -> list[Event]:
        """Return the events of the next `timeout_s`, results without their seal."""


class Facts(NamedTuple):
    """The facts that a device gives about itself."""

    firmware: str
    version: str
    board: str
    name: str


class Network(NamedTuple):
    """A network that the device receives. `ssid`: up to 32 bytes, in no certain encoding."""

    ssid: bytes
    signal_dbm: int
    is_open: bool


class SerialChannel:
    """Improv on a serial line. The code crosses it in the clear: it is a cable."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._decoder = improv.Decoder()

    def authorise(self, code: str) -> None:
        """Prove the code with the command PROVE."""
        self.send(command(improv.GET_STATE))
        state = _state(self)
        if state == improv.STOPPED:
            raise AlreadySetUpError
        if state == improv.PROVISIONED:
            raise ImprovError("The device has joined a network already. Open its page.")
        self.send(command(improv.PROVE, code.encode()))
        if _state(self) not in (improv.AUTHORISED, improv.PROVISIONING):
            raise CodeRefusedError("The device did not accept the set-up code. Compare it with the label.")

    def send(self, command: bytes) -> None:
        """Send a command as a packet."""
        self._line.write(improv.packet(improv.RPC, command))

    def receive(self, timeout_s: float) -> list[Event]:
        """Return the whole packets; damaged ones and the device's console between them are passed over."""
        return [event for event in self._decoder.feed(self._line.read(timeout_s)) if event is not None]


class SealedChannel:
    """Improv over Bluetooth: each command and each result is sealed (improv_ble.py, rules 2 and 3)."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._key = b""
        self._sent = self._heard = 0

    def authorise(self, code: str) -> None:
        """Derive the key from a challenge, and see that the device has the same one."""
        self._key = b""
        self._service.write(improv_ble.frame(command(improv_ble.CHALLENGE)))
        kind, data = _answer(self)
        if kind != improv.RPC_RESULT:
            raise CodeRefusedError(
                "The device gives no challenge. It has an owner, or after a reset it waits for a press of its button."
            )
        parts = texts_of(data, improv_ble.CHALLENGE)
        if len(parts) != 2 or len(parts[1]) != improv_ble.NONCE_BYTES:
            raise ImprovError("The device's challenge has another form.")
        self._key, self._sent, self._heard = sealing_key(code, *parts), 0, 0
        self.send(command(improv.GET_INFO))
        if _answer(self)[0] != improv.RPC_RESULT:
            raise CodeRefusedError("The device did not accept the set-up code. Compare it with the label.")

    def send(self, command: bytes) -> None:
        """Seal and send a command. Raises ImprovError without a key."""
        if not self._key:
            raise ImprovError("The set-up code was not proved.")
        self._service.write(improv_ble.frame(improv_ble.seal(self._key, False, self._sent, command)))
        self._sent += 1

    def receive(self, timeout_s: float) -> list[Event]:
        """Return the next event in a list, or an empty list. Raises ImprovError for a result without its seal."""
        found = self._service.read(timeout_s)
        if found is None:
            return []
        kind, value = found
        return [(kind, value if kind != improv.RPC_RESULT else self._opened(value))]

    def _opened(self, value: bytes) -> bytes:
        if len(value) < 3 or len(value) != 3 + value[1] or improv_ble.frame(value[:-1]) != value:
            raise ImprovError("The device sent a damaged result.")
        if not self._key:
            return value[:-1]
        try:
            if value[0] != improv_ble.SEALED:
                raise ValueError
            plain = improv_ble.unseal(self._key, True, self._heard, value[2:-1])
        except ValueError:
            self._key = b""
            raise ImprovError(
                "A result does not have the device's seal. Another device may have sent it."
            ) from None
        self._heard += 1
        return plain


class Client:
    """Asks a device over a channel. Use `authorise` first."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._events: deque[Event] = deque()

    def authorise(self, code: str) -> None:
        """Prove the set-up code, in its normal form. Raises what the channel raises."""
        self._channel.authorise(code)

    def facts(self) -> Facts:
        """Return what the device says about itself. Raises ImprovError."""
        self._channel.send(command(improv.GET_INFO))
        texts = [text.decode("utf-8", "replace") for text in self._result(improv.GET_INFO, ANSWER_S)]
        if len(texts) != len(Facts._fields):
            raise ImprovError("The device's facts have another form.")
        return Facts(*texts)

    def networks(self) -> list[Network]:
        """Return the networks in range of the device. It may not have looked yet: then none. Raises ImprovError."""
        self._channel.send(command(improv.GET_NETWORKS))
        found = []
        while parts := self._result(improv.GET_NETWORKS, ANSWER_S):
            found.append(_network(parts))
            if len(found) > NETWORKS:
                raise ImprovError("The device lists too many networks.")
        return found

    def join(self, ssid: bytes, passphrase: bytes) -> str:
        """Let the device join a network. Return the address of its pages. Raises JoinError, ImprovError."""
        body = bytes((len(ssid),)) + ssid + bytes((len(passphrase),)) + passphrase
        self._channel.send(command(improv.SETTINGS, body))
        parts = self._result(improv.SETTINGS, JOIN_S)
        if len(parts) != 1 or not _ADDRESS.fullmatch(parts[0]):
            raise ImprovError("The device's address has another form.")
        return parts[0].decode()

    def _result(self, number: int, wait_s: float) -> list[bytes]:
        """Return the texts of the next result, which must be that of a command. Raises ImprovError."""
        end_s = fair_time.now() + wait_s
        while True:
            kind, data = self._next(end_s)
            if kind == improv.RPC_RESULT:
                return texts_of(data, number)
            if kind == improv.ERROR_STATE and data != bytes((improv.NO_ERROR,)):
                _raise(data)

    def _next(self, end_s: float) -> Event:
        while not self._events:
            self._events += _receive(self._channel, end_s)
        return self._events.popleft()


def command(number: int, body: bytes = b"") -> bytes:
    """Return number, length and body. Raises ImprovError for more than 255 bytes."""
    if len(body) > 255:
        raise ImprovError("The command is too long.")
    return bytes((number, len(body))) + body


def sealing_key(code: str, salt: bytes, nonce: bytes) -> bytes:
    """Return the key of a conversation from the set-up code (normal form) and the device's challenge. Secret."""
    verifier = setup_code.verifier(code, salt)
    key: bytes = backend.hmac_sha256(verifier, improv_ble.CONTEXT + nonce)
    return key[: improv_ble.KEY_BYTES]


def texts_of(data: bytes, number: int) -> list[bytes]:
    """Return the texts in the result of a command. Raises ImprovError for another command or other lengths."""
    if len(data) < 2 or data[0] != number or data[1] != len(data) - 2:
        raise ImprovError("The device's answer has another form.")
    found, at = [], 2
    while at < len(data):
        end = at + 1 + data[at]
        if end > len(data):
            raise ImprovError("The device's answer has another form.")
        found.append(data[at + 1 : end])
        at = end
    return found


def _network(parts: list[bytes]) -> Network:
    is_right = len(parts) == 3 and len(parts[0]) <= 32 and parts[2] in (b"YES", b"NO")
    if not is_right or not re.fullmatch(rb"-?[0-9]{1,3}", parts[1]):
        raise ImprovError("The device's list of networks has another form.")
    return Network(parts[0], int(parts[1]), parts[2] == b"NO")


def _raise(data: bytes) -> None:
    number = data[0] if len(data) == 1 else -1
    if number == improv.UNABLE:
        raise JoinError(
            "The device did not join the network. Check its name and passphrase, and that the device receives it."
        )
    if number == improv.NOT_AUTHORISED:
        raise ImprovError("The device asks for the set-up code again.")
    raise ImprovError(f"The device reports error {number}.")


def _receive(channel: Channel, end_s: float) -> list[Event]:
    """Return the next events. Raises ImprovError at the end of the wait."""
    if fair_time.now() >= end_s:
        raise ImprovError("The device does not answer.")
    return channel.receive(_SLICE_S)


def _answer(channel: Channel) -> Event:
    """Return the next result or refusal."""
    end_s = fair_time.now() + ANSWER_S
    while True:
        for kind, data in _receive(channel, end_s):
            if kind == improv.RPC_RESULT or (
                kind == improv.ERROR_STATE and data != bytes((improv.NO_ERROR,))
            ):
                return kind, data


def _state(channel: Channel) -> int:
    """Return the next state that the device sends."""
    end_s = fair_time.now() + ANSWER_S
    while True:
        for kind, data in _receive(channel, end_s):
            if kind == improv.CURRENT_STATE and len(data) == 1:
                return data[0]
