"""The support dates of a product for other programs, from the signed record that devices get (SP-03, CRA Annex II).

Rules:
1. Both files follow from the record alone, so page, device and file never have different days. Each names the day until
   whose end (UTC) security updates are provided.
2. OpenEoX Core 1.0 is a draft (committee specification draft 01 of 13 July 2026), and the file's name says so. It has
   no field for a product's name: the file's name and the CycloneDX file have it. `end_of_life` is "tba", because a
   support period does not say when any other help ends.
3. CycloneDX has `endOfGuaranteedSupport` of the official `cdx:lifecycle` properties and not `endOfSupport`: the period
   is a minimum, after which the maker may go on.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from device.codec import cose
from device.records import support
from device.records.support import date_text
from provisioning.compliance.archive import slug
from provisioning.firmware.sbom import reproducible

if TYPE_CHECKING:
    from provisioning.product.product import Product

OPENEOX_SCHEMA: Final = "https://docs.oasis-open.org/openeox/eox-core/v1.0/schema/core.json"
NOT_ANNOUNCED: Final = "tba"
MILESTONE: Final = "cdx:lifecycle:milestone:endOfGuaranteedSupport"


def openeox_path(model: str) -> str:
    """Return the path below the site of a model's support dates as OpenEoX Core (rule 2)."""
    return f"records/support-{slug(model)}.openeox-draft.json"


def cyclonedx_path(model: str) -> str:
    """Return the path below the site of a model's support dates as CycloneDX."""
    return f"records/support-{slug(model)}.cdx.json"


def lifecycle_files(product: Product, record: bytes) -> dict[str, bytes]:
    """Return both files by their path below the site. `record`: the support record of the product, already verified.

    Raises CoseError, SupportRecordError for any other bytes.
    """
    content = support.decode(cose.decode(record).payload or b"")
    return {
        openeox_path(product.model): _as_bytes(openeox(content)),
        cyclonedx_path(product.model): cyclonedx(product, content, record).encode(),
    }


def openeox(content: support.SupportRecord) -> dict[str, str]:
    """Return the dates as OpenEoX Core information (rule 2)."""
    return {
        "$schema": OPENEOX_SCHEMA,
        "end_of_life": NOT_ANNOUNCED,
        "end_of_security_support": f"{date_text(content.end_day)}T23:59:59Z",
        "last_updated": _time_text(content.published_s),
    }


def cyclonedx(product: Product, content: support.SupportRecord, record: bytes) -> str:
    """Return a CycloneDX 1.6 document about the product, as JSON text: the same for the same record (rule 3)."""
    from cyclonedx.model import Property
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.contact import OrganizationalEntity
    from cyclonedx.output.json import JsonV1Dot6

    values = {
        MILESTONE: date_text(content.end_day),
        "firstboot:support-period": product.support.period,
        "firstboot:support-record-sha256": hashlib.sha256(record).hexdigest(),
        "firstboot:support-published": _time_text(content.published_s),
    }
    device = Component(
        name=product.model,
        type=ComponentType.DEVICE,
        bom_ref="product",
        manufacturer=OrganizationalEntity(name=product.manufacturer.name),
        properties=[Property(name=name, value=value) for name, value in values.items()],
    )
    bom = Bom(serial_number=uuid.UUID(int=0), metadata=BomMetaData(component=device))
    return reproducible(json.loads(JsonV1Dot6(bom).output_as_string()))


def _time_text(unix_s: int) -> str:
    return dt.datetime.fromtimestamp(unix_s, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _as_bytes(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"
