"""Decisions of persons and checks about units and batches, stored as records in signed chains of their own.

Rules:
1. A decision names who made it, why, and when. It joins the chain of the key that signed it, so `firstboot
   registry verify` finds a decision that was changed, dropped or backdated, as it does for production
   records.
2. The decision and its record are one transaction.
3. A check of a batch's codes (`check-batch`) is such a record too: the gate requires one that covered every
   code that ships and found nothing. It names codes by a digest of their keyed fingerprints, which reveals
   nothing about a code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from provisioning.keys.signer import Signer
from provisioning.registry.chains import DECISIONS, GENESIS, make_entry
from provisioning.registry.errors import RegistryError
from provisioning.registry.models import (
    LIVE,
    QUARANTINED,
    RETIRED,
    Chain,
    CodeFingerprint,
    DecisionRecord,
    Unit,
)

if TYPE_CHECKING:
    from provisioning.registry.base import RegistryBase

REWORK: Final = "rework"
WITHDRAW: Final = "revoke"  # the word in signed records, which cannot change
HOLD: Final = "quarantine"
SETTLE: Final = "settle"
CHECK_BATCH: Final = "check-batch"
SAMPLE: Final = "sample"
CONSIGNEE: Final = "consignee"
STOP: Final = "stop"
LIFT: Final = "lift"
NOTE_CHARS: Final = 400


@dataclass(frozen=True)
class Decision:
    """One decision. `time_s`: unix seconds."""

    chain: str
    number: int
    kind: str
    time_s: int
    facts: Mapping[str, Any]


def add(session: Session, signer: Signer, now: int, kind: str, facts: Mapping[str, Any]) -> None:
    """Append a decision to the chain of `signer`, inside the transaction that carries it out."""
    chain = _own_chain(session, signer)
    last = session.execute(
        select(DecisionRecord.number, DecisionRecord.hash)
        .where(DecisionRecord.chain == chain.name)
        .order_by(DecisionRecord.number.desc())
        .limit(1)
    ).first()
    number, previous = (last.number + 1, last.hash) if last is not None else (1, GENESIS)
    entry = make_entry(chain.name, number, previous, {**facts, "kind": kind, "time": now}, signer)
    session.add(
        DecisionRecord(
            chain=chain.name,
            number=number,
            body=entry.body,
            previous_hash=entry.previous_hash,
            hash=entry.hash,
            signature=entry.signature,
        )
    )


def _own_chain(session: Session, signer: Signer) -> Chain:
    """Return the open chain of this key's decisions; begin one if none is open, as in a restored registry."""
    station = f"{DECISIONS}{signer.key_id.hex()}"
    known = list(session.scalars(select(Chain).where(Chain.station == station)))
    for chain in known:
        if chain.is_open:
            return chain
    name = station if not known else f"{station}.{len(known) + 1}"
    made = Chain(name=name, station=station, public_key=signer.public, is_open=True)
    session.add(made)
    session.flush()
    return made


def about(unit: Unit, by: str, reason: str) -> dict[str, Any]:
    """Return the facts of a decision about a unit. `was`: the unit's state before it."""
    return {
        "serial": unit.serial,
        "device_id": unit.device_id.hex(),
        "was": unit.status,
        "by": by,
        "reason": reason,
    }


def decisions(registry: RegistryBase, kind: str | None = None) -> list[Decision]:
    """Return all decisions (of one kind), sorted by time."""
    query = select(DecisionRecord).order_by(DecisionRecord.chain, DecisionRecord.number)
    with registry.reading() as session:
        rows = list(session.scalars(query))
    found = []
    for row in rows:
        facts = json.loads(row.body)
        found.append(Decision(row.chain, row.number, str(facts["kind"]), int(facts["time"]), facts))
    return sorted((each for each in found if kind in (None, each.kind)), key=lambda each: each.time_s)


def hold(registry: RegistryBase, serial: str, *, by: str, reason: str) -> Unit:
    """Quarantine a unit by a person's decision, before or after it passed.

    Its set-up codes are void, and only rework makes the board usable again.

    Returns the unit, detached from its session. Raises RegistryError if the unit is unknown, stopped or retired.
    """
    signer = registry.signer
    with registry.writing() as session:
        unit = session.scalar(select(Unit).where(Unit.serial == serial))
        if unit is None:
            raise RegistryError(f"the registry knows no unit {serial}")
        if unit.status not in LIVE:
            raise RegistryError(f"unit {serial} is {unit.status} already")
        add(session, signer, registry.now(), HOLD, about(unit, by, reason))
        unit.status, unit.note = QUARANTINED, f"{by}: {reason}"[:NOTE_CHARS]
        for code in session.scalars(select(CodeFingerprint).where(CodeFingerprint.unit_id == unit.id)):
            code.is_live = False
        return unit


def note_sample(registry: RegistryBase, serial: str, *, by: str, findings: Sequence[str]) -> None:
    """Record the result of reading a passed unit again (PR-05)."""
    signer = registry.signer
    with registry.writing() as session:
        words = "; ".join(findings) or "nothing was found"
        facts = {"serial": serial, "by": by, "reason": words, "findings": list(findings)}
        add(session, signer, registry.now(), SAMPLE, facts)


# Checks of batches -------------------------------------------------------------------------------------------


def code_marks(session: Session, batch: str) -> dict[str, str]:
    """Return serial -> digest that names its live code in a check, for the units that are not retired (rule 3)."""
    query = (
        select(Unit.serial, CodeFingerprint.fingerprint)
        .join(CodeFingerprint, CodeFingerprint.unit_id == Unit.id)
        .where(Unit.batch == batch, Unit.status != RETIRED, CodeFingerprint.is_live)
    )
    return {serial: hashlib.sha256(mark).hexdigest()[:16] for serial, mark in session.execute(query)}


def note_check(registry: RegistryBase, batch: str, serials: Sequence[str], findings: Sequence[str]) -> None:
    """Record the result of a check of a batch's codes. `serials`: the units whose codes it read."""
    signer = registry.signer
    with registry.writing() as session:
        marks = code_marks(session, batch)
        facts = {
            "batch": batch,
            "codes": {serial: marks[serial] for serial in serials if serial in marks},
            "findings": list(findings),
        }
        add(session, signer, registry.now(), CHECK_BATCH, facts)


def check_faults(registry: RegistryBase, batch: str) -> list[str]:
    """Return why the last check of a batch's codes blocks shipping: one phrase each; empty if it does not."""
    checks = [each for each in decisions(registry, CHECK_BATCH) if each.facts["batch"] == batch]
    if not checks:
        return ["its set-up codes were never checked together: firstboot station check-batch"]
    last = checks[-1].facts
    if last["findings"]:
        return [f"the check of its set-up codes found: {text}" for text in last["findings"]]
    with registry.reading() as session:
        marks = code_marks(session, batch)
    unseen = sorted(serial for serial, mark in marks.items() if last["codes"].get(serial) != mark)
    if unseen:
        shown = ", ".join(unseen[:5])
        return [f"{len(unseen)} of its set-up codes were generated after the last check-batch: {shown}"]
    return []
