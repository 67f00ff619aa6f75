"""The device half of the factory port: requests in, answers out. A power cut leaves nothing half done.

Rules:
1. The port checks the lock before the operation: a locked unit answers `hello`, signed, and refuses the rest.
2. A request is [sequence, operation, {arguments}], an answer [sequence, error number, {results}]; number 0 means
   done. A request without a readable sequence is answered with sequence 0. A refusal carries {"reason": text}
   made of field names and numbers, never of contents.
3. A repeated request (same bytes) gets the same answer and is not carried out again.
4. Only the records of store.STATION_RECORDS are written, one at a time, in order, into RAM of their own size;
   flash changes when the last part has arrived. Private keys are generated here and never leave. A unit without
   entropy takes them from the station (`put_key`), a unit with entropy never does.
5. The operation `seal` checks all records and stores their record hash: the unit is then complete. A changed record
   deletes the stored hash, and the lock needs a stored hash that equals the records.
6. Before the lock nothing is final: a unit that loses power is provisioned again from the start.
"""

from device.codec import cbor, cose
from device.codec.frame import FrameDecoder, encode_frame
from device.compat import const
from device.crypto import backend, csr
from device.errors import (
    CborError,
    EntropyError,
    FactoryError,
    FirstbootError,
    LockedError,
    MemoryShortError,
)
from device.factory.check import check_records
from device.limits import FACTORY_DATA_BYTES, FACTORY_FRAME_BYTES, NONCE_BYTES
from device.records.store import DEVICE, RECORDS, STATION_RECORDS, find, record_hash

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any, Protocol

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
KEY_BYTES = const(32)  # P-256 private keys, big endian
P256_ORDER = int("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)  # SP 800-186 3.2.1.3
_READ_BYTES = const(256)
_REASON_CHARS = const(120)
_HASH_RECORD = "sealed"  # the record that holds the record hash


class FactoryPort:
    """The unit's side of the factory port. The lock sets `should_restart`; `serve` then restarts the unit."""

    def __init__(self, services: "FactoryServices") -> None:
        self.should_restart = False
        self._services = services
        self._assembly: "_Assembly | None" = None
        self._last_request: "bytes | None" = None
        self._last_answer = b""
        self._operations = {
            "make_key": self._make_key,
            "put_key": self._put_key,
            "write": self._write,
            "digest": self._digest,
            "seal": self._complete,
            "lock": self._lock,
        }

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
        handler = self._operations.get(operation) if isinstance(operation, str) else None
        if handler is None:
            raise FactoryError(reason="operation")
        return handler(arguments)

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

    # make_key -> a request for a certificate -------------------------------------------------------------

    def _make_key(self, arguments: "Any") -> "dict[str, Any]":
        role = cbor.check_map(arguments, (("role", str),))["role"]
        if role not in ("device", "web"):
            raise FactoryError(reason="role")
        if not self._services.entropy.is_ready():
            raise EntropyError(what="key")
        private, public = backend.p256_generate(self._services.entropy.random_bytes)
        return self._take_key(role, private, public)

    def _put_key(self, arguments: "Any") -> "dict[str, Any]":
        """Take a key that the station generated, on a unit without entropy (ADR 0020)."""
        cbor.check_map(arguments, (("role", str), ("key", bytes)))
        role, private = arguments["role"], arguments["key"]
        if role not in ("device", "web"):
            raise FactoryError(reason="role")
        if self._services.entropy.is_ready():
            raise FactoryError(reason="the unit generates its own keys")
        if len(private) != KEY_BYTES or not 0 < int.from_bytes(private, "big") < P256_ORDER:
            raise FactoryError(reason="key")
        return self._take_key(role, private, backend.p256_public(private))

    def _take_key(self, role: str, private: bytes, public: bytes) -> "dict[str, Any]":
        store = self._services.store
        self._drop_record_hash()
        store.delete(role + ".crt")  # it belongs to the key that is replaced now
        store.write(role + ".key", private)
        return {"csr": csr.certification_request(public, lambda digest: backend.p256_sign(private, digest))}

    # write, digest ---------------------------------------------------------------------------------------

    def _write(self, arguments: "Any") -> "dict[str, Any]":
        cbor.check_map(arguments, (("name", str), ("offset", int), ("data", bytes), ("total", int)))
        name, data = arguments["name"], arguments["data"]
        if arguments["offset"] == 0:
            self._assembly = _Assembly(name, arguments["total"])
        assembly = self._assembly
        if assembly is None or not assembly.take(name, arguments["offset"], data, arguments["total"]):
            self._assembly = None
            raise FactoryError(reason="part")
        if assembly.is_complete():
            self._assembly = None
            self._drop_record_hash()
            self._services.store.write(name, bytes(assembly.content))
        return {}

    def _digest(self, arguments: "Any") -> "dict[str, Any]":
        name = cbor.check_map(arguments, (("name", str),))["name"]
        _station_record(name)
        data = self._services.store.require(name)
        return {"sha256": backend.sha256(data), "size": len(data)}

    # seal (complete), lock -------------------------------------------------------------------------------

    def _complete(self, arguments: "Any") -> "dict[str, Any]":
        cbor.check_map(arguments, ())
        store = self._services.store
        check_records(store)
        for record in RECORDS:  # records that a unit writes in use must not exist before it ships
            if record.region == DEVICE and not record.from_station and not record.name.endswith(".key"):
                store.delete(record.name)
        # A unit that does not find these later has lost them (agent/sources.py, rule 2; owner/onboarding.py, rule 7).
        store.write("oscore.seq", bytes(8))
        store.write_map("press", {1: False})
        result = record_hash(store)
        store.write_map(_HASH_RECORD, {1: result})
        return {"record_hash": result}

    def _lock(self, arguments: "Any") -> "dict[str, Any]":
        wanted = cbor.check_map(arguments, (("record_hash", bytes),))["record_hash"]
        store = self._services.store
        stored = store.read_map(_HASH_RECORD)
        if stored is None:
            raise FactoryError(reason="not complete")
        if stored.get(1) != wanted or record_hash(store) != wanted:
            raise FactoryError(reason="record hash")
        check_records(store)
        self._services.lock()
        self.should_restart = True
        return {}

    def _drop_record_hash(self) -> None:
        if self._services.store.has(_HASH_RECORD):
            self._services.store.delete(_HASH_RECORD)


class _Assembly:
    """A record that arrives in parts. Raises FactoryError for a name or size that is refused."""

    def __init__(self, name: str, total: int) -> None:
        limit = _station_record(name).max_bytes
        if not 0 < total <= limit:
            raise FactoryError(reason="size", limit=limit)
        self.name = name
        self.content = bytearray(total)
        self.filled = 0

    def take(self, name: str, offset: int, data: bytes, total: int) -> bool:
        """Add a part. Return False if it is not the next part of this record."""
        end = offset + len(data)
        if name != self.name or total != len(self.content) or offset != self.filled:
            return False
        if not 0 < len(data) <= FACTORY_DATA_BYTES or end > total:
            return False
        self.content[offset:end] = data
        self.filled = end
        return True

    def is_complete(self) -> bool:
        return self.filled == len(self.content)


def signed_hello(store: "Store", nonce: bytes) -> bytes:
    """Return a locked unit's COSE_Sign1 {1: nonce, 2: device id, 3: is locked, 4: record hash} by its device key.

    Raises StorageError, RecordDamagedError when identity, key or record hash cannot be read.
    """
    private = store.require("device.key")
    identity = cbor.decode(store.require("identity"))
    stored = cbor.decode(store.require(_HASH_RECORD))
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


def _station_record(name: str) -> "Any":
    """Return the table's entry of a record that the station may write. Raises FactoryError."""
    if name not in STATION_RECORDS:
        raise FactoryError(reason="name")
    return find(name)
