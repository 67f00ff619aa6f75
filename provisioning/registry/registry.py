"""What the station knows of its units, durably: identities, burned codes, phases, released units.

Rules:
1. An identity and a code's fingerprint are on disk before they are used (PR-04).
2. A hardware id has one identity for good. A run that is repeated before the lock gets the same identity and a
   new code; the old code's fingerprint stays burned.
3. A code is never given out twice, to whatever unit, in whatever run (PW-10).
4. A unit is released once, after its lock was proved; released units form a hash chain (PR-03).
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from provisioning.registry.database import RegistryError, chain_hash, fingerprint, open_engine
from provisioning.registry.models import (
    RELEASED,
    RESERVED,
    SEALED,
    Batch,
    CodeFingerprint,
    Document,
    PhaseEntry,
    ProductionRecord,
    SerialCounter,
    Unit,
)

GENESIS = bytes(32)
SERIAL_DIGITS = 6


class AlreadyReleasedError(RegistryError):
    """The unit is finished; it is not provisioned a second time."""


class DuplicateCodeError(RegistryError):
    """The code drawn was drawn before."""


class BatchError(RegistryError):
    """The batch is closed, or was opened for something else."""


class PhaseFacts(Protocol):
    """What the registry stores of a phase."""

    @property
    def name(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def measurements(self) -> Mapping[str, Any]: ...
    @property
    def error(self) -> str | None: ...


@dataclass(frozen=True)
class Reservation:
    """An identity that is a unit's for good. `is_resumed`: an earlier run had reserved it."""

    unit_id: int
    device_id: bytes
    serial: str
    is_resumed: bool


@dataclass(frozen=True)
class SealedFacts:
    """What is known of a unit right before it is locked."""

    version: str
    image_digest: bytes
    device_certificate: bytes
    web_fingerprint: bytes
    record_hash: bytes
    statement_sha256: bytes
    support_end_day: int
    label: bytes
    label_name: str


class Registry:
    """One open registry. Every method is one durable transaction and raises RegistryError."""

    def __init__(self, path: Path, *, now: Callable[[], int] = lambda: int(time.time())) -> None:
        self._engine, self._key = open_engine(path)
        self._now = now
        self.path = path

    def close(self) -> None:
        self._engine.dispose()

    def open_batch(self, number: str, model: str, declared_digest: bytes, *, is_development: bool) -> int:
        """Open a batch or go on with it; unix seconds of its opening. Raises BatchError where it differs."""
        with Session(self._engine) as session, session.begin():
            batch = session.get(Batch, number)
            if batch is None:
                batch = Batch(
                    number=number,
                    model=model,
                    declared_digest=declared_digest,
                    is_development=is_development,
                    is_closed=False,
                    opened_s=self._now(),
                )
                session.add(batch)
            if batch.is_closed:
                raise BatchError(f"batch {number} is closed; its number is not used again (PR-06)")
            if batch.is_development != is_development:
                raise BatchError(f"batch {number} mixes development and production keys")
            if batch.declared_digest != declared_digest:
                raise BatchError(
                    f"batch {number} was opened with another product definition; use a new number"
                )
            return batch.opened_s

    def close_batch(self, number: str) -> None:
        """Close a batch for good."""
        with Session(self._engine) as session, session.begin():
            batch = session.get(Batch, number)
            if batch is None:
                raise BatchError(f"there is no batch {number}")
            batch.is_closed = True

    def document(self, batch: str, kind: str, make: Callable[[], bytes]) -> bytes:
        """The batch's document of this kind; made and stored by the first unit, the same for all others."""
        with Session(self._engine) as session, session.begin():
            found = session.get(Document, (batch, kind))
            if found is None:
                found = Document(batch=batch, kind=kind, data=make())
                session.add(found)
            return found.data

    def reserve(
        self, hardware_id: bytes, batch: str, serial_prefix: str, code: str, *, is_development: bool
    ) -> Reservation:
        """Give the unit its identity and take the code, in one step.

        Raises AlreadyReleasedError, DuplicateCodeError, BatchError.
        """
        mark = fingerprint(self._key, "set-up code", code.encode())
        with Session(self._engine) as session, session.begin():
            if session.get(CodeFingerprint, mark) is not None:
                raise DuplicateCodeError(
                    "the set-up code was drawn before; the random source is not to be trusted"
                )
            unit = session.scalar(select(Unit).where(Unit.hardware_id == hardware_id))
            is_resumed = unit is not None
            if unit is None:
                unit = self._new_unit(session, hardware_id, batch, serial_prefix, is_development)
            if unit.status == RELEASED:
                raise AlreadyReleasedError(f"unit {unit.serial} is released; it is not provisioned again")
            if unit.batch != batch:
                raise BatchError(f"unit {unit.serial} was begun in batch {unit.batch}, not in {batch}")
            unit.status = RESERVED
            _burn(session, unit.id)
            session.add(CodeFingerprint(fingerprint=mark, unit_id=unit.id, is_live=True, drawn_s=self._now()))
            return Reservation(unit.id, unit.device_id, unit.serial, is_resumed)

    def _new_unit(
        self, session: Session, hardware_id: bytes, batch: str, prefix: str, is_development: bool
    ) -> Unit:
        counter = session.get(SerialCounter, prefix)
        if counter is None:
            counter = SerialCounter(prefix=prefix, next_number=1)
            session.add(counter)
        unit = Unit(
            hardware_id=hardware_id,
            device_id=secrets.token_bytes(16),
            serial=f"{prefix}{counter.next_number:0{SERIAL_DIGITS}d}",
            batch=batch,
            status=RESERVED,
            is_development=is_development,
            reserved_s=self._now(),
        )
        counter.next_number += 1
        session.add(unit)
        session.flush()
        return unit

    def seal(self, unit_id: int, facts: SealedFacts) -> None:
        """Note what is about to be locked; from here on the unit may be locked without our knowing it."""
        with Session(self._engine) as session, session.begin():
            unit = _unit(session, unit_id)
            if unit.status == RELEASED:
                raise AlreadyReleasedError(f"unit {unit.serial} is released")
            for name in (
                "version", "image_digest", "device_certificate", "web_fingerprint", "record_hash",
                "statement_sha256", "support_end_day", "label_name",
            ):  # fmt: skip
                setattr(unit, name, getattr(facts, name))
            unit.label_mac = fingerprint(self._key, "label", facts.label)
            unit.status = SEALED

    def release(self, unit_id: int, facts: Mapping[str, Any]) -> bytes:
        """Finish a sealed unit; the hash (32 bytes) of its production record. Repeating it changes nothing."""
        with Session(self._engine) as session, session.begin():
            unit = _unit(session, unit_id)
            if unit.status == RELEASED:
                return session.scalars(
                    select(ProductionRecord.hash).where(ProductionRecord.unit_id == unit_id)
                ).one()
            if unit.status != SEALED:
                raise RegistryError(f"unit {unit.serial} is not sealed")
            unit.status = RELEASED
            unit.released_s = self._now()
            return _append(session, unit, facts)

    def is_label(self, unit_id: int, label: bytes) -> bool:
        """Whether these bytes are the label that was read back before the lock."""
        with Session(self._engine) as session:
            mac = _unit(session, unit_id).label_mac
        return mac is not None and secrets.compare_digest(mac, fingerprint(self._key, "label", label))

    def is_live_code(self, unit_id: int, code: str) -> bool:
        """Whether `code` is the code that the unit's device knows; for reading labels back."""
        mark = fingerprint(self._key, "set-up code", code.encode())
        with Session(self._engine) as session:
            found = session.get(CodeFingerprint, mark)
            return found is not None and found.is_live and found.unit_id == unit_id

    def find(self, *, hardware_id: bytes | None = None, device_id: bytes | None = None) -> Unit | None:
        """The unit with this hardware id or device id, detached; None when it is not known."""
        column, value = (
            (Unit.hardware_id, hardware_id) if hardware_id is not None else (Unit.device_id, device_id)
        )
        with Session(self._engine, expire_on_commit=False) as session:
            return session.scalar(select(Unit).where(column == value))

    def units(self) -> list[Unit]:
        """All units in the order of their reservation, detached."""
        with Session(self._engine, expire_on_commit=False) as session:
            return list(session.scalars(select(Unit).order_by(Unit.id)))

    def codes_drawn(self, unit_id: int) -> tuple[int, int]:
        """(codes drawn for the unit, how many of them are live)."""
        query = select(func.count(), func.coalesce(func.sum(CodeFingerprint.is_live), 0))
        with Session(self._engine) as session:
            drawn, live = session.execute(query.where(CodeFingerprint.unit_id == unit_id)).one()
        return int(drawn), int(live)

    def add_phases(self, run: str, unit_id: int | None, phases: Iterable[PhaseFacts]) -> None:
        """Store what the phases of a run came to."""
        with Session(self._engine) as session, session.begin():
            for phase in phases:
                session.add(
                    PhaseEntry(
                        run=run,
                        unit_id=unit_id,
                        name=phase.name,
                        outcome=str(phase.outcome),
                        seconds=phase.seconds,
                        measurements=json.dumps(dict(phase.measurements), sort_keys=True),
                        error=phase.error,
                        ended_s=self._now(),
                    )
                )

    def phases(self, unit_id: int) -> list[PhaseEntry]:
        """What the phases of a unit's runs came to, in order, detached."""
        query = select(PhaseEntry).where(PhaseEntry.unit_id == unit_id).order_by(PhaseEntry.id)
        with Session(self._engine, expire_on_commit=False) as session:
            return list(session.scalars(query))

    def verify_chain(self) -> int:
        """Check the chain of production records; how many there are. Raises RegistryError where it is broken."""
        previous = GENESIS
        with Session(self._engine) as session:
            records = list(session.scalars(select(ProductionRecord).order_by(ProductionRecord.number)))
            released = session.scalar(select(func.count()).where(Unit.status == RELEASED))
        for number, record in enumerate(records, 1):
            expected = chain_hash(previous, record.body)
            if (record.number, record.previous_hash, record.hash) != (number, previous, expected):
                raise RegistryError(f"production record {number} was changed, dropped or moved")
            previous = record.hash
        if released != len(records):
            raise RegistryError(f"{released} released units but {len(records)} production records")
        return len(records)


def _unit(session: Session, unit_id: int) -> Unit:
    unit = session.get(Unit, unit_id)
    if unit is None:
        raise RegistryError(f"there is no unit {unit_id}")
    return unit


def _burn(session: Session, unit_id: int) -> None:
    for old in session.scalars(select(CodeFingerprint).where(CodeFingerprint.unit_id == unit_id)):
        old.is_live = False


def _append(session: Session, unit: Unit, facts: Mapping[str, Any]) -> bytes:
    last = session.scalar(select(ProductionRecord).order_by(ProductionRecord.number.desc()).limit(1))
    number, previous = (last.number + 1, last.hash) if last is not None else (1, GENESIS)
    body = json.dumps({"number": number, "time": unit.released_s, **facts}, sort_keys=True)
    record = ProductionRecord(
        number=number,
        unit_id=unit.id,
        body=body,
        previous_hash=previous,
        hash=chain_hash(previous, body),
    )
    session.add(record)
    return record.hash
