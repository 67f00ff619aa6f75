"""The station's durable data about its units: identities, burned codes, phases, results.

Rules:
1. An identity and a code's fingerprint are on disk before they are used (PR-04).
2. A hardware id has one identity. A run that is repeated before the lock gets the same identity and a new code; the
   fingerprint of the old code stays burned. Only rework, decided by a named person, retires an identity.
3. No code is given out twice, for any unit, in any run (PW-10).
4. A unit passes once, after its lock was proved. The records of passed units form signed hash chains (PR-03).
5. A unit that failed is quarantined: no run continues with it until a person decides.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from provisioning.registry import decisions, operations, reservations
from provisioning.registry.base import RegistryBase
from provisioning.registry.errors import (
    AlreadyPassedError,
    BatchError,
    DuplicateCodeError,
    QuarantinedError,
    RegistryError,
)
from provisioning.registry.fingerprint_key import fingerprint
from provisioning.registry.models import (
    LIVE,
    QUARANTINED,
    RETIRED,
    CodeFingerprint,
    PhaseEntry,
    Unit,
)
from provisioning.registry.operations import PhaseFacts
from provisioning.registry.reservations import Reservation

__all__ = [
    "AlreadyPassedError",
    "BatchError",
    "CompletedFacts",
    "DuplicateCodeError",
    "QuarantinedError",
    "Registry",
    "RegistryError",
    "Reservation",
]  # fmt: skip

NOTE_CHARS = 400
FACT_COLUMNS = (
    "version", "image_digest", "device_certificate", "web_fingerprint", "record_hash", "statement_sha256",
    "support_end_day", "label_name", "key_origin",
)  # fmt: skip


@dataclass(frozen=True)
class CompletedFacts:
    """The facts of a unit immediately before its lock. `oscore`: (key id of the server, sealed secret)."""

    version: str
    image_digest: bytes
    device_certificate: bytes
    web_fingerprint: bytes
    record_hash: bytes
    statement_sha256: bytes
    support_end_day: int
    label: bytes
    label_name: str
    key_origin: str = "unit"
    oscore: tuple[bytes, bytes] | None = field(default=None, repr=False)


class Registry(RegistryBase):
    """An open registry; RegistryBase describes how it is opened."""

    # Steps of a unit -----------------------------------------------------------------------------------------

    def reserve(
        self,
        hardware_id: bytes,
        batch: str,
        serial_prefix: str,
        code: str,
        *,
        is_development: bool,
        numbers: tuple[int, int] | None = None,
    ) -> Reservation:
        """Reserve the unit's identity and the code, in one transaction.

        `numbers`: the range that the batch was opened with.

        Raises AlreadyPassedError, QuarantinedError, DuplicateCodeError, BatchError, NumbersUsedUpError.
        """
        return self.writer.run(
            reservations.reserve(
                reservations.ReservationRequest(
                    hardware_id=hardware_id,
                    batch=batch,
                    serial_prefix=serial_prefix,
                    code_mark=fingerprint(self.database.key, "set-up code", code.encode()),
                    device_id=secrets.token_bytes(16),
                    is_development=is_development,
                    now=self.now(),
                    numbers=numbers,
                )
            )
        )

    def complete(self, unit_id: int, facts: CompletedFacts) -> None:
        """Store what is about to be locked.

        From here on the unit may be locked even if the station does not learn of it.

        Raises AlreadyPassedError, QuarantinedError.
        """
        columns = {name: getattr(facts, name) for name in FACT_COLUMNS}
        columns["label_mac"] = fingerprint(self.database.key, "label", facts.label)
        self.writer.run(operations.complete(unit_id, columns, facts.oscore))

    def record_pass(
        self,
        unit_id: int,
        facts: Mapping[str, Any],
        phases: Callable[[bytes], Iterable[PhaseFacts]] = lambda entry_hash: (),
    ) -> bytes:
        """Record that a complete unit passed. Return the hash (32 bytes) of its production record.

        `facts["station"]` names the chain that the record joins. `phases`: returns the phases of the run, given that
        hash; they are stored in the same commit. If the unit has passed already, only the phases are added.
        """
        signer = self.signer  # a key file or token that does not open fails before the transaction
        now, run = self.now(), secrets.token_hex(8)
        return self.writer.run(
            operations.record_pass(
                unit_id,
                facts,
                signer,
                now,
                lambda entry_hash: operations.phase_rows(run, unit_id, phases(entry_hash), now),
            )
        )

    def quarantine(self, unit_id: int, why: str) -> bool:
        """Stop a unit and burn its codes. Return False if it has passed or is stopped already."""
        return self.writer.run(operations.quarantine(unit_id, why[:NOTE_CHARS]))

    def retire(self, serial: str, *, by: str, reason: str) -> Unit:
        """Rework: retire an identity, so that its board can be provisioned again. Return the unit, detached.

        If the unit has passed, it is withdrawn too. `by`: the person who decided; a signed record names them. Raises
        RegistryError if the unit is unknown or retired.
        """
        signer = self.signer
        with self.writing() as session:
            unit = session.scalar(select(Unit).where(Unit.serial == serial))
            if unit is None:
                raise RegistryError(f"there is no unit {serial} in the registry")
            if unit.status == RETIRED:
                raise RegistryError(f"unit {serial} is retired already")
            decisions.add(session, signer, self.now(), decisions.REWORK, decisions.about(unit, by, reason))
            if unit.passed_s is not None:
                unit.withdrawn_s = self.now()
            before, unit.status, unit.note = unit.status, RETIRED, f"{by}: {reason}"[:NOTE_CHARS]
            _burn(session, unit.id)
            session.add(_decision("rework", unit.id, {"by": by, "reason": reason, "was": before}, self.now()))
            return unit

    def withdraw(self, serial: str, *, by: str, reason: str) -> Unit:
        """Withdraw a unit: later exports give it no access to any server. Return the unit, detached.

        Raises RegistryError if the unit is unknown.
        """
        signer = self.signer
        with self.writing() as session:
            unit = session.scalar(select(Unit).where(Unit.serial == serial))
            if unit is None:
                raise RegistryError(f"there is no unit {serial} in the registry")
            if unit.withdrawn_s is None:
                decisions.add(
                    session, signer, self.now(), decisions.WITHDRAW, decisions.about(unit, by, reason)
                )
                unit.withdrawn_s = self.now()
                session.add(_decision("revoke", unit.id, {"by": by, "reason": reason}, self.now()))
            return unit

    # Queries ---------------------------------------------------------------------------------------------------

    def is_label(self, unit_id: int, label: bytes) -> bool:
        """Return whether these bytes are the label that was read back before the lock."""
        with self.reading() as session:
            mac = get_unit(session, unit_id).label_mac
        return mac is not None and secrets.compare_digest(mac, fingerprint(self.database.key, "label", label))

    def is_live_code(self, unit_id: int, code: str) -> bool:
        """Return whether `code` is the code that the unit's device knows. For reading labels back."""
        mark = fingerprint(self.database.key, "set-up code", code.encode())
        with self.reading() as session:
            found = session.get(CodeFingerprint, mark)
            return found is not None and found.is_live and found.unit_id == unit_id

    def find(
        self, *, hardware_id: bytes | None = None, device_id: bytes | None = None, serial: str | None = None
    ) -> Unit | None:
        """Return the unit with this hardware id, device id or serial, detached; None if it is unknown.

        If several units have the hardware id (rework), return the one that is not retired, else the newest.
        """
        with self.reading() as session:
            if hardware_id is not None:
                return _by_hardware(session, hardware_id) or session.scalar(
                    select(Unit).where(Unit.hardware_id == hardware_id).order_by(Unit.id.desc()).limit(1)
                )
            column, value = (Unit.device_id, device_id) if device_id is not None else (Unit.serial, serial)
            return session.scalar(select(Unit).where(column == value))

    def units(self, batch: str | None = None) -> list[Unit]:
        """Return all units (of one batch) in the order of their reservation, detached."""
        query = select(Unit).order_by(Unit.id)
        with self.reading() as session:
            return list(session.scalars(query if batch is None else query.where(Unit.batch == batch)))

    def codes_generated(self, unit_id: int) -> tuple[int, int]:
        """Return (codes generated for the unit, how many of them are live)."""
        query = select(func.count(), func.count().filter(CodeFingerprint.is_live))
        with self.reading() as session:
            generated, live = session.execute(query.where(CodeFingerprint.unit_id == unit_id)).one()
        return int(generated), int(live)

    def add_phases(self, run: str, unit_id: int | None, phases: Iterable[PhaseFacts]) -> None:
        """Store the phases of a run."""
        self.writer.run(operations.add_phases(operations.phase_rows(run, unit_id, phases, self.now())))

    def phases(self, unit_id: int) -> list[PhaseEntry]:
        """Return the phases of a unit's runs, in order, detached."""
        query = select(PhaseEntry).where(PhaseEntry.unit_id == unit_id).order_by(PhaseEntry.id)
        with self.reading() as session:
            return list(session.scalars(query))


def get_unit(session: Session, unit_id: int) -> Unit:
    """Return the unit with this id. Raises RegistryError."""
    unit = session.get(Unit, unit_id)
    if unit is None:
        raise RegistryError(f"there is no unit {unit_id}")
    return unit


def quarantine_text(unit: Unit) -> str:
    """Return why a stopped unit cannot continue, and the next step."""
    return operations.stopped_text(unit.serial, unit.status, unit.note)


def _by_hardware(session: Session, hardware_id: bytes) -> Unit | None:
    query = select(Unit).where(Unit.hardware_id == hardware_id, Unit.status.in_((*LIVE, QUARANTINED)))
    return session.scalar(query.order_by(Unit.id.desc()).limit(1))


def _burn(session: Session, unit_id: int) -> None:
    for old in session.scalars(select(CodeFingerprint).where(CodeFingerprint.unit_id == unit_id)):
        old.is_live = False


def _decision(name: str, unit_id: int, facts: Mapping[str, str], now: int) -> PhaseEntry:
    return PhaseEntry(
        run=secrets.token_hex(8),
        unit_id=unit_id,
        name=name,
        outcome="DECIDED",
        seconds=0.0,
        measurements=json.dumps(dict(facts), sort_keys=True),
        error=None,
        ended_s=now,
    )
