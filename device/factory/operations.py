"""The operations of the factory port before the lock: keys, records, seal, lock. Only an unlocked unit loads them.

Rules:
1. Only the records of store.STATION_RECORDS are written, one at a time, in order, into RAM of their own size;
   flash changes when the last part has arrived. Private keys are generated here and never leave. A unit without
   entropy takes them from the station (`put_key`), a unit with entropy never does.
2. The operation `seal` checks all records and stores their record hash: the unit is then complete. A changed record
   deletes the stored hash, and the lock needs a stored hash that equals the records.
"""

from device.codec import cbor
from device.compat import const
from device.crypto import backend, csr
from device.errors import EntropyError, FactoryError
from device.factory.check import check_records
from device.limits import FACTORY_DATA_BYTES
from device.records.store import DEVICE, HASH_RECORD, RECORDS, STATION_RECORDS, find, record_hash

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.factory.factory_port import FactoryServices

KEY_BYTES = const(32)  # P-256 private keys, big endian
P256_ORDER = int("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)  # SP 800-186 3.2.1.3


class Operations:
    """The operations of one unlocked unit. `is_done` is set by the lock: the unit then restarts."""

    def __init__(self, services: "FactoryServices") -> None:
        self.is_done = False
        self._services = services
        self._assembly: "_Assembly | None" = None
        self._handlers = {
            "make_key": self._make_key,
            "put_key": self._put_key,
            "write": self._write,
            "digest": self._digest,
            "seal": self._complete,
            "lock": self._lock,
        }

    def run(self, operation: "Any", arguments: "Any") -> "dict[str, Any]":
        """Return the results of an operation. Raises FirstbootError; OSError, ValueError without entropy."""
        handler = self._handlers.get(operation) if isinstance(operation, str) else None
        if handler is None:
            raise FactoryError(reason="operation")
        return handler(arguments)

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
        store.write_map(HASH_RECORD, {1: result})
        return {"record_hash": result}

    def _lock(self, arguments: "Any") -> "dict[str, Any]":
        wanted = cbor.check_map(arguments, (("record_hash", bytes),))["record_hash"]
        store = self._services.store
        stored = store.read_map(HASH_RECORD)
        if stored is None:
            raise FactoryError(reason="not complete")
        if stored.get(1) != wanted or record_hash(store) != wanted:
            raise FactoryError(reason="record hash")
        check_records(store)
        self._services.lock()
        self.is_done = True
        return {}

    def _drop_record_hash(self) -> None:
        if self._services.store.has(HASH_RECORD):
            self._services.store.delete(HASH_RECORD)


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


def _station_record(name: str) -> "Any":
    """Return the table's entry of a record that the station may write. Raises FactoryError."""
    if name not in STATION_RECORDS:
        raise FactoryError(reason="name")
    return find(name)
