"""The device half of the factory port: requests in, answers out. A power cut leaves nothing half done.

Rules:
1. The port checks the lock before the operation: a locked unit answers `hello`, signed, and refuses the rest.
2. A request is [sequence, operation, {arguments}], an answer [sequence, error number, {results}]; number 0 means
   done. A request without a readable sequence is answered with sequence 0. A refusal carries {"reason": text}
   made of field names and numbers, never of contents.
3. A repeated request (same bytes) gets the same answer and is not carried out again.
4. Before the lock nothing is final: a unit that loses power is provisioned again from the start.
5. The operations before the lock are in device/factory/operations.py; a locked unit does not load them.
"""

from device.codec import cbor, cose
from device.codec.frame import FrameDecoder, encode_frame
from device.compat import const
from device.crypto import backend
from device.errors import CborError, FactoryError, FirstbootError, LockedError, MemoryShortError
from device.limits import FACTORY_FRAME_BYTES, NONCE_BYTES
from device.records.store import HASH_RECORD

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Protocol

    from device.factory.operations import Operations
    from device.interfaces import Entropy, Stream
    from device.records.store import Store

    class FactoryServices(Protocol):
        """The agent's services for the port. Methods raise StorageError, FlashError."""

        board: str
        hardware_id: bytes  # 16 bytes
        version: str  # "1.0.0+0", of the running image
        image_digest: bytes  # 32 bytes
        is_development: bool  # a development build, or a fixed test seed: never for sale
        entropy: Entropy
        store: Store  # of the device region

        def is_locked(self) -> bool:
            """Return whether a byte of either lock copy is programmed."""

        def format_if_needed(self) -> None:
            """Format the device region if it does not mount; only called on an unlocked unit."""

        def lock(self) -> None:
            """Program both copies of the lock word."""

        def restart(self) -> None:
            """Restart through the boot ROM; does not return on a board."""


HELLO_TYP = "application/vnd.firstboot.hello+cbor"
_READ_BYTES = const(256)
_REASON_CHARS = const(120)


class FactoryPort:
    """The unit's side of the factory port. The lock sets `should_restart`; `serve` then restarts the unit."""

    def __init__(self, services: "FactoryServices") -> None:
        self.should_restart = False
        self._services = services
        self._operations: "Operations | None" = None
        self._last_request: "bytes | None" = None
        self._last_answer = b""

    def start(self) -> None:
        """Make an unlocked unit ready for records. Raises StorageError, FlashError."""
        if not self._services.is_locked():
            self._services.format_if_needed()

    async def serve(self, stream: "Stream") -> None:
        """Answer requests until the stream ends or the unit was locked. Raises LinkError."""
        self.start()
        decoder = FrameDecoder()
        while not self.should_restart:
            data = await stream.read(_READ_BYTES)
            if not data:
                return
            try:
                for request in decoder.feed(data):
                    await stream.write(encode_frame(self.handle(request)))
            except MemoryError:  # the frame is lost; the station repeats a request without an answer
                decoder = FrameDecoder()
        self._services.restart()

    def handle(self, request: bytes) -> bytes:
        """Return the answer (CBOR) to one request (CBOR, the payload of a frame). Never raises."""
        if request != self._last_request:
            self._last_answer = self._answer(request)
            self._last_request = bytes(request)
        return self._last_answer

    def _answer(self, request: bytes) -> bytes:
        sequence, code, results = 0, 0, {}
        try:
            message = cbor.decode(request, FACTORY_FRAME_BYTES)
            sequence = _sequence(message)
            results = self._run(message[1], message[2])
        except FirstbootError as error:
            code, results = error.code, {"reason": error.describe()[:_REASON_CHARS]}
        except MemoryError:
            code, results = MemoryShortError.code, {"reason": "memory"}
        except (OSError, ValueError) as error:  # of the C modules: no entropy
            code, results = FactoryError.code, {"reason": type(error).__name__}
        return cbor.encode([sequence, code, results])

    def _run(self, operation: "Any", arguments: "Any") -> "dict[str, Any]":
        if operation == "hello":
            cbor.check_map(arguments, (("nonce", bytes),))
            return self._hello(arguments["nonce"])
        if self._services.is_locked():
            raise LockedError(state="locked")
        if self._operations is None:
            # Not on a locked unit: its heap is for the owner.
            from device.factory.operations import Operations

            self._operations = Operations(self._services)
        results = self._operations.run(operation, arguments)
        self.should_restart = self._operations.is_done
        return results

    # hello -> facts about the unit -----------------------------------------------------------------------

    def _hello(self, nonce: bytes) -> "dict[str, Any]":
        if len(nonce) != NONCE_BYTES:
            raise FactoryError(reason="nonce length")
        services = self._services
        if services.is_locked():
            return {"hello": signed_hello(services.store, nonce)}
        return {
            "board": services.board,
            "hardware_id": services.hardware_id,
            "version": services.version,
            "image_digest": services.image_digest,
            "is_locked": False,
            "is_development": services.is_development,
            "has_entropy": services.entropy.is_ready(),
        }


def signed_hello(store: "Store", nonce: bytes) -> bytes:
    """Return a locked unit's COSE_Sign1 {1: nonce, 2: device id, 3: is locked, 4: record hash} by its device key.

    Raises StorageError, RecordDamagedError when identity, key or record hash cannot be read.
    """
    private = store.require("device.key")
    identity = cbor.decode(store.require("identity"))
    stored = cbor.decode(store.require(HASH_RECORD))
    payload = cbor.encode({1: nonce, 2: identity[1], 3: True, 4: stored[1]})
    return cose.sign1_encode(
        payload,
        algorithm=cose.ALG_ESP256,
        key_id=identity[1],
        sign=lambda signed: backend.p256_sign(private, backend.sha256(signed)),
        typ=HELLO_TYP,
        external_aad=HELLO_TYP.encode(),
    )


def _sequence(message: "Any") -> int:
    """Return the sequence number of [sequence, operation, {arguments}]. Raises CborError for another shape."""
    if not isinstance(message, list) or len(message) != 3:
        raise CborError(reason="not a request")
    sequence = message[0]
    if isinstance(sequence, bool) or not isinstance(sequence, int) or not 0 < sequence < 1 << 32:
        raise CborError(reason="sequence")
    return sequence
