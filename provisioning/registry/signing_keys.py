"""The public keys that sign this registry's records: those of its chains, and the present one of its station."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from device.trust.anchors import ROLE_SIGNATORY
from provisioning.keys.key_id import AnchorKey, key_id
from provisioning.registry.models import Chain

if TYPE_CHECKING:
    from provisioning.registry.base import RegistryBase


def signing_keys(registry: RegistryBase) -> list[AnchorKey]:
    """Return every public key that signed records here, in the order of its bytes. Raises RegistryError."""
    with registry.reading() as session:
        points = {point for point in session.scalars(select(Chain.public_key)) if point}
    points.add(registry.signer.public)
    algorithm = registry.signer.algorithm
    return [AnchorKey(key_id(point), algorithm, ROLE_SIGNATORY, point) for point in sorted(points)]
