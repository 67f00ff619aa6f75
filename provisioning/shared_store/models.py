"""The tables of a server database: what several server processes share. No column holds a secret.

The units' OSCORE secrets stay in the credential store of each process. A row of `oscore_state` names a key by a keyed
digest, because numbers and replay window belong to a key: a unit with a new secret begins again.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Connection, Index, Integer, LargeBinary, MetaData, String, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from provisioning.registry.models import NAMING, TYPES, Fact


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES


class Setting(Fact, Base):
    """A fact about the database itself: its id."""


class OscoreState(Base):
    """The numbers that the servers used and accepted with one key of one unit (RFC 8613 5.2, 7.4)."""

    __tablename__ = "oscore_state"
    sender_id: Mapped[bytes] = mapped_column(LargeBinary(7), primary_key=True)
    key_name: Mapped[bytes] = mapped_column(LargeBinary(8), primary_key=True)
    upto: Mapped[int] = mapped_column(BigInteger)  # sender sequence numbers below it may have been used
    window_start: Mapped[int] = mapped_column(BigInteger)  # -1: no request was accepted yet
    window_seen: Mapped[int] = mapped_column(BigInteger)  # bit n: the number window_start + n was accepted


class ReportRow(Base):
    """One report of a unit, in the order in which the reports were stored."""

    __tablename__ = "report"
    __table_args__ = (Index("ix_report_device_number", "device", "number"), {"sqlite_autoincrement": True})
    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    time_s: Mapped[int] = mapped_column(BigInteger)  # unix seconds
    device: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(16))
    report: Mapped[bytes]


class PublishedFile(Base):
    """One published name of a product class, or its rollout record (provisioning/release/store.py)."""

    __tablename__ = "published"
    class_id: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    is_needed: Mapped[bool]  # of an object: the published manifest names it
    data: Mapped[bytes]


# Without compression PostgreSQL reads one block of an object, and not the whole of it.
PLAIN_DATA: Final = "ALTER TABLE published ALTER COLUMN data SET STORAGE EXTERNAL"


@event.listens_for(PublishedFile.__table__, "after_create")
def _store_plain(_: object, connection: Connection, **__: object) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(PLAIN_DATA)
