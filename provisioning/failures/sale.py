"""Keeps the stops of the registry in step with the investigations of the case store (CF-04).

Rules:
1. The log decides: an investigation that is not closed has its stops, a closed one has none. So a registry that was
   restored from an older backup gets its stops again.
2. A stop whose investigation the log does not have stays: the case store was restored, or an opening was interrupted. A
   person opens the investigation again, or lifts the stop with a reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provisioning.disclosure.errors import StateError
from provisioning.failures import desk
from provisioning.registry import stops

if TYPE_CHECKING:
    from provisioning.disclosure.store import CaseStore
    from provisioning.registry.registry import Registry


@dataclass(frozen=True)
class Settled:
    """The result. `stopped`, `lifted`: (investigation, batch) that changed; `unknown`: numbers that the log lacks."""

    stopped: tuple[tuple[str, str], ...]
    lifted: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]


def settle(store: CaseStore, registry: Registry, *, by: str) -> Settled:
    """Bring every stop in order (rule 1). Raises RegistryError."""
    found = desk.load_all(store)
    stopped: list[tuple[str, str]] = []
    lifted: list[tuple[str, str]] = []
    for code, each in found.items():
        if each.stop is not None:
            changed = stops.stop(registry, code, each.model, each.batches, each.stop, by=by)
            stopped += [(code, batch) for batch in changed]
        else:
            ended = stops.lift(registry, code, by=by, reason=each.outcome or "closed")
            lifted += [(code, batch) for batch in ended]
    unknown = {each.code for each in stops.stops(registry) if each.is_open} - set(found)
    return Settled(tuple(stopped), tuple(lifted), tuple(sorted(unknown)))


def lift_unknown(store: CaseStore, registry: Registry, code: str, *, by: str, reason: str) -> list[str]:
    """Lift the stops of an investigation that the log does not have (rule 2). Return the batches.

    Raises StateError if the log has it, or if there is no such stop.
    """
    if code in desk.load_all(store):
        raise StateError(f"the log has {code}: its stops end when it is closed")
    if lifted := stops.lift(registry, code, by=by, reason=reason):
        return lifted
    raise StateError(f"no batch is stopped by {code}")
