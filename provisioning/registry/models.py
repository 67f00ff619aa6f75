"""The tables of a registry: one SQLite file for one station, PostgreSQL for many, with the same models.

No column holds a set-up code, a private key or a shared secret that a station or registry could read (PR-02): codes
are stored as keyed fingerprints, OSCORE secrets sealed to the CoAP server's public key.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, MetaData, String, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

RESERVED: Final = "reserved"  # identity and code fingerprint are taken; the lock was not asked for yet
COMPLETE: Final = (
    "complete"  # records verified, label printed and read back; the lock may have been asked for
)
PASSED: Final = "passed"  # the lock is proved
QUARANTINED: Final = "quarantined"  # failed, or its code was found twice; a person has to decide
RETIRED: Final = "retired"  # given up; serial, device id and codes stay taken permanently
LIVE: Final = (RESERVED, COMPLETE, PASSED)
_LIVE_SQL: Final = text("status IN ('reserved', 'complete', 'passed')")


# Names of constraints and types of columns, for the models of every store.
NAMING: Final = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
TYPES: Final[dict[Any, Any]] = {int: Integer, bytes: LargeBinary}


class Fact:
    """A fact about a store itself, in the table of that store's own class `Setting`."""

    __tablename__ = "setting"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[bytes]


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES


class Setting(Fact, Base):
    """A fact about the registry itself: its id, its role, the check value of its key."""


class Batch(Base):
    """A batch of one product. Its definition cannot change after it was opened (SC-08, PR-06)."""

    __tablename__ = "batch"
    number: Mapped[str] = mapped_column(String(32), primary_key=True)
    model: Mapped[str] = mapped_column(String(200))
    declared_digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    is_development: Mapped[bool]
    is_closed: Mapped[bool]
    opened_s: Mapped[int] = mapped_column(BigInteger)  # unix seconds
    shipped_s: Mapped[int | None] = mapped_column(BigInteger)  # when the main registry shipped it


class Document(Base):
    """A record that all units of a batch carry: support record, contact, statement. Written once."""

    __tablename__ = "document"
    batch: Mapped[str] = mapped_column(ForeignKey("batch.number"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    data: Mapped[bytes]


class SerialCounter(Base):
    """The next number of a prefix. Serials are public; nothing secret is derived from them (PW-07)."""

    __tablename__ = "serial_counter"
    prefix: Mapped[str] = mapped_column(String(12), primary_key=True)
    next_number: Mapped[int]


class NumberRange(Base):
    """Serial numbers taken out of a prefix: leased to a branch (`holder`), or kept for a batch here (holder "").

    In the main registry these numbers are given away or kept; in the branch they are used up.
    """

    __tablename__ = "number_range"
    prefix: Mapped[str] = mapped_column(String(12), primary_key=True)
    first_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last_number: Mapped[int]  # inclusive
    next_number: Mapped[int]
    holder: Mapped[str] = mapped_column(String(48))
    # only this batch uses the range; None: any batch of the prefix
    batch: Mapped[str | None] = mapped_column(String(32))


class Branch(Base):
    """A registry that worked without this one and is merged into it (the main registry's table)."""

    __tablename__ = "branch"
    name: Mapped[str] = mapped_column(String(48), primary_key=True)
    registry_id: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    synced_s: Mapped[int | None] = mapped_column(BigInteger)
    last_phase: Mapped[int]  # id of the last phase entry that was merged
    public_key: Mapped[bytes | None] = mapped_column(
        LargeBinary(65)
    )  # signs its sync files; known from the first one on
    sync_number: Mapped[int | None]  # of the last sync file that was taken in


class BranchBatch(Base):
    """A branch that may hold units of a batch. `is_done`: it was synced after it closed the batch."""

    __tablename__ = "branch_batch"
    branch: Mapped[str] = mapped_column(ForeignKey("branch.name"), primary_key=True)
    batch: Mapped[str] = mapped_column(ForeignKey("batch.number"), primary_key=True)
    is_done: Mapped[bool]


class Unit(Base):
    """One physical unit. A hardware id has one identity (PR-04); only rework gives the board another."""

    __tablename__ = "unit"
    __table_args__ = (
        Index(
            "uq_unit_live_hardware_id",
            "hardware_id",
            unique=True,
            sqlite_where=_LIVE_SQL,
            postgresql_where=_LIVE_SQL,
        ),
    )
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    hardware_id: Mapped[bytes] = mapped_column(LargeBinary(16), index=True)
    device_id: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    serial: Mapped[str] = mapped_column(String(80), unique=True)
    batch: Mapped[str] = mapped_column(ForeignKey("batch.number"), index=True)
    status: Mapped[str] = mapped_column(String(16))
    is_development: Mapped[bool]
    reserved_s: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[str | None] = mapped_column(String(32))
    image_digest: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    device_certificate: Mapped[bytes | None]
    web_fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    record_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    statement_sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    support_end_day: Mapped[int | None]  # days since 1970-01-01
    key_origin: Mapped[str | None] = mapped_column(String(16))  # "unit", or "injected" by the station
    # keyed, because the label shows the code
    label_mac: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    label_name: Mapped[str | None] = mapped_column(String(64))
    passed_s: Mapped[int | None] = mapped_column(BigInteger)
    note: Mapped[str | None] = mapped_column(
        String(400)
    )  # the reason for quarantine, retirement or withdrawal
    withdrawn_s: Mapped[int | None] = mapped_column(BigInteger)
    shipped_s: Mapped[int | None] = mapped_column(BigInteger)  # when the main registry shipped it


class CodeFingerprint(Base):
    """HMAC of a set-up code that was ever generated. No code is used twice, even if its unit is retired (PW-10)."""

    __tablename__ = "code_fingerprint"
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    is_live: Mapped[bool]  # at most one per unit
    generated_s: Mapped[int] = mapped_column(BigInteger)


class SealedSecret(Base):
    """A unit's OSCORE secret, which only the CoAP server can open (provisioning/registry/sealed.py)."""

    __tablename__ = "sealed_secret"
    device_id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    server_key_id: Mapped[bytes] = mapped_column(LargeBinary(8))
    sealed: Mapped[bytes]


class PhaseEntry(Base):
    """The result of one phase of one run."""

    __tablename__ = "phase_entry"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run: Mapped[str] = mapped_column(String(32), index=True)
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)
    name: Mapped[str] = mapped_column(String(32))
    outcome: Mapped[str] = mapped_column(String(16))
    seconds: Mapped[float]
    measurements: Mapped[str]  # JSON
    error: Mapped[str | None]
    ended_s: Mapped[int] = mapped_column(BigInteger)


class Chain(Base):
    """One station's chain of production records, and the key that signs it. A restored registry begins a new one."""

    __tablename__ = "chain"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    station: Mapped[str] = mapped_column(String(48))
    public_key: Mapped[bytes] = mapped_column(LargeBinary(65))  # P-256; empty: records from before signatures
    is_open: Mapped[bool]  # this registry appends to it


class ProductionRecord(Base):
    """A passed unit in a chain (PR-03): hash = SHA-256(previous hash || body), signed by the station."""

    __tablename__ = "production_record"
    chain: Mapped[str] = mapped_column(ForeignKey("chain.name"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), unique=True)
    body: Mapped[str]  # JSON, sorted keys
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    signature: Mapped[bytes] = mapped_column(LargeBinary(64))


class DecisionRecord(Base):
    """A decision of a person or a check (provisioning/registry/decisions.py), chained and signed like a record."""

    __tablename__ = "decision_record"
    chain: Mapped[str] = mapped_column(ForeignKey("chain.name"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    body: Mapped[str]  # JSON, sorted keys
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    signature: Mapped[bytes] = mapped_column(LargeBinary(64))


class Checkpoint(Base):
    """A signed list of the heads of all chains (provisioning/registry/chains.py)."""

    __tablename__ = "checkpoint"
    registry_id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[bytes]  # COSE_Sign1


class Incident(Base):
    """A conflict: a code or an identity was found twice. It blocks its batches until a person settles it."""

    __tablename__ = "incident"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(32))
    batch: Mapped[str] = mapped_column(String(32), index=True)
    text: Mapped[str] = mapped_column(String(400))
    found_s: Mapped[int] = mapped_column(BigInteger)
    settled_by: Mapped[str | None] = mapped_column(String(200))


class Consignee(Base):
    """A party that units are shipped to. A change of its details adds a version (`consignees.py`)."""

    __tablename__ = "consignee"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    role: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(400))
    email: Mapped[str | None] = mapped_column(String(320))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))  # keyed; the packing list names it
    recorded_s: Mapped[int] = mapped_column(BigInteger)


class SaleStop(Base):
    """A batch that may not ship because of an investigation (provisioning/registry/stops.py)."""

    __tablename__ = "sale_stop"
    case_code: Mapped[str] = mapped_column(String(16), primary_key=True)
    batch: Mapped[str] = mapped_column(String(32), primary_key=True)  # "": every batch of the model
    model: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(16))
    since_s: Mapped[int] = mapped_column(BigInteger)
    ended_s: Mapped[int | None] = mapped_column(BigInteger)
