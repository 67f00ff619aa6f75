"""Stops: batches that may not ship because of an investigation of a possible compliance failure (s. 11(2)(a); CF-04).

Rules:
1. Each stop names the investigation. It ends only with that investigation, and no other command ends it.
2. A stop of a model (batch "") counts for every batch of it, including those that are opened later.
3. Each change is a signed decision in the same transaction.
4. A stop survives the loss of the case store, because it is in the registry; and the other way round, every
   `firstboot failure` command sets a missing stop again (`provisioning/failures/sale.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from provisioning.registry import decisions
from provisioning.registry.errors import RegistryError
from provisioning.registry.models import Batch, SaleStop
from provisioning.registry.numbers import is_branch

if TYPE_CHECKING:
    from provisioning.registry.base import RegistryBase

INVESTIGATED: Final = "investigated"
STOPPED: Final = "stopped"  # a compliance failure was confirmed
RECALLED: Final = "recalled"  # and its units are called back
STATES: Final = (INVESTIGATED, STOPPED, RECALLED)
EVERY_BATCH: Final = ""


@dataclass(frozen=True)
class Stop:
    """One stop. `batch`: EVERY_BATCH for the whole model; `is_open`: it keeps units from shipping now."""

    code: str
    model: str
    batch: str
    state: str
    is_open: bool


def stop(
    registry: RegistryBase, code: str, model: str, batches: Iterable[str], state: str, *, by: str
) -> list[str]:
    """Stop batches for an investigation, or change the state of their stops. Return the batches that changed.

    Raises RegistryError in a branch: batches ship from the main registry.
    """
    signer, changed = registry.signer, []
    with registry.writing() as session:
        if is_branch(session):
            raise RegistryError("this registry is a branch: batches are stopped in the main registry")
        for batch in batches:
            row = session.get(SaleStop, (code, batch))
            if row is not None and (row.state, row.ended_s) == (state, None):
                continue
            if row is None:
                row = SaleStop(case_code=code, batch=batch, model=model, since_s=registry.now())
                session.add(row)
            row.state, row.ended_s = state, None
            facts = {"case": code, "model": model, "batch": batch, "state": state, "by": by, "reason": code}
            decisions.add(session, signer, registry.now(), decisions.STOP, facts)
            changed.append(batch)
    return changed


def lift(registry: RegistryBase, code: str, *, by: str, reason: str) -> list[str]:
    """End every stop of an investigation. Return the batches."""
    signer, lifted = registry.signer, []
    with registry.writing() as session:
        for row in session.scalars(select(SaleStop).where(SaleStop.case_code == code)):
            if row.ended_s is not None:
                continue
            row.ended_s = registry.now()
            facts = {"case": code, "model": row.model, "batch": row.batch, "by": by, "reason": reason}
            decisions.add(session, signer, registry.now(), decisions.LIFT, facts)
            lifted.append(row.batch)
    return lifted


def stops(registry: RegistryBase) -> list[Stop]:
    """Return every stop, open and ended, by investigation and batch."""
    query = select(SaleStop).order_by(SaleStop.case_code, SaleStop.batch)
    with registry.reading() as session:
        rows = list(session.scalars(query))
    return [Stop(row.case_code, row.model, row.batch, row.state, row.ended_s is None) for row in rows]


def stop_problems(session: Session, batch: Batch) -> list[str]:
    """Return why investigations keep a batch from shipping, one phrase each."""
    query = select(SaleStop).where(
        SaleStop.ended_s.is_(None),
        SaleStop.model == batch.model,
        or_(SaleStop.batch == batch.number, SaleStop.batch == EVERY_BATCH),
    )
    return [
        f"batch {batch.number} is {row.state} in {row.case_code}: `firstboot failure show {row.case_code}`"
        for row in session.scalars(query.order_by(SaleStop.case_code))
    ]
