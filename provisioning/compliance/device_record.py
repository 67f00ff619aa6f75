"""Compare the signed support records that devices get with the maker's pages (SP-03, SP-07).

Rules:
1. A support key that the maker trusts must have signed each record. The record must be for a published product and
   have its end date, notice and sequence number, so page and device never show different days. Models of one class get
   the same record. Of several records of a class, the newest counts, as in a device.
2. An extension is published together with the record for devices, or not at all.
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
from device.trust.signed_record import verify_record

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
    products: Sequence[Product], published: Mapping[str, Publication], given: DeviceRecords
) -> tuple[list[str], dict[str, bytes]]:
    """Return why these periods cannot be published (rules 1 and 2), and each model's record."""
    problems: list[str] = []
    read: dict[bytes, tuple[support.SupportRecord, bytes]] = {}
    for record in given.records:
        try:
            content = _read(record, given.keys)
        except FirstbootError as error:
            problems.append(
                f"a support record for devices cannot be verified: {type(error).__name__} (SP-03)"
            )
            continue
        other = read.get(content.class_id)
        if other is not None and other[0].sequence >= content.sequence:
            if other[0].sequence == content.sequence and other[0] != content:
                problems.append(
                    f"two different support records for class {content.class_id.hex()} have sequence"
                    f" {content.sequence} (SP-03)"
                )
            continue
        read[content.class_id] = (content, record)
    found: dict[str, bytes] = {}
    for product in products:
        if product.class_id in read:
            content, found[product.model] = read[product.class_id]
            problems += _differences(product, content)
            continue
        before = published.get(product.model)
        end = product.support.end_date
        if before is not None and end > before.end_date:
            problems.append(
                f"{product.model}: the period is extended to {end.isoformat()}, but no signed support record for"
                " devices was given. Make one with `firstboot release record support` (SP-03)"
            )
    problems += [
        f"a support record is for class {class_id.hex()}, which is not published"
        for class_id in read.keys() - {product.class_id for product in products}
    ]
    return problems, found


def support_anchors(keys: Iterable[AnchorKey]) -> Anchors:
    """Return anchors with these keys in the support role, each once."""
    by_id = {key.key_id: Key(key.key_id, key.algorithm, ROLE_SUPPORT, key.public) for key in keys}
    return Anchors(bytes(16), bytes(16), tuple(by_id.values()), 0, 0, NO_RULES)


def _read(record: bytes, keys: Sequence[AnchorKey]) -> support.SupportRecord:
    return support.decode(verify_record(record, support.TYP, ROLE_SUPPORT, support_anchors(keys)))


def _differences(product: Product, content: support.SupportRecord) -> list[str]:
    shown, period = dt.date.fromisoformat(date_text(content.end_day)), product.support
    found = []
    if shown != period.end_date:
        found.append(
            f"{product.model}: the record for devices ends on {shown.isoformat()}, the page on"
            f" {period.end_date.isoformat()} (SP-03)"
        )
    if content.notice_days != period.notice_days:
        found.append(
            f"{product.model}: the record for devices has {content.notice_days} days of notice, not"
            f" {period.notice_days} (SP-03)"
        )
    if content.sequence != period.sequence:
        found.append(
            f"{product.model}: the record for devices has sequence {content.sequence}, the definition"
            f" {period.sequence} (SP-03)"
        )
    return found
