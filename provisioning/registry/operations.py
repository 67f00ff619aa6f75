"""Operations on one unit after its reservation. Each one reads, then refuses, then writes.

A unit that passes takes three commits: reserve, complete, record_pass (which also stores the phases of the run). Each
commit is durable before the physical step that depends on it: before anything is written into the unit, before the
unit is locked, and before the unit counts as passed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from provisioning.keys.signer import Signer
from provisioning.registry import queries
from provisioning.registry.chains import GENESIS, Entry, make_entry
from provisioning.registry.errors import (
    AlreadyPassedError,
    QuarantinedError,
    RegistryError,
)
from provisioning.registry.models import COMPLETE, PASSED, QUARANTINED, RESERVED
from provisioning.registry.writer import Operation, Transaction

_JSON: Final = json.JSONEncoder(sort_keys=True)


class PhaseFacts(Protocol):
    """The fields of a phase that the registry stores."""

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


def complete(unit_id: int, columns: Mapping[str, Any], oscore: tuple[bytes, bytes] | None) -> Operation[None]:
    """Return the operation of Registry.complete. `columns`: values of queries.COMPLETE_COLUMNS."""
    values = {"unit_id": unit_id} | {f"new_{name}": columns[name] for name in queries.COMPLETE_COLUMNS}

    def operation(transaction: Transaction) -> None:
        _, device_id, serial, _, status, note = _unit(
            transaction.ask((queries.BY_ID, {"unit_id": unit_id}))[0], unit_id
        )
        if status == PASSED:
            raise AlreadyPassedError(f"unit {serial} has passed")
        if status not in (RESERVED, COMPLETE):
            raise QuarantinedError(stopped_text(serial, status, note))
        transaction.put(queries.SET_COMPLETE, values)
        if oscore is not None:
            transaction.put(queries.DROP_SECRET, {"device": device_id})
            transaction.put(
                queries.NEW_SECRET, {"device_id": device_id, "server_key_id": oscore[0], "sealed": oscore[1]}
            )

    return operation


def record_pass(
    unit_id: int,
    facts: Mapping[str, Any],
    signer: Signer,
    now: int,
    phases: Callable[[bytes], list[dict[str, Any]]],
) -> Operation[bytes]:
    """Return the operation of Registry.record_pass. `phases`: rows for the hash of the unit's production record."""
    station = str(facts.get("station", "station"))

    def operation(transaction: Transaction) -> bytes:
        units, heads = transaction.ask(
            (queries.BY_ID_WITH_HASH, {"unit_id": unit_id}), (queries.HEAD, {"station": station})
        )
        _, _, serial, _, status, note, done = _unit(units, unit_id)
        if status == PASSED:
            _put_phases(transaction, phases(done))
            return bytes(done)
        if status == QUARANTINED:
            raise QuarantinedError(stopped_text(serial, status, note))
        if status != COMPLETE:
            raise RegistryError(f"unit {serial} is not complete: its lock was never asked for")
        chain, number, previous = _own_chain(transaction, heads, station, signer)
        entry = make_entry(chain, number, previous, {**facts, "time": now}, signer)
        transaction.put(queries.SET_PASSED, {"unit_id": unit_id, "passed": now})
        transaction.put(queries.NEW_RECORD, _record_row(chain, unit_id, entry))
        _put_phases(transaction, phases(entry.hash))
        return entry.hash

    return operation


def _record_row(chain: str, unit_id: int, entry: Entry) -> dict[str, Any]:
    return {
        "chain": chain,
        "number": entry.number,
        "unit_id": unit_id,
        "body": entry.body,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
        "signature": entry.signature,
    }


def _own_chain(
    transaction: Transaction, heads: Sequence[Sequence[Any]], station: str, signer: Signer
) -> tuple[str, int, bytes]:
    """Return (chain, next number, previous hash) of the station's open chain; begin one if none is open."""
    if heads:
        name, public_key, number, last = heads[0]
        if public_key != signer.public:
            raise RegistryError(
                f"station {station} has signed with another key before; give this station another name"
            )
        return (name, number + 1, last) if number is not None else (name, 1, GENESIS)
    ((count,),) = transaction.ask((queries.CHAINS, {"station": station}))[0]
    name = station if not count else f"{station}.{count + 1}"
    transaction.put(
        queries.NEW_CHAIN, {"name": name, "station": station, "public_key": signer.public, "is_open": True}
    )
    return name, 1, GENESIS


def quarantine(unit_id: int, why: str) -> Operation[bool]:
    """Return the operation of Registry.quarantine."""

    def operation(transaction: Transaction) -> bool:
        status = _unit(transaction.ask((queries.BY_ID, {"unit_id": unit_id}))[0], unit_id)[4]
        if status not in (RESERVED, COMPLETE):
            return False
        transaction.put(queries.SET_QUARANTINED, {"unit_id": unit_id, "why": why})
        transaction.put(queries.BURN, {"unit": unit_id})
        return True

    return operation


def add_phases(rows: list[dict[str, Any]]) -> Operation[None]:
    """Return the operation of Registry.add_phases."""
    return lambda transaction: _put_phases(transaction, rows)


def phase_rows(run: str, unit_id: int | None, phases: Iterable[PhaseFacts], now: int) -> list[dict[str, Any]]:
    """Return the rows of a run's phases."""
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
    """Return why the unit is stopped, and the next step."""
    return f"unit {serial} is {status} ({note}); to make its board again, a named person runs: firstboot station rework"


def _put_phases(transaction: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    for first in range(0, len(rows), queries.MOST_PHASES):
        part = rows[first : first + queries.MOST_PHASES]
        values = {name: part[0][name] for name in queries.RUN_COLUMNS}
        values |= {f"{name}_{at}": row[name] for at, row in enumerate(part) for name in queries.PHASE_COLUMNS}
        transaction.put(queries.new_phases(len(part)), values)


def _unit(rows: Sequence[Sequence[Any]], unit_id: int) -> Sequence[Any]:
    if not rows:
        raise RegistryError(f"there is no unit {unit_id}")
    return rows[0]
