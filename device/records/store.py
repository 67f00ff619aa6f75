"""Durable records: the name, region and largest size of each, and the check that its bytes are undamaged.

Rules:
1. A record on flash is SHA-256(data) || data; a record that does not match its digest is damaged.
2. Only names in RECORDS exist. A record is in one region, so a factory reset, which erases the user region, deletes
   the owner's records and keeps the maker's.
3. "Absent" and "damaged" are different answers: absent is None, damaged raises RecordDamagedError (PW-04).
4. The port promises atomic writes (interfaces.Records: the old record or the new one).
5. A record has a form, which the digest shows: form 1 is SHA-256(data), form k SHA-256("firstboot record", k,
   data). Readers know every form up to their own; a release that does not know a form finds a damaged record.
6. So a release on trial keeps each record in the form that it found, and writes a new record in form 1: the previous
   release can read all of them while a revert is possible. After the confirm the release rewrites every record in the
   newest form, one after the other; a power cut between two leaves the rest to the next start.
"""

import hashlib
from collections import namedtuple

from device import limits
from device.codec import cbor
from device.compat import Rows, const
from device.errors import CodecError, LimitError, RecordDamagedError, StorageError

TYPE_CHECKING = const(0)
if TYPE_CHECKING:
    from typing import Any

    from device.interfaces import Records

_DEVICE = const("device")
_USER = const("user")
DEVICE = _DEVICE  # littlefs region that survives a factory reset
USER = _USER  # littlefs region that a factory reset erases

# A change of the form of record `name`: `version` is the newer form, `up` makes its data from those of the form
# before, `down` the other way round (it may leave out what the older release does not know). Both raise CodecError.
# Records from the station never change form: their hash is part of what the unit proves.
Migration = namedtuple("Migration", ("name", "version", "up", "down"))
MIGRATIONS: "tuple[Migration, ...]" = ()  # by name in the order of their versions, 2, 3, ...

# max_bytes counts the data without its digest. A record `from_station` is written over the factory port and is
# part of the record hash; keys are made on the device and reach that hash through their certificates.
Record = namedtuple("Record", ("name", "region", "max_bytes", "from_station"))

# max_bytes: a number, or the name of the bound in limits.py. All constant, so that the table stays in flash.
_ROWS = (
    ("anchors", _DEVICE, "RECORD_BYTES", True),
    ("contact", _DEVICE, "RECORD_BYTES", True),
    ("contact.newest", _DEVICE, "RECORD_BYTES", False),
    ("device.crt", _DEVICE, "RECORD_BYTES", True),
    ("identity", _DEVICE, 1024, True),
    ("oscore", _DEVICE, 256, True),
    ("servers", _DEVICE, "RECORD_BYTES", True),
    ("setup", _DEVICE, 128, True),
    ("statement", _DEVICE, "STATEMENT_BYTES", True),
    ("support", _DEVICE, "RECORD_BYTES", True),
    ("web.crt", _DEVICE, "RECORD_BYTES", True),
    ("device.key", _DEVICE, 32, False),
    ("web.key", _DEVICE, 32, False),
    ("sealed", _DEVICE, 64, False),
    ("owned", _DEVICE, 16, False),
    ("press", _DEVICE, 16, False),
    ("oscore.seq", _DEVICE, 8, False),
    ("unheard", _DEVICE, 16, False),
    ("withheld", _DEVICE, 64, False),
    ("crashes", _DEVICE, 32, False),
    ("progress", _DEVICE, 256, False),
    ("floors", _DEVICE, 32, False),
    ("appset", _DEVICE, 128, False),
    ("keyset", _DEVICE, "KEYSET_BYTES", False),
    ("pending", _DEVICE, "ENVELOPE_BYTES", False),
    ("failed", _DEVICE, "RECORD_BYTES", False),
    ("credential", _USER, 128, False),
    ("attempts", _USER, 32, False),
    ("settings", _USER, 32, False),
    ("events", _USER, "RECORD_BYTES", False),
    ("news", _USER, "RECORD_BYTES", False),
    ("wifi", _USER, 160, False),
    ("app", _USER, "RECORD_BYTES", False),
    ("home", _USER, 1536, False),
)


def _record(name: str, region: str, most: "int | str", from_station: bool) -> Record:
    return Record(name, region, getattr(limits, most) if isinstance(most, str) else most, from_station)


RECORDS = Rows(_record, _ROWS)

DIGEST_BYTES = 32
HASH_RECORD = "sealed"  # holds the record hash of the station's records
STATION_RECORDS = tuple([row[0] for row in _ROWS if row[3]])  # sorted by name


def find(name: str) -> "Record | None":
    """Return the table's entry for `name`, None if there is no such record."""
    for row in _ROWS:
        if row[0] == name:
            return _record(*row)
    return None


def steps(name: str) -> "list[Migration]":
    """Return the migrations of one record, oldest first."""
    return [step for step in MIGRATIONS if step.name == name]


def wrap(data: bytes, version: int = 1) -> bytes:
    """Return the bytes to store for `data` of form `version`: the digest, then the data."""
    return _digest(data, version) + data


def _digest(data: bytes, version: int) -> bytes:
    if version == 1:
        return hashlib.sha256(data).digest()
    return hashlib.sha256(b"firstboot record" + bytes((version,)) + data).digest()


def unwrap(name: str, stored: bytes) -> "tuple[int, bytes]":
    """Return form and data of a stored record. Raises RecordDamagedError if it does not match its digest."""
    data = stored[DIGEST_BYTES:]
    if len(stored) >= DIGEST_BYTES:
        for version in range(len(steps(name)) + 1, 0, -1):
            if _digest(data, version) == stored[:DIGEST_BYTES]:
                return version, data
    raise RecordDamagedError(name=name)


class Store:
    """The records of one region, checked when read and when written. Data have the newest form.

    `is_settled` is False for a release on trial, which keeps the forms that it finds (rule 6).
    Every method raises StorageError (field `reason`) for a name that is not a record of this region, and what
    the port raises (StorageError, StorageFullError).
    """

    def __init__(self, records: "Records", region: str = DEVICE, is_settled: bool = True) -> None:
        self._records = records
        self._region = region
        self.is_settled = is_settled

    def read(self, name: str) -> "bytes | None":
        """Return a record's data, None if it is absent. Raises RecordDamagedError."""
        entry = self._entry(name)
        stored = self._records.read(name)
        if stored is None:
            return None
        version, data = unwrap(name, stored)
        try:
            for step in steps(name)[version - 1 :]:
                data = step.up(data)
        except CodecError:
            raise RecordDamagedError(name=name) from None
        if len(data) > entry.max_bytes:
            raise RecordDamagedError(name=name)
        return data

    def require(self, name: str) -> bytes:
        """Return a record's data. Raises StorageError if it is absent, RecordDamagedError if it is damaged."""
        data = self.read(name)
        if data is None:
            raise StorageError(reason="absent", name=name)
        return data

    def write(self, name: str, data: bytes) -> None:
        """Store `data`, durable on return. Raises LimitError if it is too long."""
        entry = self._entry(name)
        if len(data) > entry.max_bytes:
            raise LimitError(what=name, limit=entry.max_bytes)
        changes = steps(name)
        version = len(changes) + 1 if self.is_settled else self._stored_version(name)
        for step in reversed(changes[version - 1 :]):
            data = step.down(data)
        self._records.write(name, wrap(data, version))

    def migrate(self) -> int:
        """Rewrite every record in its newest form, and use the newest forms from now on. Return how many.

        The agent calls this when the running release is confirmed. A damaged record stays; its reader reports it.
        """
        self.is_settled = True
        done = 0
        for entry in RECORDS:
            if entry.region != self._region or not steps(entry.name):
                continue
            try:
                if self.has(entry.name) and self._stored_version(entry.name) <= len(steps(entry.name)):
                    self.write(entry.name, self.require(entry.name))
                    done += 1
            except RecordDamagedError:
                pass
        return done

    def _stored_version(self, name: str) -> int:
        """Return the form of the stored record; 1, which every release reads, if it is absent or damaged."""
        stored = self._records.read(name)
        try:
            return 1 if stored is None else unwrap(name, stored)[0]
        except RecordDamagedError:
            return 1

    def delete(self, name: str) -> None:
        """Remove a record if it exists."""
        self._entry(name)
        self._records.delete(name)

    def has(self, name: str) -> bool:
        """Return whether the record exists, whole or damaged."""
        self._entry(name)
        return self._records.read(name) is not None

    def read_map(self, name: str) -> "dict[Any, Any] | None":
        """Return a record that is a CBOR map, None if it is absent. Raises RecordDamagedError for anything else."""
        data = self.read(name)
        if data is None:
            return None
        try:
            value = cbor.decode(data)
        except CodecError:
            raise RecordDamagedError(name=name) from None
        if not isinstance(value, dict):
            raise RecordDamagedError(name=name)
        return value

    def write_map(self, name: str, value: "dict[Any, Any]") -> None:
        """Store a CBOR map. Raises LimitError, CborError."""
        self.write(name, cbor.encode(value))

    def _entry(self, name: str) -> "Record":
        entry = find(name)
        if entry is None or entry.region != self._region:
            raise StorageError(reason="no such record", name=name, region=self._region)
        return entry


def record_hash(store: "Store") -> bytes:
    """Return the SHA-256 over the station's records in the order of their names, each as hash_item() encodes it.

    The station computes the same from the records that it wrote, and so checks that the unit stored them. Raises
    StorageError if one is absent, RecordDamagedError if one is damaged.
    """
    total = hashlib.sha256()
    for name in sorted(STATION_RECORDS):
        data = store.require(name)
        total.update(hash_item(name, data))
    return total.digest()


def hash_item(name: str, data: bytes) -> bytes:
    """Return the bytes that one record adds to the record hash: len(name) u8, name, len(data) u32 BE, data."""
    encoded = name.encode()
    return bytes((len(encoded),)) + encoded + len(data).to_bytes(4, "big") + data
