"""What the registry does for each unit, as works of the writer: reads first, then refusals, then writes.

A unit that passes takes three commits: reserve, seal, release (its phases are in the last one). Each stands before
the physical effect that needs it: before anything is written into the unit, before the lock, before the unit counts
as finished.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from provisioning.keys.signer import Signer
from provisioning.registry import statements as sql
from provisioning.registry.errors import (
    AlreadyReleasedError,
    BatchError,
    ClockError,
    DuplicateCodeError,
    NumbersUsedUpError,
    QuarantinedError,
    RegistryError,
)
from provisioning.registry.ledger import GENESIS, make_entry
from provisioning.registry.models import QUARANTINED, RELEASED, RESERVED, SEALED
from provisioning.registry.numbers import batch_used_up_text, require_free, used_up_text
from provisioning.registry.writer import Turn, Work

SERIAL_DIGITS: Final = 6
CLOCK_TOLERANCE_S: Final = 600  # what stations of one registry may differ by
_JSON: Final = json.JSONEncoder(sort_keys=True)


class PhaseFacts(Protocol):
    """What the registry stores of a phase."""

    @property
    def name(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def measurements(self) -> Mapping[str, Any]: ...
    @property
    def error(self) -> str | None: ...


@dataclass(frozen=True)
class Reservation:
    """An identity that is a unit's for good. `is_resumed`: an earlier run had reserved it."""

    unit_id: int
    device_id: bytes
    serial: str
    is_resumed: bool


@dataclass(frozen=True)
class Wish:
    """What a run asks for when it reserves: for which board, in which batch, with which code's fingerprint.

    `device_id` is drawn for a board that has none yet. `now`: unix seconds. `numbers`: the batch's range of serial
    numbers, both ends included; None where its prefix counts on.
    """

    hardware_id: bytes
    batch: str
    serial_prefix: str
    code_mark: bytes
    device_id: bytes
    is_development: bool
    now: int
    numbers: tuple[int, int] | None = None


def reserve(wish: Wish) -> Work[Reservation]:
    """The work of Registry.reserve."""
    asked = {
        "hardware_id": wish.hardware_id,
        "fingerprint": wish.code_mark,
        "wanted_batch": wish.batch,
        "serial_prefix": wish.serial_prefix,
    }

    def work(turn: Turn) -> Reservation:
        ((row,),) = turn.ask((sql.LOOK, asked))
        code_of, is_closed, role, counted, newest_s, newest = row[:6]
        if code_of is not None:
            raise DuplicateCodeError(
                "the set-up code was drawn before; the random source is not to be trusted"
            )
        if is_closed is None or is_closed:
            raise BatchError(f"batch {wish.batch} is not open")
        if newest_s is not None and newest_s - wish.now > CLOCK_TOLERANCE_S:
            raise ClockError(
                f"the station's clock is at {_moment(wish.now)}, but unit {newest} was reserved at {_moment(newest_s)}:"
                " set the clock, or, if that one was wrong, rework the units that were made with it"
            )
        if row[6] is not None:
            reservation = _go_on(turn, row[6:], wish.batch)
        else:
            reservation = _begin(turn, wish, counted, is_branch=role is not None)
        turn.put(
            sql.NEW_CODE,
            {
                "fingerprint": wish.code_mark,
                "unit_id": reservation.unit_id,
                "is_live": True,
                "drawn_s": wish.now,
            },
        )
        return reservation

    return work


def _go_on(turn: Turn, found: Sequence[Any], batch: str) -> Reservation:
    unit_id, device_id, serial, begun_in, status, note = found
    if status == RELEASED:
        raise AlreadyReleasedError(f"unit {serial} is released; it is not provisioned again")
    if status == QUARANTINED:
        raise QuarantinedError(stopped_text(serial, status, note))
    if begun_in != batch:
        raise BatchError(f"unit {serial} was begun in batch {begun_in}, not in {batch}")
    turn.put(sql.SET_STATUS, {"unit_id": unit_id, "new_status": RESERVED})
    turn.put(sql.BURN, {"unit": unit_id})
    return Reservation(unit_id, device_id, serial, is_resumed=True)


def _begin(turn: Turn, wish: Wish, counted: int | None, *, is_branch: bool) -> Reservation:
    prefix = wish.serial_prefix
    if is_branch or wish.numbers is not None:
        first, number = _of_range(turn, wish, is_branch=is_branch)
        turn.put(sql.RANGE_ON, {"serial_prefix": prefix, "first": first, "following": number + 1})
    else:
        number = 1 if counted is None else counted
        require_free(prefix, number)
        if counted is None:
            turn.put(sql.NEW_COUNTER, {"prefix": prefix, "next_number": number + 1})
        else:
            turn.put(sql.COUNT_ON, {"serial_prefix": prefix, "following": number + 1})
    serial = f"{prefix}{number:0{SERIAL_DIGITS}d}"
    (unit_id,) = turn.insert(
        sql.NEW_UNIT,
        {
            "hardware_id": wish.hardware_id,
            "device_id": wish.device_id,
            "serial": serial,
            "batch": wish.batch,
            "status": RESERVED,
            "is_development": wish.is_development,
            "reserved_s": wish.now,
        },
    )
    return Reservation(unit_id, wish.device_id, serial, is_resumed=False)


def _of_range(turn: Turn, wish: Wish, *, is_branch: bool) -> tuple[int, int]:
    """(first number of the range, number for the unit). Raises NumbersUsedUpError."""
    prefix, limits = wish.serial_prefix, wish.numbers
    asked: dict[str, Any] = {"serial_prefix": prefix}
    if limits is None:
        (ranges,) = turn.ask((sql.RANGE, asked))
        if not ranges:
            raise NumbersUsedUpError(used_up_text(prefix))
    else:
        asked["wanted_batch"] = wish.batch
        (ranges,) = turn.ask((sql.BATCH_LEASE if is_branch else sql.BATCH_RANGE, asked))
        if not ranges or not limits[0] <= ranges[0][1] <= limits[1]:
            raise NumbersUsedUpError(batch_used_up_text(wish.batch, prefix, limits, is_branch=is_branch))
    first, number = ranges[0]
    return int(first), int(number)


def seal(unit_id: int, columns: Mapping[str, Any], oscore: tuple[bytes, bytes] | None) -> Work[None]:
    """The work of Registry.seal. `columns`: values of statements.SEALED_COLUMNS."""
    values = {"unit_id": unit_id} | {f"new_{name}": columns[name] for name in sql.SEALED_COLUMNS}

    def work(turn: Turn) -> None:
        _, device_id, serial, _, status, note = _unit(turn.ask((sql.BY_ID, {"unit_id": unit_id}))[0], unit_id)
        if status == RELEASED:
            raise AlreadyReleasedError(f"unit {serial} is released")
        if status not in (RESERVED, SEALED):
            raise QuarantinedError(stopped_text(serial, status, note))
        turn.put(sql.SEAL, values)
        if oscore is not None:
            turn.put(sql.DROP_SECRET, {"device": device_id})
            turn.put(
                sql.NEW_SECRET, {"device_id": device_id, "server_key_id": oscore[0], "sealed": oscore[1]}
            )

    return work


def release(
    unit_id: int,
    facts: Mapping[str, Any],
    signer: Signer,
    now: int,
    phases: Callable[[bytes], list[dict[str, Any]]],
) -> Work[bytes]:
    """The work of Registry.release. `phases`: rows for the hash of the unit's production record."""
    station = str(facts.get("station", "station"))

    def work(turn: Turn) -> bytes:
        units, heads = turn.ask((sql.BY_ID_WITH_HASH, {"unit_id": unit_id}), (sql.HEAD, {"station": station}))
        _, _, serial, _, status, note, done = _unit(units, unit_id)
        if status == RELEASED:
            _put_phases(turn, phases(done))
            return bytes(done)
        if status == QUARANTINED:
            raise QuarantinedError(stopped_text(serial, status, note))
        if status != SEALED:
            raise RegistryError(f"unit {serial} is not sealed")
        chain, number, previous = _own_chain(turn, heads, station, signer)
        entry = make_entry(chain, number, previous, {**facts, "time": now}, signer)
        turn.put(sql.RELEASE, {"unit_id": unit_id, "released": now})
        turn.put(
            sql.NEW_RECORD,
            {
                "chain": chain,
                "number": number,
                "unit_id": unit_id,
                "body": entry.body,
                "previous_hash": entry.previous_hash,
                "hash": entry.hash,
                "signature": entry.signature,
            },
        )
        _put_phases(turn, phases(entry.hash))
        return entry.hash

    return work


def _own_chain(
    turn: Turn, heads: Sequence[Sequence[Any]], station: str, signer: Signer
) -> tuple[str, int, bytes]:
    """(chain, next number, hash before it); a chain is begun where this station has none that is open."""
    if heads:
        name, public_key, number, last = heads[0]
        if public_key != signer.public:
            raise RegistryError(
                f"station {station} signed with another key so far; give this one another name"
            )
        return (name, number + 1, last) if number is not None else (name, 1, GENESIS)
    ((count,),) = turn.ask((sql.CHAINS, {"station": station}))[0]
    name = station if not count else f"{station}.{count + 1}"
    turn.put(sql.NEW_CHAIN, {"name": name, "station": station, "public_key": signer.public, "is_open": True})
    return name, 1, GENESIS


def quarantine(unit_id: int, why: str) -> Work[bool]:
    """The work of Registry.quarantine."""

    def work(turn: Turn) -> bool:
        status = _unit(turn.ask((sql.BY_ID, {"unit_id": unit_id}))[0], unit_id)[4]
        if status not in (RESERVED, SEALED):
            return False
        turn.put(sql.QUARANTINE, {"unit_id": unit_id, "why": why})
        turn.put(sql.BURN, {"unit": unit_id})
        return True

    return work


def add_phases(rows: list[dict[str, Any]]) -> Work[None]:
    """The work of Registry.add_phases."""
    return lambda turn: _put_phases(turn, rows)


def phase_rows(run: str, unit_id: int | None, phases: Iterable[PhaseFacts], now: int) -> list[dict[str, Any]]:
    """Rows of the phases of a run."""
    return [
        {
            "run": run,
            "unit_id": unit_id,
            "name": phase.name,
            "outcome": str(phase.outcome),
            "seconds": phase.seconds,
            "measurements": _JSON.encode(dict(phase.measurements)),
            "error": phase.error,
            "ended_s": now,
        }
        for phase in phases
    ]


def stopped_text(serial: str, status: str, note: str | None) -> str:
    """Why a stopped unit does not go on, and what to do."""
    return f"unit {serial} is {status} ({note}); a person decides: firstboot station rework"


def _moment(unix_s: int) -> str:
    return dt.datetime.fromtimestamp(unix_s, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _put_phases(turn: Turn, rows: Sequence[Mapping[str, Any]]) -> None:
    for first in range(0, len(rows), sql.MOST_PHASES):
        part = rows[first : first + sql.MOST_PHASES]
        values = {name: part[0][name] for name in sql.RUN_COLUMNS}
        values |= {f"{name}_{at}": row[name] for at, row in enumerate(part) for name in sql.PHASE_COLUMNS}
        turn.put(sql.new_phases(len(part)), values)


def _unit(rows: Sequence[Sequence[Any]], unit_id: int) -> Sequence[Any]:
    if not rows:
        raise RegistryError(f"there is no unit {unit_id}")
    return rows[0]
