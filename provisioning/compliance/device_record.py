"""The signed support records that devices get, against what the maker's pages say (SP-03, SP-07).

Rules:
1. A record that is given has to verify under the support role's key that the builder trusts, be for a product that is
   published, and say that product's end date, notice and sequence: page and device never say different days.
2. An extension is not published without the record that tells the devices: both in one run, or neither.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from device.errors import FirstbootError
from device.records import support
from device.records.support import date_text
from device.trust.anchors import NO_RULES, ROLE_SUPPORT, Anchors, Key
from device.trust.verify import verify_record

if TYPE_CHECKING:
    from provisioning.compliance.support_register import Publication
    from provisioning.keys.key_id import AnchorKey
    from provisioning.product.product import Product


@dataclass(frozen=True)
class DeviceRecords:
    """Signed support records as they will be sent to devices, and the keys that may have signed them."""

    records: Sequence[bytes] = ()
    keys: Sequence[AnchorKey] = ()


NO_RECORDS: Final = DeviceRecords()


def record_problems(
    products: Iterable[Product], published: Mapping[str, Publication], given: DeviceRecords
) -> tuple[list[str], dict[str, bytes]]:
    """What stands against publishing these periods (rules 1 and 2), and each model's record."""
    problems: list[str] = []
    read: dict[bytes, tuple[support.SupportRecord, bytes]] = {}
    for record in given.records:
        try:
            content = _read(record, given.keys)
        except FirstbootError as error:
            problems.append(f"a support record for devices does not hold: {type(error).__name__} (SP-03)")
            continue
        read[content.class_id] = (content, record)
    found: dict[str, bytes] = {}
    for product in products:
        if product.class_id in read:
            content, found[product.model] = read.pop(product.class_id)
            problems += _differences(product, content)
            continue
        before = published.get(product.model)
        end = product.support.end_date
        if before is not None and end > before.end_date:
            problems.append(
                f"{product.model}: the period is extended to {end.isoformat()}, and no signed support record tells the"
                " devices: firstboot release record support (SP-03)"
            )
    problems += [
        f"a support record is for class {class_id.hex()}, which is not published" for class_id in read
    ]
    return problems, found


def _read(record: bytes, keys: Sequence[AnchorKey]) -> support.SupportRecord:
    anchors = Anchors(
        bytes(16),
        bytes(16),
        tuple(Key(key.key_id, key.algorithm, ROLE_SUPPORT, key.public) for key in keys),
        0,
        0,
        NO_RULES,
    )
    return support.decode(verify_record(record, support.TYP, ROLE_SUPPORT, anchors))


def _differences(product: Product, content: support.SupportRecord) -> list[str]:
    told, period = dt.date.fromisoformat(date_text(content.end_day)), product.support
    found = []
    if told != period.end_date:
        found.append(
            f"{product.model}: devices are told {told.isoformat()}, the page says {period.end_date.isoformat()} (SP-03)"
        )
    if content.notice_days != period.notice_days:
        found.append(
            f"{product.model}: devices are told {content.notice_days} days of notice, not {period.notice_days} (SP-03)"
        )
    if content.sequence != period.sequence:
        found.append(
            f"{product.model}: the record for devices has sequence {content.sequence}, the definition"
            f" {period.sequence} (SP-03)"
        )
    return found
