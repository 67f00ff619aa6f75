"""Tables of the station's registry: one SQLite file for one station (PostgreSQL for many comes with the same).

No column holds a set-up code, a private key or a shared secret (PR-02); codes are kept as keyed fingerprints.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import ForeignKey, LargeBinary, MetaData, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

RESERVED: Final = (
    "reserved"  # identity and code fingerprint are taken; the unit may be anywhere before its lock
)
SEALED: Final = "sealed"  # records verified, label printed and read back; the lock may have been asked for
RELEASED: Final = "released"  # the lock is proved


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Setting(Base):
    """Facts about the registry itself, such as the check value of its key."""

    __tablename__ = "setting"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)


class Batch(Base):
    """A batch of one product; what it declares cannot change once it is open (SC-08, PR-06)."""

    __tablename__ = "batch"
    number: Mapped[str] = mapped_column(String(32), primary_key=True)
    model: Mapped[str] = mapped_column(String(200))
    declared_digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    is_development: Mapped[bool]
    is_closed: Mapped[bool]
    opened_s: Mapped[int]  # unix seconds


class Document(Base):
    """A record that all units of a batch carry: support record, contact, statement. Written once."""

    __tablename__ = "document"
    batch: Mapped[str] = mapped_column(ForeignKey("batch.number"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class SerialCounter(Base):
    """The next serial number of a prefix. Serials are public; nothing secret is derived from them (PW-07)."""

    __tablename__ = "serial_counter"
    prefix: Mapped[str] = mapped_column(String(12), primary_key=True)
    next_number: Mapped[int]


class Unit(Base):
    """One physical unit: one hardware id, one identity, for good (PR-04)."""

    __tablename__ = "unit"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    hardware_id: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    device_id: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    serial: Mapped[str] = mapped_column(String(32), unique=True)
    batch: Mapped[str] = mapped_column(ForeignKey("batch.number"))
    status: Mapped[str] = mapped_column(String(16))
    is_development: Mapped[bool]
    reserved_s: Mapped[int]
    version: Mapped[str | None] = mapped_column(String(32))
    image_digest: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    device_certificate: Mapped[bytes | None] = mapped_column(LargeBinary)
    web_fingerprint: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    record_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    statement_sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    support_end_day: Mapped[int | None]  # days since 1970-01-01
    label_mac: Mapped[bytes | None] = mapped_column(LargeBinary(32))  # keyed: the label shows the code
    label_name: Mapped[str | None] = mapped_column(String(64))
    released_s: Mapped[int | None]


class CodeFingerprint(Base):
    """HMAC of a set-up code that was ever drawn. One is never drawn again, whatever became of its unit (PW-10)."""

    __tablename__ = "code_fingerprint"
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    is_live: Mapped[bool]  # at most one per unit
    drawn_s: Mapped[int]


class PhaseEntry(Base):
    """What one phase of one run came to."""

    __tablename__ = "phase_entry"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    run: Mapped[str] = mapped_column(String(32), index=True)
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)
    name: Mapped[str] = mapped_column(String(32))
    outcome: Mapped[str] = mapped_column(String(16))
    seconds: Mapped[float]
    measurements: Mapped[str]  # JSON
    error: Mapped[str | None]
    ended_s: Mapped[int]


class ProductionRecord(Base):
    """One released unit in the hash chain (PR-03): hash = SHA-256(previous hash || body)."""

    __tablename__ = "production_record"
    __table_args__ = (UniqueConstraint("unit_id"),)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    body: Mapped[str]  # JSON, sorted keys
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
