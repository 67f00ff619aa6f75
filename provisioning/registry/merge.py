"""Turn the rows of a branch into rows of the main registry. Units are matched by device id, never by row number.

The rules are those of provisioning/registry/branches.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Select, inspect, select
from sqlalchemy.orm import Session

from provisioning.registry import checkpoints
from provisioning.registry.chains import DECISIONS, ChainData
from provisioning.registry.errors import ConflictError
from provisioning.registry.models import (
    LIVE,
    QUARANTINED,
    Base,
    Batch,
    Branch,
    Chain,
    Checkpoint,
    CodeFingerprint,
    DecisionRecord,
    Document,
    Incident,
    PhaseEntry,
    ProductionRecord,
    SealedSecret,
    Unit,
)

Row = TypeVar("Row", bound=Base)
NOTE_CHARS = 400


@dataclass(frozen=True)
class Taken:
    """Everything that a branch holds, detached."""

    chains: Sequence[ChainData]
    chain_rows: Sequence[Chain]
    records: Sequence[ProductionRecord]
    decisions: Sequence[DecisionRecord]
    checkpoints: dict[str, list[str]]
    checkpoint_rows: Sequence[Checkpoint]
    batches: Sequence[Batch]
    documents: Sequence[Document]
    units: Sequence[Unit]
    codes: Sequence[CodeFingerprint]
    phases: Sequence[PhaseEntry]
    secrets: Sequence[SealedSecret]


@dataclass
class Result:
    """The result of a merge."""

    units: int = 0
    records: int = 0
    incidents: list[str] = field(default_factory=list)


def copy_of(row: Base, kind: type[Row], **changes: Any) -> Row:
    """Return a new row with the same values, for another session."""
    values = {column.key: getattr(row, column.key) for column in inspect(kind).column_attrs}
    return kind(**{**values, **changes})


def read(session: Session) -> Taken:
    """Read everything of a branch that is merged."""

    def every(kind: type[Row], *order: Any) -> list[Row]:
        return list(session.scalars(select(kind).order_by(*order)))

    return Taken(
        chains=checkpoints.stored_chains(session),
        chain_rows=every(Chain, Chain.name),
        records=every(ProductionRecord, ProductionRecord.chain, ProductionRecord.number),
        decisions=every(DecisionRecord, DecisionRecord.chain, DecisionRecord.number),
        checkpoints=checkpoints.stored_checkpoints(session),
        checkpoint_rows=every(Checkpoint, Checkpoint.registry_id, Checkpoint.number),
        batches=every(Batch, Batch.number),
        documents=every(Document, Document.batch, Document.kind),
        units=every(Unit, Unit.id),
        codes=every(CodeFingerprint, CodeFingerprint.unit_id),
        phases=every(PhaseEntry, PhaseEntry.id),
        secrets=every(SealedSecret, SealedSecret.device_id),
    )


def fork_problem(session: Session, taken: Taken) -> str | None:
    """Return which record that was synced before the branch lacks or replaced, or None."""
    offered = {(record.chain, record.number): record.hash for record in taken.records}
    offered |= {(record.chain, record.number): record.hash for record in taken.decisions}
    names = [chain.name for chain in taken.chain_rows]
    for chain in session.scalars(select(Chain).where(Chain.name.in_(names))):
        known = next(row for row in taken.chain_rows if row.name == chain.name)
        if known.public_key != chain.public_key:
            return (
                f"chain {chain.name} is signed with another key than before: give each station its own name"
            )
        for number, digest in session.execute(_recorded(chain.name)):
            if offered.get((chain.name, number)) != digest:
                return (
                    f"record {number} of chain {chain.name} was synced before and is no longer in the branch:"
                    " an old registry was restored, or records were rewritten"
                )
    return None


def _recorded(chain: str) -> Select[int, bytes]:
    """Select number and hash of every record of a chain, in order."""
    if chain.startswith(DECISIONS):
        return (
            select(DecisionRecord.number, DecisionRecord.hash)
            .where(DecisionRecord.chain == chain)
            .order_by(DecisionRecord.number)
        )
    return (
        select(ProductionRecord.number, ProductionRecord.hash)
        .where(ProductionRecord.chain == chain)
        .order_by(ProductionRecord.number)
    )


def note_incident(session: Session, kind: str, batch: str, text: str, now: int) -> bool:
    """Store an incident once. Return False if the same one is stored already."""
    same = select(Incident).where(
        Incident.kind == kind, Incident.batch == batch, Incident.text == text[:NOTE_CHARS]
    )
    if session.scalar(same) is not None:
        return False
    session.add(Incident(kind=kind, batch=batch, text=text[:NOTE_CHARS], found_s=now))
    session.flush()
    return True


def apply(session: Session, taken: Taken, branch: Branch, now: int) -> Result:
    """Merge everything, in an order that foreign keys allow. Raises ConflictError if a batch differs."""
    result = Result()
    _batches(session, taken)
    merger = _Merger(session, branch.name, now, result)
    ids = {unit.id: merger.unit(unit) for unit in taken.units}
    merger.documents(taken.documents)
    merger.codes(taken.codes, ids)
    _records(session, taken, ids, result)
    for secret in taken.secrets:
        session.merge(copy_of(secret, SealedSecret))
    for checkpoint in taken.checkpoint_rows:
        session.merge(copy_of(checkpoint, Checkpoint))
    for phase in taken.phases:
        if phase.id > branch.last_phase:
            unit_id = ids[phase.unit_id] if phase.unit_id is not None else None
            session.add(copy_of(phase, PhaseEntry, id=None, unit_id=unit_id))
            branch.last_phase = phase.id
    return result


def _batches(session: Session, taken: Taken) -> None:
    for batch in taken.batches:
        known = session.get(Batch, batch.number)
        if known is None:
            session.add(copy_of(batch, Batch, is_closed=False, shipped_s=None))
        elif known.shipped_s is not None and any(
            unit.batch == batch.number and _is_new(session, unit) for unit in taken.units
        ):
            raise ConflictError(f"batch {batch.number} was shipped, but the branch has more units of it")
        elif (known.declared_digest, known.is_development) != (batch.declared_digest, batch.is_development):
            raise ConflictError(f"batch {batch.number} has another product definition in the branch")
    session.flush()


def _is_new(session: Session, unit: Unit) -> bool:
    return session.scalar(select(Unit.id).where(Unit.device_id == unit.device_id)) is None


def _records(session: Session, taken: Taken, ids: dict[int, int], result: Result) -> None:
    for chain in taken.chain_rows:
        if session.get(Chain, chain.name) is None:
            session.add(copy_of(chain, Chain, is_open=False))
    session.flush()
    for record in taken.records:
        if session.get(ProductionRecord, (record.chain, record.number)) is None:
            session.add(copy_of(record, ProductionRecord, unit_id=ids[record.unit_id]))
            result.records += 1
    for decision in taken.decisions:
        if session.get(DecisionRecord, (decision.chain, decision.number)) is None:
            session.add(copy_of(decision, DecisionRecord))
    session.flush()


class _Merger:
    """Merges the units and codes of one branch and collects what it finds."""

    def __init__(self, session: Session, branch: str, now: int, result: Result) -> None:
        self._session = session
        self._branch = branch
        self._now = now
        self._result = result

    def unit(self, unit: Unit) -> int:
        """Merge one unit. Return its id here."""
        session = self._session
        known = session.scalar(select(Unit).where(Unit.device_id == unit.device_id))
        if known is not None:
            self._update(known, unit)
            return known.id
        self._result.units += 1
        twin = session.scalar(select(Unit).where(Unit.serial == unit.serial))
        rival = session.scalar(
            select(Unit).where(Unit.hardware_id == unit.hardware_id, Unit.status.in_((*LIVE, QUARANTINED)))
        )
        serial = unit.serial if twin is None else f"{unit.serial}~{self._branch}"
        status = unit.status
        if twin is not None or (rival is not None and status in LIVE):
            status = QUARANTINED
        mine = copy_of(unit, Unit, id=None, serial=serial, status=status)
        session.add(mine)
        session.flush()
        if twin is not None:
            self._clash("serial", f"serial {unit.serial} was given to two units", twin, mine)
        if rival is not None and status == QUARANTINED and unit.status in LIVE:
            text = (
                f"the board of unit {rival.serial} has another identity, {serial}, in branch {self._branch}"
            )
            self._clash("hardware", text, rival, mine)
        return mine.id

    def _update(self, known: Unit, unit: Unit) -> None:
        """Update a unit that was merged before. What was stopped here stays stopped."""
        keep = ("id", "serial", "device_id", "hardware_id")
        is_stopped = known.status == QUARANTINED and unit.status in LIVE
        for column in inspect(Unit).column_attrs:
            if column.key in keep or (is_stopped and column.key in ("status", "note")):
                continue
            if column.key in ("withdrawn_s", "shipped_s") and getattr(known, column.key) is not None:
                continue
            setattr(known, column.key, getattr(unit, column.key))
        self._session.flush()

    def codes(self, codes: Sequence[CodeFingerprint], ids: dict[int, int]) -> None:
        """Merge codes. A code that another unit has is an incident (PW-10)."""
        for code in codes:
            unit_id = ids[code.unit_id]
            known = self._session.get(CodeFingerprint, code.fingerprint)
            if known is None:
                self._session.add(copy_of(code, CodeFingerprint, unit_id=unit_id))
            elif known.unit_id != unit_id:
                first = self._session.get_one(Unit, known.unit_id)
                second = self._session.get_one(Unit, unit_id)
                text = f"units {first.serial} and {second.serial} were given the same set-up code"
                self._clash("code", text, first, second)
            elif self._session.get_one(Unit, unit_id).status in LIVE:
                known.is_live = code.is_live
        self._session.flush()

    def documents(self, documents: Sequence[Document]) -> None:
        """The documents of a batch must be the same in every registry."""
        for document in documents:
            known = self._session.get(Document, (document.batch, document.kind))
            if known is None:
                self._session.add(copy_of(document, Document))
            elif known.data != document.data:
                text = f"batch {document.batch} carries another {document.kind} in branch {self._branch}"
                if note_incident(self._session, "document", document.batch, text, self._now):
                    self._result.incidents.append(text)
        self._session.flush()

    def _clash(self, kind: str, text: str, *units: Unit) -> None:
        for unit in units:
            if unit.status in LIVE:
                unit.status, unit.note = QUARANTINED, text[:NOTE_CHARS]
                query = select(CodeFingerprint).where(CodeFingerprint.unit_id == unit.id)
                for code in self._session.scalars(query):
                    code.is_live = False
        for batch in sorted({unit.batch for unit in units}):
            if note_incident(self._session, kind, batch, text, self._now):
                self._result.incidents.append(text)
        self._session.flush()
