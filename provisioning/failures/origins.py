"""The origin of an investigation: a security report, a failed sample, a unit in quarantine, or a person.

The origin must exist: a report in the case store, a sample or a quarantine in the registry's signed decisions. From a
unit follows the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy.orm import Session

from provisioning.disclosure import desk
from provisioning.disclosure.errors import CaseInputError
from provisioning.registry.decisions import SAMPLE, decisions
from provisioning.registry.models import QUARANTINED, RETIRED

if TYPE_CHECKING:
    from provisioning.registry.registry import Registry

REPORT: Final = "report"
SAMPLED: Final = "sample"
QUARANTINE: Final = "quarantine"
PERSON: Final = "person"


@dataclass(frozen=True)
class Origin:
    """Where the suspicion came from. `reference`: a case or a serial number; "" for a person."""

    kind: str
    reference: str = ""

    def facts(self) -> dict[str, str]:
        """Return it for the signed log."""
        return {"kind": self.kind, "reference": self.reference}


def batch_of(origin: Origin, registry: Registry, session: Session) -> str | None:
    """Return the batch that the origin is about, None if it names none. Raises CaseInputError if it does not exist."""
    if origin.kind == REPORT:
        desk.case_of(session, origin.reference)
        return None
    if origin.kind == PERSON:
        return None
    unit = registry.find(serial=origin.reference)
    if unit is None:
        raise CaseInputError(f"the registry has no unit {origin.reference}")
    if origin.kind == QUARANTINE and unit.status not in (QUARANTINED, RETIRED):
        raise CaseInputError(f"unit {origin.reference} is {unit.status}, not in quarantine")
    if origin.kind == SAMPLED and not _failed_samples(registry, origin.reference):
        raise CaseInputError(f"no sample of unit {origin.reference} failed")
    return unit.batch


def _failed_samples(registry: Registry, serial: str) -> list[str]:
    return [
        str(each.facts["reason"])
        for each in decisions(registry, SAMPLE)
        if each.facts["serial"] == serial and each.facts["findings"]
    ]
