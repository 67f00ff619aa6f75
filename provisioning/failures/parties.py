"""The parties that are notified of a compliance failure (s. 11(4) of the Act), from the packing list and the registry.

Rules:
1. The enforcement authority, other manufacturers, and each importer and distributor that the product was supplied to,
   are notified by law. Customers only if regulations specify conditions (s. 11(4)(d)); none were known here in
   November 2026, so a notice to a customer is the maker's choice.
2. A line of the packing list counts if a key of this registry signed it. A changed list is an error, because a party
   could be missing.
3. Units that shipped without a consignee in the packing list are counted. Nobody is notified for them, and the command
   says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from provisioning.compliance.packing import check_line
from provisioning.failures.investigation import AUTHORITY, Investigation
from provisioning.registry import consignees
from provisioning.registry.consignees import CUSTOMER
from provisioning.registry.errors import RegistryError
from provisioning.registry.signing_keys import signing_keys
from provisioning.registry.stops import EVERY_BATCH

if TYPE_CHECKING:
    from provisioning.product.product import Product
    from provisioning.registry.registry import Registry

MANUFACTURER: Final = "manufacturer"
AUTHORITY_NAME: Final = "the enforcement authority (the Office for Product Safety and Standards)"


@dataclass(frozen=True)
class Party:
    """A party to notify. `serials`: the units it got; `email`: None for a notice by post."""

    id: str
    role: str
    name: str
    address: str
    email: str | None
    serials: tuple[str, ...] = ()

    @property
    def is_required(self) -> bool:
        """Return whether s. 11 requires the notice (rule 1)."""
        return self.role != CUSTOMER


@dataclass(frozen=True)
class Parties:
    """Everybody to notify, the authority first. `unnamed`: serial numbers of rule 3."""

    parties: tuple[Party, ...]
    unnamed: tuple[str, ...]


def authority(email: str | None) -> Party:
    """Return the enforcement authority. The maker finds its present address; it is not written here."""
    return Party(AUTHORITY, AUTHORITY, AUTHORITY_NAME, "", email)


def parties_of(
    found: Investigation,
    registry: Registry,
    packing: Iterable[Mapping[str, Any]],
    product: Product | None,
    authority_email: str | None,
) -> Parties:
    """Return who is notified of this failure.

    `product`: the definition, for the other manufacturers, or None. Raises PackingError, RegistryError.
    """
    delivered, unnamed = _delivered(found, registry, packing)
    known = consignees.consignees(registry)
    if faults := consignees.problems(registry):
        raise RegistryError(faults[0])
    if lost := sorted(set(delivered) - set(known)):
        raise RegistryError(
            f"the packing list names the consignee {lost[0]!r}, and the registry does not know it: was it restored from"
            " an older backup? Record it again with `firstboot registry consignee`"
        )
    receivers = [
        Party(one.id, one.role, one.name, one.address, one.email, tuple(delivered[one.id]))
        for one in known.values()
        if one.id in delivered
    ]
    others = [] if product is None else product.manufacturers[1:]
    makers = [
        Party(f"manufacturer-{number}", MANUFACTURER, one.name, one.address, None)
        for number, one in enumerate(others, 2)
    ]
    return Parties((authority(authority_email), *makers, *receivers), tuple(unnamed))


def _delivered(
    found: Investigation, registry: Registry, packing: Iterable[Mapping[str, Any]]
) -> tuple[dict[str, list[str]], list[str]]:
    """Return the serial numbers by consignee, and those without one."""
    keys = signing_keys(registry)
    delivered: dict[str, list[str]] = {}
    unnamed: list[str] = []
    listed: set[str] = set()
    for entry in packing:
        if not _is_affected(found, str(entry["model"]), str(entry["batch"])):
            continue
        check_line(entry, keys)
        serial, consignee = str(entry["serial"]), entry.get("consignee")
        listed.add(serial)
        if consignee is None:
            unnamed.append(serial)
        else:
            delivered.setdefault(str(consignee["id"]), []).append(serial)
    models = {batch.number: batch.model for batch in registry.batches()}
    for unit in registry.units():
        is_missing = unit.shipped_s is not None and unit.serial not in listed
        if is_missing and _is_affected(found, models.get(unit.batch, ""), unit.batch):
            unnamed.append(unit.serial)
    return delivered, unnamed


def _is_affected(found: Investigation, model: str, batch: str) -> bool:
    return model == found.model and (found.batches == (EVERY_BATCH,) or batch in found.batches)
