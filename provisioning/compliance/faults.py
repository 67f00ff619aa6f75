"""What the registry holds against a batch as a whole, one sentence each without its full stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provisioning.registry.registry import RegistryError

if TYPE_CHECKING:
    from provisioning.registry.registry import Registry

QUARANTINED = "quarantined"


def batch_faults(registry: Registry, batch: str) -> list[str]:
    """Open faults of a batch: a chain that is not whole, units in quarantine (PR-05)."""
    faults = []
    try:
        registry.verify_chain()
    except RegistryError as error:
        faults.append(f"the production records are not whole: {error}")
    serials = [unit.serial for unit in registry.units() if (unit.batch, unit.status) == (batch, QUARANTINED)]
    if serials:
        faults.append(
            f"{len(serials)} of its units wait for a decision in quarantine: {', '.join(serials[:5])}"
        )
    return faults
