"""Reads the hash chains from the database, checks them against the units, and stores signed checkpoints.

Records are appended in `operations.py`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from provisioning.keys.signer import Signer
from provisioning.registry.chains import ChainData, Entry, make_checkpoint
from provisioning.registry.errors import ChainError
from provisioning.registry.models import (
    PASSED,
    QUARANTINED,
    RETIRED,
    Chain,
    Checkpoint,
    Consignee,
    DecisionRecord,
    ProductionRecord,
    SaleStop,
    Unit,
)


def stored_chains(session: Session) -> list[ChainData]:
    """Return every chain with its records in order, by name: production records and decisions, in separate chains."""
    rows: list[Any] = []
    for kind in (ProductionRecord, DecisionRecord):
        columns = (kind.chain, kind.number, kind.body, kind.previous_hash, kind.hash, kind.signature)
        rows += session.execute(select(*columns).order_by(kind.chain, kind.number))
    return assemble_chains(session.scalars(select(Chain).order_by(Chain.name)), rows)


def assemble_chains(chains: Iterable[Any], records: Iterable[Any]) -> list[ChainData]:
    """Return chains with their records. `chains`, `records`: rows of such tables; those of a chain are in order."""
    entries: dict[str, list[Entry]] = defaultdict(list)
    for row in records:
        entries[row.chain].append(Entry(row.number, row.body, row.previous_hash, row.hash, row.signature))
    return [ChainData(chain.name, chain.public_key, entries[chain.name]) for chain in chains]


def stored_checkpoints(session: Session) -> dict[str, list[str]]:
    """Return the stored checkpoints by registry id (hex), each list in order."""
    query = select(Checkpoint).order_by(Checkpoint.registry_id, Checkpoint.number)
    return checkpoint_texts(session.scalars(query))


def checkpoint_texts(rows: Iterable[Checkpoint]) -> dict[str, list[str]]:
    """Return the texts of checkpoints by registry id (hex)."""
    found: dict[str, list[str]] = defaultdict(list)
    for checkpoint in rows:
        found[checkpoint.registry_id.hex()].append(checkpoint.data.decode("utf-8", "replace"))
    return dict(found)


def add_checkpoint(session: Session, registry_id: bytes, now: int, signer: Signer) -> str:
    """Sign and store the next checkpoint of this registry. Return its text."""
    last = session.scalar(
        select(Checkpoint)
        .where(Checkpoint.registry_id == registry_id)
        .order_by(Checkpoint.number.desc())
        .limit(1)
    )
    number, previous = (last.number + 1, last.data.decode()) if last is not None else (1, None)
    text = make_checkpoint(registry_id, number, now, previous, stored_chains(session), signer)
    session.add(Checkpoint(registry_id=registry_id, number=number, data=text.encode()))
    return text


def check_units(session: Session) -> None:
    """Check that each passed unit has one record with the same facts, and each record a passed unit.

    Raises ChainError.
    """
    recorded = set(session.scalars(select(ProductionRecord.unit_id)))
    finished = set(session.scalars(select(Unit.id).where(Unit.passed_s.is_not(None))))
    released = set(session.scalars(select(Unit.id).where(Unit.status == PASSED)))
    problems = []
    if missing := (finished | released) - recorded:
        problems.append(f"{len(missing)} passed units have no production record")
    if extra := recorded - finished:
        problems.append(f"{len(extra)} production records belong to no passed unit")
    problems += _changed(session) + _undone(session) + _not_stopped(session) + _lost_consignees(session)
    if problems:
        raise ChainError(problems)


# What the production record and the unit's row both hold: name in the record -> column.
_RECORDED: Final = {
    "serial": Unit.serial,
    "device_id": Unit.device_id,
    "hardware_id": Unit.hardware_id,
    "batch": Unit.batch,
    "version": Unit.version,
    "image_digest": Unit.image_digest,
    "record_hash": Unit.record_hash,
    "statement_sha256": Unit.statement_sha256,
    "support_end_day": Unit.support_end_day,
    "key_origin": Unit.key_origin,
    "is_development": Unit.is_development,
}


def _changed(session: Session) -> list[str]:
    """Return the units whose row differs from the production record that the station signed."""
    problems = []
    query = select(ProductionRecord.body, *_RECORDED.values()).join(Unit, Unit.id == ProductionRecord.unit_id)
    for body, *values in session.execute(query):
        facts = json.loads(body)
        for name, value in zip(_RECORDED, values, strict=True):
            stored = value.hex() if isinstance(value, bytes) else value
            if name in facts and facts[name] != stored and (facts[name] or stored):
                problems.append(
                    f"unit {facts.get('serial')}: {name} is {stored}, its production record has {facts[name]}"
                )
    return problems


_IS_IN_EFFECT: Final[dict[str, Callable[[Unit], bool]]] = {
    "rework": lambda unit: unit.status == RETIRED,
    "revoke": lambda unit: unit.withdrawn_s is not None,
    "quarantine": lambda unit: unit.status in (QUARANTINED, RETIRED),
}


def _undone(session: Session) -> list[str]:
    """Return decisions that the units do not show: they were undone in the database."""
    units = {unit.device_id.hex(): unit for unit in session.scalars(select(Unit))}
    problems = []
    for body in session.scalars(select(DecisionRecord.body)):
        facts = json.loads(body)
        unit = units.get(str(facts.get("device_id")))
        if facts["kind"] in _IS_IN_EFFECT and (unit is None or not _IS_IN_EFFECT[facts["kind"]](unit)):
            problems.append(
                f"unit {facts['serial']} does not show the decision of {facts['by']}: {facts['kind']}"
            )
    return problems


def _not_stopped(session: Session) -> list[str]:
    """Return batches whose stop is not the one that was decided last (`stops.py`)."""
    decided: dict[tuple[str, str], str | None] = {}
    for facts in _decided(session, "stop", "lift"):
        decided[facts["case"], facts["batch"]] = facts["state"] if facts["kind"] == "stop" else None
    rows = {(row.case_code, row.batch): row for row in session.scalars(select(SaleStop))}
    problems = []
    for (case, batch), state in decided.items():
        row = rows.get((case, batch))
        if row is None or (None if row.ended_s is not None else row.state) != state:
            problems.append(
                f"the stop of batch {batch or 'of the whole model'} in {case} is not as it was decided"
            )
    return problems


def _lost_consignees(session: Session) -> list[str]:
    """Return consignees whose recorded details are gone or have another digest (`consignees.py`)."""
    rows = {(row.id, row.version): row.digest.hex() for row in session.scalars(select(Consignee))}
    return [
        f"the details of consignee {facts['consignee']}, version {facts['version']}, are gone or were changed"
        for facts in _decided(session, "consignee")
        if rows.get((facts["consignee"], facts["version"])) != facts["digest"]
    ]


def _decided(session: Session, *kinds: str) -> list[dict[str, Any]]:
    """Return the facts of the decisions of these kinds, the oldest first."""
    query = select(DecisionRecord.body).order_by(DecisionRecord.chain, DecisionRecord.number)
    found = [json.loads(body) for body in session.scalars(query)]
    return sorted((facts for facts in found if facts["kind"] in kinds), key=lambda facts: int(facts["time"]))
