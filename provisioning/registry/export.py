"""Exports of a registry: units as CSV, JSON or Parquet, checkable chains, and access and secrets for the servers.

Rules:
1. No export holds a set-up code or its fingerprint; OSCORE secrets are exported sealed.
2. A unit that is withdrawn, retired or quarantined, or has not passed yet, has no access to any server.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import select

from device.records.support import date_text
from provisioning.registry import checkpoints
from provisioning.registry.chains import ChainData, Entry, Report, verify_chains
from provisioning.registry.errors import ChainError, RegistryError
from provisioning.registry.models import PASSED, SealedSecret, Unit
from provisioning.registry.registry import Registry
from provisioning.registry.sale import is_for_sale
from provisioning.registry.sealed import ServerPrivateKey
from provisioning.servers.access import mosquitto_acl
from provisioning.servers.oscore_store import OscoreStore

COLUMNS: Final = (
    "serial", "device_id", "hardware_id", "batch", "status", "for_sale", "version", "image_digest",
    "record_hash", "statement_sha256", "support_end", "passed_s", "withdrawn_s", "note",
)  # fmt: skip
CHAINS_VERSION: Final = 1
SECRETS_VERSION: Final = 1


def has_access(unit: Unit) -> bool:
    """Return whether servers serve this unit (rule 2)."""
    return unit.status == PASSED and unit.withdrawn_s is None


def unit_facts(unit: Unit) -> dict[str, Any]:
    """Return one unit as plain values: bytes in hex, times in unix seconds, dates as YYYY-MM-DD."""

    def text(value: bytes | None) -> str | None:
        return None if value is None else value.hex()

    return {
        "serial": unit.serial,
        "device_id": unit.device_id.hex(),
        "hardware_id": unit.hardware_id.hex(),
        "batch": unit.batch,
        "status": unit.status,
        "for_sale": is_for_sale(unit),
        "version": unit.version,
        "image_digest": text(unit.image_digest),
        "record_hash": text(unit.record_hash),
        "statement_sha256": text(unit.statement_sha256),
        "support_end": None if unit.support_end_day is None else date_text(unit.support_end_day),
        "passed_s": unit.passed_s,
        "withdrawn_s": unit.withdrawn_s,
        "note": unit.note,
    }


def units_json(registry: Registry, batch: str | None = None) -> str:
    """Return the units as a JSON list."""
    return json.dumps([unit_facts(unit) for unit in registry.units(batch)], indent=1)


def units_csv(registry: Registry, batch: str | None = None) -> str:
    """Return the units as CSV (RFC 4180) with a heading row.

    A cell that a spreadsheet would evaluate as a formula gets an apostrophe in front.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    for unit in registry.units(batch):
        writer.writerow({name: _cell(value) for name, value in unit_facts(unit).items()})
    return out.getvalue()


def _cell(value: object) -> object:
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def units_parquet(registry: Registry, batch: str | None = None) -> bytes:
    """Return the units as a Parquet file. Raises RegistryError without pyarrow, an optional dependency."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise RegistryError("Parquet needs pyarrow: pip install pyarrow") from None
    table = pa.Table.from_pylist([unit_facts(unit) for unit in registry.units(batch)])
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink)
    return bytes(sink.getvalue())


# Chains --------------------------------------------------------------------------------------------------


def chains_json(registry: Registry) -> str:
    """Return every chain and checkpoint, for `firstboot registry verify --ledger` on any machine."""
    with registry.reading() as session:
        chains = checkpoints.stored_chains(session)
        stored = checkpoints.stored_checkpoints(session)
    document = {
        "version": CHAINS_VERSION,
        "registry": registry.registry_id.hex(),
        "chains": [
            {
                "name": chain.name,
                "key": chain.public_key.hex(),
                "records": [
                    [e.number, e.body, e.previous_hash.hex(), e.hash.hex(), e.signature.hex()]
                    for e in chain.entries
                ],
            }
            for chain in chains
        ],
        "checkpoints": stored,
    }
    return json.dumps(document)


def verify_chains_json(text: str, exported: Sequence[str] = (), trusted: Sequence[bytes] = ()) -> Report:
    """Check exported chains without their registry. Raises ChainError."""
    try:
        document = json.loads(text)
        chains = [
            ChainData(
                str(chain["name"]),
                bytes.fromhex(chain["key"]),
                [
                    Entry(int(n), str(body), *(bytes.fromhex(part) for part in rest))
                    for n, body, *rest in chain["records"]
                ],
            )
            for chain in document["chains"]
        ]
        checkpoints = {
            str(key): [str(item) for item in texts] for key, texts in document["checkpoints"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ChainError(["the file is not an export of chains"]) from None
    return verify_chains(chains, checkpoints, exported, trusted)


# Servers -------------------------------------------------------------------------------------------------


def broker_acl(registry: Registry, class_ids: Sequence[bytes]) -> str:
    """Return a complete acl_file for mosquitto: publisher, tracker, and by name every unit that has access.

    A withdrawn unit is not in it, so it has no rights even with a valid certificate.
    """
    heading = "# made by firstboot registry export; units that are not named here have no rights\n\n"
    return heading + mosquitto_acl(class_ids, served_units(registry))


def served_units(registry: Registry) -> list[bytes]:
    """Return the device ids of the units that servers serve (rule 2)."""
    return [unit.device_id for unit in registry.units() if has_access(unit)]


def sealed_json(registry: Registry) -> str:
    """Return the sealed OSCORE secrets of units with access, and the units whose access ended, for the CoAP server."""
    with registry.reading() as session:
        secrets = {entry.device_id: entry for entry in session.scalars(select(SealedSecret))}
    units = registry.units()
    granted = [unit for unit in units if has_access(unit) and unit.device_id in secrets]
    document = {
        "version": SECRETS_VERSION,
        "units": [
            {
                "device_id": unit.device_id.hex(),
                "key": secrets[unit.device_id].server_key_id.hex(),
                "sealed": secrets[unit.device_id].sealed.hex(),
            }
            for unit in granted
        ],
        "removed": [unit.device_id.hex() for unit in units if not has_access(unit)],
    }
    return json.dumps(document)


def import_sealed(text: str, key: ServerPrivateKey, store: OscoreStore) -> tuple[int, int]:
    """On the CoAP server: open the secrets that were sealed to it. Return (units added, units removed).

    A unit whose secret did not change is not touched. Raises RegistryError; if one secret does not open,
    nothing changes.
    """
    try:
        document = json.loads(text)
        entries = [
            (bytes.fromhex(unit["device_id"]), bytes.fromhex(unit["sealed"])) for unit in document["units"]
        ]
        removed = [bytes.fromhex(device_id) for device_id in document["removed"]]
        is_known = document["version"] == SECRETS_VERSION
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise RegistryError("the file holds no sealed secrets") from None
    if not is_known:
        raise RegistryError("the file was written by another version of this program")
    opened = [(device_id, *key.open(device_id, sealed)) for device_id, sealed in entries]
    for device_id, secret, salt in opened:
        store.add(device_id, secret, salt)
    return len(opened), sum(store.remove(device_id) for device_id in removed)
