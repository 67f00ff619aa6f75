"""The signed list of shipped units that were withdrawn, quarantined, stopped or recalled later (SC-11, ss. 11, 16).

Rules:
1. The list names only units that shipped, or that may have (rule 3). Its file is in the archive of statements, and the
   site publishes a copy, so an importer needs no registry to recognise such a unit.
2. The station's key signs the list. It also names every key that signed this registry's chains, so a list covers the
   packing lines of an earlier key of the same station.
3. A registry that was restored from an older backup takes nothing back. A unit that the archive's list names as
   withdrawn, quarantined or retired stays so on every later list; no decision ends these states. A unit that it names
   as stopped or recalled stays on it until the registry has the end of a stop of its batch. A unit that shipped after
   the backup is not marked as shipped, so every unit of a restored batch that must not be sold is on the list.
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
from provisioning.file_system import is_there, paths_in, replace_file
from provisioning.keys.signer import sign_record
from provisioning.registry import stops
from provisioning.registry.backup import RESTORED
from provisioning.registry.branches import incidents
from provisioning.registry.models import PASSED, QUARANTINED, RETIRED
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
FINAL: Final = (WITHDRAWN, QUARANTINED, RETIRED)  # states of a unit that no decision ends


class WithdrawalsError(ValueError):
    """The list of withdrawn units is not correctly signed, is too old, or is missing."""


@dataclass(frozen=True)
class Withdrawals:
    """One list. `signers`: key ids (hex) of the registry; `units`: (serial number, device id in hex) -> state."""

    issued: dt.date
    signers: frozenset[str]
    units: dict[tuple[str, str], str]


def state_after_shipping(unit: Unit, of_batch: str | None = None, *, is_restored: bool = False) -> str | None:
    """Return why a unit that shipped must not be sold now; None if it may be, or if it never shipped.

    `of_batch`: the state of its batch's stop after a confirmed failure. `is_restored`: the batch was restored from a
    backup, so a unit of it that is not marked as shipped may have shipped.
    """
    if unit.shipped_s is None and not is_restored:
        return None
    if unit.withdrawn_s is not None:
        return WITHDRAWN
    if unit.status != PASSED:
        return unit.status if unit.shipped_s is not None or unit.status in FINAL else None
    return of_batch


def states_after_shipping(registry: Registry) -> list[tuple[Unit, str]]:
    """Return every unit that shipped, or may have (rule 3), and must not be sold now, with its state.

    Raises RegistryError.
    """
    batches = _stopped_batches(registry)
    restored = {each.batch for each in incidents(registry, is_open=False) if each.kind == RESTORED}
    found = []
    for unit in registry.units():
        state = state_after_shipping(unit, batches.get(unit.batch), is_restored=unit.batch in restored)
        if state is not None:
            found.append((unit, state))
    return found


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
    """Sign today's list into the archive. Returns its file and the number of units. Raises RegistryError, OSError,
    WithdrawalsError.
    """
    path = list_path(archive, registry)
    stopped = [
        {"serial": serial, "device_id": device, "state": state}
        for (serial, device), state in sorted(states_with(path, registry).items())
    ]
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


def states_with(path: Path, registry: Registry) -> dict[tuple[str, str], str]:
    """Return why each unit must not be sold now, by serial number and device id (hex): from the registry, and from
    this registry's list at `path` (rule 3).

    Raises WithdrawalsError, RegistryError, OSError.
    """
    found = {(unit.serial, unit.device_id.hex()): state for unit, state in states_after_shipping(registry)}
    before = _states_before(path, registry)
    ended = _units_of_ended_stops(registry) if before else set()
    for unit, state in before.items():
        if state in FINAL and found.get(unit) not in FINAL:
            found[unit] = state
        elif unit not in found and unit not in ended:
            found[unit] = state
    return found


def _states_before(path: Path, registry: Registry) -> dict[tuple[str, str], str]:
    """Return the units of this registry's list; none without a list."""
    if not is_there(path):
        return {}
    try:
        return read_list(path.read_bytes(), signing_keys(registry)).units
    except WithdrawalsError as error:
        raise WithdrawalsError(f"{error}: none of this registry's keys signed {path}") from None


def _units_of_ended_stops(registry: Registry) -> set[tuple[str, str]]:
    """Return (serial number, device id in hex) of every unit whose batch had a stop that ended."""
    ended = {(each.model, each.batch) for each in stops.stops(registry) if not each.is_open}
    batches = {
        batch.number
        for batch in registry.batches()
        if {(batch.model, batch.number), (batch.model, stops.EVERY_BATCH)} & ended
    }
    return {(unit.serial, unit.device_id.hex()) for unit in registry.units() if unit.batch in batches}


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
