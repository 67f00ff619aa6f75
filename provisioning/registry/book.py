"""Ledger and database together: appending production records, checkpoints, reading the whole for a check."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from provisioning.registry.errors import LedgerError, RegistryError
from provisioning.registry.ledger import GENESIS, ChainData, Entry, make_checkpoint, make_entry
from provisioning.registry.models import RELEASED, Chain, Checkpoint, ProductionRecord, Unit
from provisioning.signing.signer import Signer


def own_chain(session: Session, station: str, signer: Signer) -> Chain:
    """The chain that this station appends to, begun where there is none. Raises RegistryError for another's key."""
    chains = list(session.scalars(select(Chain).where(Chain.station == station)))
    for chain in chains:
        if chain.is_open:
            if chain.public_key != signer.public:
                raise RegistryError(
                    f"station {station} signed with another key so far; give this one another name"
                )
            return chain
    name = station if not chains else f"{station}.{len(chains) + 1}"
    chain = Chain(name=name, station=station, public_key=signer.public, is_open=True)
    session.add(chain)
    session.flush()
    return chain


def append(session: Session, unit: Unit, facts: Mapping[str, Any], station: str, signer: Signer) -> bytes:
    """Add a unit's production record to the station's chain; its hash (32 bytes)."""
    chain = own_chain(session, station, signer)
    last = session.execute(
        select(ProductionRecord.number, ProductionRecord.hash)
        .where(ProductionRecord.chain == chain.name)
        .order_by(ProductionRecord.number.desc())
        .limit(1)
    ).first()
    number, previous = (last.number + 1, last.hash) if last is not None else (1, GENESIS)
    entry = make_entry(chain.name, number, previous, {**facts, "time": unit.released_s}, signer)
    session.add(
        ProductionRecord(
            chain=chain.name,
            number=number,
            unit_id=unit.id,
            body=entry.body,
            previous_hash=entry.previous_hash,
            hash=entry.hash,
            signature=entry.signature,
        )
    )
    return entry.hash


def chains(session: Session) -> list[ChainData]:
    """Every chain with its records in order, by name."""
    columns = (
        ProductionRecord.chain, ProductionRecord.number, ProductionRecord.body,
        ProductionRecord.previous_hash, ProductionRecord.hash, ProductionRecord.signature,
    )  # fmt: skip
    entries: dict[str, list[Entry]] = defaultdict(list)
    for row in session.execute(select(*columns).order_by(ProductionRecord.chain, ProductionRecord.number)):
        entries[row.chain].append(Entry(row.number, row.body, row.previous_hash, row.hash, row.signature))
    return [
        ChainData(chain.name, chain.public_key, entries[chain.name])
        for chain in session.scalars(select(Chain).order_by(Chain.name))
    ]


def checkpoints(session: Session) -> dict[str, list[str]]:
    """Stored checkpoints by registry id (hex), each list in order."""
    found: dict[str, list[str]] = defaultdict(list)
    query = select(Checkpoint).order_by(Checkpoint.registry_id, Checkpoint.number)
    for checkpoint in session.scalars(query):
        found[checkpoint.registry_id.hex()].append(checkpoint.data.decode())
    return dict(found)


def add_checkpoint(session: Session, registry_id: bytes, now: int, signer: Signer) -> str:
    """Make, sign and store the next checkpoint of this registry; its text."""
    last = session.scalar(
        select(Checkpoint)
        .where(Checkpoint.registry_id == registry_id)
        .order_by(Checkpoint.number.desc())
        .limit(1)
    )
    number, previous = (last.number + 1, last.data.decode()) if last is not None else (1, None)
    text = make_checkpoint(registry_id, number, now, previous, chains(session), signer)
    session.add(Checkpoint(registry_id=registry_id, number=number, data=text.encode()))
    return text


def check_units(session: Session) -> None:
    """Every finished unit has its record and every record its unit. Raises LedgerError."""
    recorded = set(session.scalars(select(ProductionRecord.unit_id)))
    finished = set(session.scalars(select(Unit.id).where(Unit.released_s.is_not(None))))
    released = set(session.scalars(select(Unit.id).where(Unit.status == RELEASED)))
    problems = []
    if missing := (finished | released) - recorded:
        problems.append(f"{len(missing)} released units have no production record")
    if extra := recorded - finished:
        problems.append(f"{len(extra)} production records belong to no released unit")
    if problems:
        raise LedgerError(problems)
