"""Branches: registries that work without the main registry for a time, and how they are merged into it.

Rules:
1. A branch has the main registry's fingerprint key, so that repeated codes are found. It gives out leased
   numbers only.
2. A sync checks the branch's chains first. If the branch lost records that the main registry has, it was
   restored or rewritten: the main registry takes nothing from it and opens an incident for its batches.
3. If a code, hardware id or serial belongs to different units in the two registries, both units are
   quarantined, on both sides (PW-10).
4. A batch ships only when every branch that may hold its units was synced after it closed the batch.
5. The main registry changes in one transaction, then the branch. A sync that was interrupted between the two
   is repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from provisioning.registry import checkpoints, decisions, merge
from provisioning.registry.chains import verify_chains
from provisioning.registry.errors import BatchError, ConflictError, RegistryError
from provisioning.registry.fingerprint_key import read_key
from provisioning.registry.models import (
    LIVE,
    PASSED,
    QUARANTINED,
    RETIRED,
    Batch,
    Branch,
    BranchBatch,
    CodeFingerprint,
    Document,
    Incident,
    NumberRange,
    Setting,
    Unit,
)
from provisioning.registry.numbers import BRANCH_NAME, ROLE_NAME, give_range, is_branch
from provisioning.registry.registry import NOTE_CHARS, Registry
from provisioning.registry.sale import ship_units
from provisioning.registry.stops import stop_problems


@dataclass(frozen=True)
class SyncReport:
    """The result of a sync: counts, and one sentence for each thing it found."""

    units: int
    records: int
    incidents: tuple[str, ...]


def join(main: Registry, path: Path, name: str) -> Registry:
    """Create a branch of `main` in a new SQLite file. Raises RegistryError if the file or the name exists."""
    if path.exists():
        raise RegistryError(f"{path.name} exists already")
    with main.reading() as session:
        if is_branch(session):
            raise RegistryError("this registry is a branch; only a main registry can have branches")
        if session.get(Branch, name) is not None:
            raise RegistryError(f"there is a branch {name} already")
    branch = Registry.create(path, key=read_key(main.database.location.key_path), now=main.now)
    with branch.writing() as session:
        session.add(Setting(name=ROLE_NAME, value=main.registry_id))
        session.add(Setting(name=BRANCH_NAME, value=name.encode()))
    with main.writing() as session:
        session.add(Branch(name=name, registry_id=branch.registry_id, synced_s=None, last_phase=0))
    return branch


def lease(
    main: Registry, branch: Registry, prefix: str, count: int, batch: str | None = None
) -> tuple[int, int]:
    """Lease `count` serial numbers to a branch. Return (first, last).

    With `batch`, its definition and documents are copied too. The main registry gives the numbers away first,
    so an interrupted lease wastes numbers but never gives one out twice. Raises RegistryError.
    """
    with main.reading() as session:
        name = branch_row(session, branch.registry_id).name
    given = lease_by_name(main, name, prefix, count, batch)
    with main.reading() as session:
        leases = leases_of(session, name)
    with branch.writing() as session:
        take_leases(session, leases)
    return given


def lease_by_name(main: Registry, name: str, prefix: str, count: int, batch: str | None) -> tuple[int, int]:
    """Lease numbers to a branch that cannot be reached. Return (first, last).

    The numbers travel with the answer to its next sync file. Raises RegistryError.
    """
    with main.writing() as session:
        if session.get(Branch, name) is None:
            raise RegistryError(f"there is no branch {name}")
        leased = give_range(session, prefix, count, name, batch)
        found = session.get(Batch, batch) if batch is not None else None
        if batch is not None and (found is None or found.is_closed):
            raise BatchError(f"batch {batch} is not open in the main registry")
        if batch is not None:
            session.merge(BranchBatch(branch=name, batch=batch, is_done=False))
        return leased.first_number, leased.last_number


@dataclass(frozen=True)
class Leases:
    """The rights of a branch: ranges of numbers, and batches with their documents."""

    ranges: Sequence[NumberRange]
    batches: Sequence[Batch]
    documents: Sequence[Document]


def leases_of(session: Session, name: str) -> Leases:
    """Return everything that the main registry has ever leased to a branch."""
    batches = select(BranchBatch.batch).where(BranchBatch.branch == name)
    return Leases(
        list(session.scalars(select(NumberRange).where(NumberRange.holder == name))),
        list(session.scalars(select(Batch).where(Batch.number.in_(batches), ~Batch.is_closed))),
        list(session.scalars(select(Document).where(Document.batch.in_(batches)))),
    )


def take_leases(session: Session, leases: Leases) -> int:
    """Add what the branch does not have yet. Return the number of new ranges. Used numbers stay used."""
    new = 0
    for leased in leases.ranges:
        if session.get(NumberRange, (leased.prefix, leased.first_number)) is None:
            session.add(merge.copy_of(leased, NumberRange))
            new += 1
    for batch in leases.batches:
        if session.get(Batch, batch.number) is None:
            session.add(merge.copy_of(batch, Batch))
    session.flush()
    for document in leases.documents:
        known = session.get(Document, (document.batch, document.kind))
        if known is None and session.get(Batch, document.batch) is not None:
            session.add(merge.copy_of(document, Document))
    return new


def sync(main: Registry, branch: Registry) -> SyncReport:
    """Merge a branch's units, codes, records and checkpoints into the main registry (rules 2 to 5).

    Raises ConflictError if the branch's chains contradict what was synced before, ChainError if a chain is
    broken.
    """
    with branch.reading() as session:
        taken = merge.read(session)
    report, stopped = take(main, branch.registry_id, taken)
    with branch.writing() as session:
        stop(session, stopped)
    return report


def take(
    main: Registry, registry_id: bytes, taken: merge.Taken, sync_file: tuple[bytes, int] | None = None
) -> tuple[SyncReport, dict[bytes, str]]:
    """Merge what a branch holds. Return the report, and the stopped units as device id -> reason.

    `sync_file`: (key, number) of the sync file that carried it; both are stored. Raises the errors of `sync`.
    """
    verify_chains(taken.chains, taken.checkpoints)
    lost = _lost_records(main, registry_id, taken)
    if lost:
        raise ConflictError(lost)
    signer = main.signer
    with main.writing() as session:
        row = branch_row(session, registry_id)
        result = merge.apply(session, taken, row, main.now())
        row.synced_s = main.now()
        if sync_file is not None:
            row.public_key, row.sync_number = sync_file
        for batch in taken.batches:
            session.merge(BranchBatch(branch=row.name, batch=batch.number, is_done=batch.is_closed))
        session.flush()
        checkpoints.add_checkpoint(session, main.registry_id, main.now(), signer)
        stopped = {
            unit.device_id: str(unit.note)
            for unit in session.scalars(select(Unit).where(Unit.status == QUARANTINED))
        }
    return SyncReport(result.units, result.records, tuple(result.incidents)), stopped


def stop(session: Session, stopped: Mapping[bytes, str]) -> None:
    """In the branch: stop the units that the main registry stopped, and burn their codes."""
    for unit in session.scalars(select(Unit).where(Unit.status.in_(LIVE))):
        if unit.device_id in stopped:
            unit.status, unit.note = QUARANTINED, stopped[unit.device_id][:NOTE_CHARS]
            for code in session.scalars(select(CodeFingerprint).where(CodeFingerprint.unit_id == unit.id)):
                code.is_live = False


def _lost_records(main: Registry, registry_id: bytes, taken: merge.Taken) -> str | None:
    """Return why the branch's chains do not continue those synced before, and note an incident; None if they do."""
    with main.writing() as session:
        branch_row(session, registry_id)
        problem = merge.fork_problem(session, taken)
        if problem is not None:
            for batch in taken.batches or [Batch(number="")]:
                merge.note_incident(session, "ledger", batch.number, problem, main.now())
        return problem


def ship_problems(main: Registry, batch: str) -> list[str]:
    """Return why a batch cannot ship, one sentence each; an empty list if it can (rule 4, PR-05)."""
    with main.reading() as session:
        if is_branch(session):
            return ["this registry is a branch: sync it, then ship the batch in the main registry"]
        found = session.get(Batch, batch)
        if found is None:
            return [f"there is no batch {batch}"]
        problems = [] if found.is_closed else [f"batch {batch} is still open: close it"]
        problems += [
            f"branch {row.branch} was not synced since the batch was closed there"
            for row in session.scalars(select(BranchBatch).where(BranchBatch.batch == batch))
            if not row.is_done
        ]
        for unit in session.scalars(select(Unit).where(Unit.batch == batch).order_by(Unit.id)):
            if unit.status not in (PASSED, RETIRED):
                problems.append(
                    f"unit {unit.serial} is {unit.status}" + (f": {unit.note}" if unit.note else "")
                )
        for incident in session.scalars(select(Incident).where(Incident.batch == batch)):
            if incident.settled_by is None:
                problems.append(incident.text)
        return [*problems, *stop_problems(session, found)]


def ship_batch(main: Registry, batch: str) -> int:
    """Ship a batch. Return the time, in unix seconds. Raises BatchError with every reason against it."""
    if problems := ship_problems(main, batch):
        raise BatchError("; ".join(problems))
    with main.writing() as session:
        found = session.get_one(Batch, batch)
        if found.shipped_s is None:
            found.shipped_s = main.now()
            ship_units(session, batch, found.shipped_s)
        return found.shipped_s


def incidents(main: Registry, *, is_open: bool = True) -> list[Incident]:
    """Return incidents, detached; with `is_open` only the unresolved ones."""
    query = select(Incident).order_by(Incident.id)
    with main.reading() as session:
        return list(session.scalars(query.where(Incident.settled_by.is_(None)) if is_open else query))


def settle(main: Registry, number: int, *, by: str, reason: str) -> None:
    """Record who settled an incident and how. It no longer blocks its batch. Raises RegistryError."""
    signer = main.signer
    with main.writing() as session:
        found = session.get(Incident, number)
        if found is None:
            raise RegistryError(f"there is no incident {number}")
        found.settled_by = f"{by}: {reason}"[:200]
        facts = {"incident": found.text, "batch": found.batch, "by": by, "reason": reason}
        decisions.add(session, signer, main.now(), decisions.SETTLE, facts)


def branch_row(session: Session, registry_id: bytes) -> Branch:
    """Return the branch with this registry id. Raises RegistryError."""
    if is_branch(session):
        raise RegistryError("the main registry is a branch itself")
    row = session.scalar(select(Branch).where(Branch.registry_id == registry_id))
    if row is None:
        raise RegistryError(
            "this registry is not a branch of that one: create a branch with `firstboot registry join`"
        )
    return row
