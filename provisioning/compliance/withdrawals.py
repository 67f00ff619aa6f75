"""The signed list of shipped units that were withdrawn, quarantined, stopped or recalled later (SC-11, ss. 11, 16).

Rules:
1. The list names only units that shipped. Its file is in the archive of statements, and the site publishes a copy, so
   an importer needs no registry to recognise such a unit.
2. The station's key signs the list. It also names every key that signed this registry's chains, so a list covers the
   packing lines of an earlier key of the same station.
3. A withdrawal is not taken back: a unit that the archive's list names as withdrawn stays on it, even if the registry
   was restored from an older backup.
4. A list older than MAX_AGE_DAYS does not count, because it would hide later withdrawals.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from provisioning.compliance.station_record import StationRecordError, read
from provisioning.file_system import paths_in, replace_file
from provisioning.keys.signer import sign_record
from provisioning.registry import stops
from provisioning.registry.models import PASSED
from provisioning.registry.signing_keys import signing_keys

if TYPE_CHECKING:
    from provisioning.keys.key_id import AnchorKey
    from provisioning.registry.models import Unit
    from provisioning.registry.registry import Registry

TYP: Final = "application/vnd.firstboot.withdrawn-units+json"
PATTERN: Final = "withdrawn-*.cose"
LIST_BYTES: Final = 8 << 20
MAX_AGE_DAYS: Final = 30  # our number: a site is built every week (security_txt.py)
WITHDRAWN: Final = "withdrawn"


class WithdrawalsError(ValueError):
    """The list of withdrawn units is not correctly signed, is too old, or is missing."""


@dataclass(frozen=True)
class Withdrawals:
    """One list. `signers`: key ids (hex) of the registry; `units`: (serial number, device id in hex) -> state."""

    issued: dt.date
    signers: frozenset[str]
    units: dict[tuple[str, str], str]


def state_after_shipping(unit: Unit, of_batch: str | None = None) -> str | None:
    """Return why a unit that shipped must not be sold now; None if it may be, or if it never shipped.

    `of_batch`: the state of its batch's stop after a confirmed failure.
    """
    if unit.shipped_s is None:
        return None
    if unit.withdrawn_s is not None:
        return WITHDRAWN
    return of_batch if unit.status == PASSED else unit.status


def states_after_shipping(registry: Registry) -> list[tuple[Unit, str]]:
    """Return every unit that shipped and must not be sold now, with its state. Raises RegistryError."""
    batches = _stopped_batches(registry)
    return [
        (unit, state)
        for unit in registry.units()
        if (state := state_after_shipping(unit, batches.get(unit.batch))) is not None
    ]


def _stopped_batches(registry: Registry) -> dict[str, str]:
    """Return the state of each batch with a confirmed compliance failure: recalled counts before stopped (CF-04)."""
    found: dict[str, str] = {}
    open_stops = [each for each in stops.stops(registry) if each.is_open and each.state != stops.INVESTIGATED]
    for batch in registry.batches():
        states = {
            each.state
            for each in open_stops
            if each.model == batch.model and each.batch in (batch.number, stops.EVERY_BATCH)
        }
        if states:
            found[batch.number] = stops.RECALLED if stops.RECALLED in states else stops.STOPPED
    return found


def sign_list(registry: Registry, archive: Path, today: dt.date) -> tuple[Path, int]:
    """Sign today's list into the archive. Returns its file and the number of units. Raises RegistryError, OSError."""
    stopped = [
        {"serial": unit.serial, "device_id": unit.device_id.hex(), "state": state}
        for unit, state in states_after_shipping(registry)
    ]
    path = list_path(archive, registry)
    stopped += _withdrawn_before(path, registry, {each["device_id"] for each in stopped})
    signers = sorted({*registry.verify([], []).signers, registry.signer.key_id.hex()})
    payload = json.dumps(
        {"issued": today.isoformat(), "signers": signers, "units": stopped},
        sort_keys=True,
        ensure_ascii=False,
    )
    archive.mkdir(parents=True, exist_ok=True)
    replace_file(path, sign_record(payload.encode(), TYP, registry.signer))
    return path, len(stopped)


def list_path(folder: Path, registry: Registry) -> Path:
    """Return the path of this registry's list in an archive of statements or in a copy of it."""
    return folder / PATTERN.replace("*", registry.registry_id.hex()[:16])


def _withdrawn_before(path: Path, registry: Registry, listed: set[str]) -> list[dict[str, str]]:
    """Return the withdrawn units of the archive's list that the registry no longer has (rule 3). Raises
    WithdrawalsError.
    """
    return [
        {"serial": serial, "device_id": device, "state": WITHDRAWN}
        for serial, device in sorted(withdrawn_in(path, registry))
        if device not in listed
    ]


def withdrawn_in(path: Path, registry: Registry) -> set[tuple[str, str]]:
    """Return (serial number, device id in hex) of every withdrawn unit in this registry's list; none without a list.

    Raises WithdrawalsError, RegistryError, OSError.
    """
    if not path.exists():
        return set()
    try:
        before = read_list(path.read_bytes(), signing_keys(registry))
    except WithdrawalsError as error:
        raise WithdrawalsError(f"{error}: none of this registry's keys signed {path}") from None
    return {unit for unit, state in before.units.items() if state == WITHDRAWN}


def read_list(data: bytes, stations: Iterable[AnchorKey]) -> Withdrawals:
    """Return a list that a trusted station signed. Raises WithdrawalsError."""
    try:
        payload, signer = read(data, TYP, stations, LIST_BYTES)
        content = json.loads(payload)
        units = {
            (str(each["serial"]), str(each["device_id"])): str(each["state"]) for each in content["units"]
        }
        return Withdrawals(
            dt.date.fromisoformat(content["issued"]),
            frozenset(str(each) for each in content["signers"]) | {signer.hex()},
            units,
        )
    except StationRecordError as error:
        raise WithdrawalsError(f"the list of withdrawn units is {error}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise WithdrawalsError(
            "the list of withdrawn units has a form that this version cannot read"
        ) from None


def find_list(folder: Path, stations: Iterable[AnchorKey], signer: str, today: dt.date) -> Withdrawals:
    """Return the newest list in `folder` of the registry that key id `signer` (hex) belongs to.

    Raises WithdrawalsError if the list is missing, if it is older than MAX_AGE_DAYS, if its day has not come (a clock
    is wrong, and the list would count for longer), or if a list is not signed; OSError.
    """
    trusted = tuple(stations)
    lists = [read_list(path.read_bytes(), trusted) for path in paths_in(folder, PATTERN)]
    covering = [each for each in lists if signer in each.signers]
    if not covering:
        raise WithdrawalsError(
            "the site has no list of withdrawn units for the station that shipped this unit"
        )
    newest = max(covering, key=lambda each: each.issued)
    if newest.issued > today:
        raise WithdrawalsError(
            f"the list of withdrawn units has the date {newest.issued.isoformat()}, which is in the future: check the"
            " clock here; if it is right, ask the manufacturer for a list with the right date"
        )
    if newest.issued < today - dt.timedelta(MAX_AGE_DAYS):
        raise WithdrawalsError(
            f"the list of withdrawn units of {newest.issued.isoformat()} is more than {MAX_AGE_DAYS} days old;"
            " get a new copy of the site"
        )
    return newest
