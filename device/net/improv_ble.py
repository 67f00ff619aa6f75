"""Improv Wi-Fi over Bluetooth (improv-wifi.com/ble): frames, and the unit's side of one client's conversation. No I/O.

A frame is number, length, body, and the sum of all bytes before it. Bluetooth is a radio, and Improv sends everything
in the clear. Rules:
1. In the clear a client gets the state, the errors and the capabilities. It is refused every command of Improv, and
   PROVE too: neither the set-up code nor a passphrase crosses the air in the clear.
2. CHALLENGE (ours) is answered with the salt of the set-up code and 16 fresh random bytes, the nonce. Both sides derive
   a key: HMAC-SHA-256(verifier of the code, "firstboot improv ble" || nonce), its first 16 bytes. Nobody can without
   the 100 random bits of the code. So no guess is counted, and no stranger in range can make the owner wait.
3. SEALED (ours) carries a command of Improv: AES-CCM with that key, a 16-byte tag and the nonce 0 || number of the
   client's message (12 bytes, from 0). Results come back as SEALED with 1 || number of the unit's message. A seal that
   is wrong, repeated or out of order ends the key: a new challenge is needed.
4. Only a unit in factory default answers. A unit that was reset wants a press of the button first.
"""

from device.compat import const
from device.crypto import backend
from device.errors import FirstbootError
from device.net import improv

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Protocol

    class BleServices(improv.ImprovServices, Protocol):
        """The services of a unit that the conversation over Bluetooth needs."""

        def proof_key(self, context: bytes) -> "tuple[bytes, bytes]":
            """Return (salt, HMAC of `context` under the verifier of the set-up code). Raises FirstbootError."""

        def random_bytes(self, length: int) -> bytes:
            """Raises EntropyError."""


CHALLENGE, SEALED = const(0xF2), const(0xF3)
CAPABILITIES = bytes((0x06,))  # device information and a list of networks; no "identify"
CONTEXT = b"firstboot improv ble"
NONCE_BYTES = const(16)
KEY_BYTES = const(16)
TAG_BYTES = const(16)
FRAME_BYTES = const(258)
_TO_UNIT, _TO_CLIENT = b"\x00", b"\x01"
_NUMBER_BYTES = const(12)


def frame(data: bytes) -> bytes:
    """Return number, length and body with their sum."""
    return data + bytes((sum(data) & 0xFF,))


def seal(key: bytes, is_from_unit: bool, number: int, plain: bytes) -> bytes:
    """Return number, length and body of the message `number` of a side. Raises ValueError for more than 239 bytes."""
    nonce = _nonce(is_from_unit, number)
    body: bytes = backend.aes_ccm_encrypt(key, nonce, b"", plain, TAG_BYTES)
    if len(body) > 255:
        raise ValueError("sealed")
    return bytes((SEALED, len(body))) + body


def unseal(key: bytes, is_from_unit: bool, number: int, body: bytes) -> bytes:
    """Return what was sealed. Raises ValueError."""
    plain: bytes = backend.aes_ccm_decrypt(key, _nonce(is_from_unit, number), b"", body, TAG_BYTES)
    return plain


def _nonce(is_from_unit: bool, number: int) -> bytes:
    return (_TO_CLIENT if is_from_unit else _TO_UNIT) + number.to_bytes(_NUMBER_BYTES, "big")


class BleConversation:
    """The unit's side with one client. `receive` takes what it writes; answers are lists of (type, data)."""

    def __init__(self, services: "BleServices") -> None:
        self._services = services
        self._conversation = improv.Conversation(services)
        self._data = b""
        self._key = b""
        self._numbers = [0, 0]  # of the client's next message, of the unit's
        self.state = self._conversation.state

    def receive(self, data: bytes) -> "list[tuple[int, bytes]]":
        """Return the answer to the frame that `data` completes, or an empty list. A client writes one at a time."""
        self._data += data
        if len(self._data) < 2:
            return []
        size = 3 + self._data[1]
        if len(self._data) < size:
            return []
        whole, self._data = self._data, b""
        if len(whole) > size or sum(whole[:-1]) & 0xFF != whole[-1]:
            return [improv.error(improv.INVALID)]
        return self._command(whole[:-1])

    def tick(self) -> "list[tuple[int, bytes]]":
        """Return what the client must learn now."""
        return self._closed(self._conversation.tick())

    def _command(self, data: bytes) -> "list[tuple[int, bytes]]":
        number, body = data[0], data[2:]
        if number == CHALLENGE and not body:
            return self._challenge()
        if number == SEALED:
            return self._open(body)
        if number in (improv.SETTINGS, improv.GET_INFO, improv.GET_NETWORKS, improv.PROVE):
            return [improv.error(improv.NOT_AUTHORISED)]
        return [improv.error(improv.UNKNOWN_COMMAND)]

    def _challenge(self) -> "list[tuple[int, bytes]]":
        self._forget()
        if self.state() == improv.STOPPED:
            return [improv.error(improv.NOT_AUTHORISED)]
        try:
            nonce = self._services.random_bytes(NONCE_BYTES)
            salt, key = self._services.proof_key(CONTEXT + nonce)
        except FirstbootError:
            return [improv.error(improv.NOT_AUTHORISED)]
        self._key, self._numbers = key[:KEY_BYTES], [0, 0]
        return [(improv.RPC_RESULT, improv.result(CHALLENGE, (salt, nonce)))]

    def _open(self, body: bytes) -> "list[tuple[int, bytes]]":
        if not self._key or self.state() == improv.STOPPED:
            return [improv.error(improv.NOT_AUTHORISED)]
        try:
            plain = unseal(self._key, False, self._numbers[0], body)
        except ValueError:
            self._forget()
            return [improv.error(improv.NOT_AUTHORISED), self._conversation.state_event()]
        if self._numbers[0] == 0:
            self._conversation.authorise()
        self._numbers[0] += 1
        return self._closed(self._conversation.command(plain))

    def _closed(self, events: "list[tuple[int, bytes]]") -> "list[tuple[int, bytes]]":
        """Return the events with their results sealed. A result for which there is no key any more is left out."""
        out = []
        for kind, data in events:
            if kind != improv.RPC_RESULT:
                out.append((kind, data))
            elif self._key:
                out.append((kind, seal(self._key, True, self._numbers[1], data)))
                self._numbers[1] += 1
        return out

    def _forget(self) -> None:
        self._key = b""
        self._conversation.revoke()
