"""The models, batches and versions that a vulnerability affects, with their units counted in the registry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from provisioning.disclosure.errors import CaseInputError
from provisioning.registry.registry import Registry


def affected(registry: Registry, batches: Sequence[str], versions: Sequence[str]) -> dict[str, Any]:
    """Return the units that the registry knows of these batches and versions; an empty list means all.

    {"batches": {batch: {"model": ..., "units": {version: count}}}, "units": total}. Only units that passed count.
    Raises CaseInputError for a batch that the registry does not have and for a version that no unit was made with.
    """
    known = {batch.number: batch.model for batch in registry.batches()}
    for batch in batches:
        if batch not in known:
            raise CaseInputError(f"the registry has no batch {batch}")
    found: dict[str, Any] = {}
    seen: set[str] = set()
    for number in batches or sorted(known):
        counts = Counter(unit.version or "" for unit in registry.units(number) if unit.passed_s is not None)
        seen |= set(counts)
        chosen = {
            version: count for version, count in sorted(counts.items()) if not versions or version in versions
        }
        if chosen:
            found[number] = {"model": known[number], "units": chosen}
    for version in versions:
        if version not in seen:
            raise CaseInputError(f"the registry has no passed unit with version {version}")
    total = sum(count for entry in found.values() for count in entry["units"].values())
    return {"batches": found, "units": total}
