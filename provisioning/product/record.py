"""The records that a station writes into a unit (docs/reference/records.md), made from product, keys and identity."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from device.codec import cbor
from device.owner.setup_code import verifier
from device.records import contact, identity, setup, support
from device.records.store import STATION_RECORDS, hash_item
from device.records.support import days_from_civil
from device.trust import anchors as trust_anchors

if TYPE_CHECKING:
    from provisioning.keys.key_id import AnchorKey
    from provisioning.keys.keyset import KeySetPlan
    from provisioning.product.product import Product

DAY_S = 86400
OSCORE_SERVER_ID = b"fb"
OSCORE_DEVICE_ID_BYTES = 7


def day_of(date: dt.date) -> int:
    """Return the days since 1970-01-01."""
    return days_from_civil(date.year, date.month, date.day)


@dataclass(frozen=True)
class OscoreSecret:
    """The OSCORE secret of a unit and the CoAP server. `sender_id` is the unit's."""

    sender_id: bytes
    recipient_id: bytes
    master_secret: bytes = field(repr=False)
    master_salt: bytes = field(repr=False)

    @classmethod
    def generate(cls, device_id: bytes) -> OscoreSecret:
        """Generate a secret for one unit, from the system's CSPRNG."""
        return cls(
            device_id[:OSCORE_DEVICE_ID_BYTES],
            OSCORE_SERVER_ID,
            secrets.token_bytes(16),
            secrets.token_bytes(8),
        )

    def record(self) -> bytes:
        """Return the `oscore` record. Secret."""
        return cbor.encode(
            {1: self.master_secret, 2: self.master_salt, 3: self.sender_id, 4: self.recipient_id}
        )


def identity_record(product: Product, device_id: bytes, serial: str) -> bytes:
    """Return the `identity` record. Raises CborError."""
    return identity.encode(
        identity.Identity(
            device_id, serial, product.model, product.brand, product.batch, product.manufacturer.name
        )
    )


def setup_record(code: str, passphrase: str = "") -> bytes:
    """Return the `setup` record: salt and verifier, from which the code cannot be recovered.

    `passphrase`: of the unit's access point, "" for a unit without a radio. Raises CborError.
    """
    salt = secrets.token_bytes(setup.SALT_BYTES)
    return setup.encode(setup.SetupRecord(salt, verifier(code, salt), passphrase))


def anchors_record(
    product: Product, keys: Sequence[AnchorKey], opened_s: int, plan: KeySetPlan | None = None
) -> bytes:
    """Return the `anchors` record.

    `opened_s`: unix seconds when the batch was opened; no unit accepts an earlier time.

    The record has the beginning of that day, so that a clock which is a little slow is not refused. `plan` is the
    newest key set: its roots and rules go in, so a new unit refuses older ones. Raises CborError.
    """
    known = tuple(trust_anchors.Key(key.key_id, key.algorithm, key.role, key.public) for key in keys)
    rules = trust_anchors.NO_RULES
    if plan is not None:
        known = plan.keys(keys)
        rules = plan.rules(known)
    return trust_anchors.encode(
        trust_anchors.Anchors(
            product.vendor_id,
            product.class_id,
            known,
            (day_of(product.support.horizon) + 1) * DAY_S - 1,
            opened_s // DAY_S * DAY_S,
            rules,
        )
    )


def support_payload(product: Product, published_s: int) -> bytes:
    """Return the payload of the `support` record, which the support role signs. Raises SupportRecordError."""
    period = product.support
    return support.encode(
        support.SupportRecord(
            product.class_id, day_of(period.end_date), period.sequence, published_s, period.notice_days
        )
    )


def contact_payload(product: Product) -> bytes:
    """Return the payload of the `contact` record, which the support role signs. Raises CborError."""
    details = product.contact
    return contact.encode(
        contact.Contact(
            details.sequence,
            details.report,
            details.acknowledgement,
            details.status_updates,
            details.policy,
        )
    )


def servers_record(product: Product, server_ca: bytes) -> bytes:
    """Return the `servers` record. `server_ca`: certificate (DER) of the authority that issues servers' certificates.

    `server_ca`: certificate (DER) of the authority that issues servers' certificates.
    """
    sources = []
    for server in product.servers:
        source: dict[int, object] = {1: server.transport, 2: server.host, 3: server.port}
        if server.tls_name is not None:
            source[4] = server.tls_name
        sources.append(source)
    return cbor.encode({1: server_ca, 2: sources, 3: product.check_interval_s})


def expected_hash(written: Mapping[str, bytes]) -> bytes:
    """Return the record hash that a unit with exactly these records must report. Raises KeyError."""
    total = hashlib.sha256()
    for name in sorted(STATION_RECORDS):
        total.update(hash_item(name, written[name]))
    return total.digest()
