"""The faults of a whole batch in the registry, one sentence each without its full stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.registry.branches import incidents, ship_problems
from provisioning.registry.decisions import check_faults
from provisioning.registry.errors import RegistryError
from provisioning.registry.models import QUARANTINED, Batch
from provisioning.registry.stops import stop_problems

if TYPE_CHECKING:
    from provisioning.registry.registry import Registry


def batch_faults(registry: Registry, batch: str) -> list[str]:
    """Return the faults of a batch that may still be in production: records, incidents, quarantine, investigations."""
    faults = []
    try:
        registry.verify_chain()
    except RegistryError as error:
        faults.append(f"the production records are damaged: {error}")
    faults += [incident.text for incident in incidents(registry) if incident.batch == batch]
    serials = [unit.serial for unit in registry.units(batch) if unit.status == QUARANTINED]
    if serials:
        faults.append(
            f"{len(serials)} of its units are quarantined and wait for a decision: {', '.join(serials[:5])}"
        )
    with registry.reading() as session:
        found = session.get(Batch, batch)
        faults += [] if found is None else stop_problems(session, found)
    return faults


def ship_faults(registry: Registry, batch: str) -> list[str]:
    """Return why no unit of a batch may ship, one sentence each without its full stop (PR-05, PW-06 to PW-10).

    The batch is open, a branch was not synced, an incident is open, or its set-up codes were not checked together.
    """
    return [*ship_problems(registry, batch), *check_faults(registry, batch)]
