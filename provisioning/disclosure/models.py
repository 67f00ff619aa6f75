"""The tables of the case store: a SQLite file, or a PostgreSQL database, with the engine of the registry.

Rules:
1. `case_event` is append-only, hash-chained and signed, and is the only source of what a case is: every view is
   computed from it (`case.py`). The other tables hold what may have to be erased or what changes while mail is sent.
2. An event holds no personal data: a reporter is a random number there, and a message is its salted SHA-256. So an
   address or a message can be erased and the chain stays valid.
3. (case, version) is unique: of two people who decide on the same version, one is refused.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, MetaData, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from provisioning.registry.models import NAMING, TYPES, Fact


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES


class Setting(Fact, Base):
    """A fact about the store itself: its id, the check value of its key."""


class Chain(Base):
    """The chain of one signing key. A restored store begins a new one if its key is another."""

    __tablename__ = "chain"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary(65))  # P-256


class CaseEvent(Base):
    """One event in a chain. `case_code` None: about the store, not about one case."""

    __tablename__ = "case_event"
    __table_args__ = (UniqueConstraint("case_code", "version"),)
    chain: Mapped[str] = mapped_column(ForeignKey("chain.name"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    case_code: Mapped[str | None] = mapped_column(String(16), index=True)
    version: Mapped[int]
    body: Mapped[str]  # JSON, sorted keys
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    signature: Mapped[bytes] = mapped_column(LargeBinary(64))


class Checkpoint(Base):
    """A signed list of the heads of all chains (provisioning/registry/chains.py)."""

    __tablename__ = "checkpoint"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    data: Mapped[bytes]


class Reporter(Base):
    """A person who reported: at most an address and a name, and the hash of the token of an anonymous one."""

    __tablename__ = "reporter"
    id: Mapped[str] = mapped_column(String(16), primary_key=True)  # random
    address: Mapped[str | None] = mapped_column(String(320), index=True)
    name: Mapped[str | None] = mapped_column(String(200))
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)


class Message(Base):
    """A message from or to a reporter. The event holds `digest`, which covers salt and text."""

    __tablename__ = "message"
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    case_code: Mapped[str] = mapped_column(String(16), index=True)
    reporter: Mapped[str] = mapped_column(String(16))
    received_s: Mapped[int] = mapped_column(BigInteger)
    salt: Mapped[bytes] = mapped_column(LargeBinary(16))
    text: Mapped[str | None]  # None: erased
    raw_digest: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)  # of the mail as it came
    message_id: Mapped[str | None] = mapped_column(String(300), index=True)
    attachments: Mapped[str]  # JSON: name, type, bytes, SHA-256 of each file in quarantine


class Outgoing(Base):
    """A notice to a reporter: what is sent, and how far it came (`outbox.py`)."""

    __tablename__ = "outgoing"
    message_id: Mapped[str] = mapped_column(String(120), primary_key=True)
    case_code: Mapped[str] = mapped_column(String(16), index=True)
    reporter: Mapped[str] = mapped_column(ForeignKey("reporter.id"))
    number: Mapped[int]  # of its event: notices are sent in the order of the log
    purpose: Mapped[str] = mapped_column(String(24))
    subject: Mapped[str] = mapped_column(String(200))
    text: Mapped[str | None]  # None: erased
    in_reply_to: Mapped[str | None] = mapped_column(String(300))
    status: Mapped[str] = mapped_column(String(12), index=True)
    queued_s: Mapped[int] = mapped_column(BigInteger)
    next_try_s: Mapped[int] = mapped_column(BigInteger)
    tries: Mapped[int]
    note: Mapped[str] = mapped_column(String(200))


class TakenMail(Base):
    """A mail that is not a message of a case: held for a person, a bounce, or a copy of our own. It is in the spool."""

    __tablename__ = "taken_mail"
    raw_digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    sender: Mapped[str] = mapped_column(String(320))
    received_s: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(String(200))
    is_held: Mapped[bool]
