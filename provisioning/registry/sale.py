"""Decide whether a unit may be sold.

A unit is for sale after the gate shipped it (`station ship`, or `registry ship-batch`), until it is withdrawn or
stopped. That a unit passed says only that it works.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import select, update

from provisioning.registry.models import PASSED, Unit

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from provisioning.registry.base import RegistryBase


def obstacle(unit: Unit) -> str | None:
    """Return why the unit is not for sale, in a few words; None if it is for sale."""
    if unit.is_development:
        return "made for development"
    if unit.withdrawn_s is not None:
        return "withdrawn"
    if unit.status != PASSED:
        return unit.status
    return None if unit.shipped_s is not None else "not shipped yet"


def is_for_sale(unit: Unit) -> bool:
    """Return whether the unit may be sold now."""
    return obstacle(unit) is None


def note_shipped(registry: RegistryBase, device_ids: Iterable[bytes]) -> None:
    """Record that these units were shipped. A unit that was shipped before keeps its time. Raises RegistryError."""
    with registry.writing() as session:
        for device_id in device_ids:
            unit = session.scalar(select(Unit).where(Unit.device_id == device_id))
            if unit is not None and unit.shipped_s is None:
                unit.shipped_s = registry.now()


def ship_units(session: Session, batch: str, now: int) -> None:
    """Record, inside a transaction, that every passed unit of a batch was shipped."""
    session.execute(
        update(Unit)
        .where(Unit.batch == batch, Unit.status == PASSED, Unit.shipped_s.is_(None))
        .values(shipped_s=now)
    )
