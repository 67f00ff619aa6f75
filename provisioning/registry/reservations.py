"""The operation that gives a unit its identity and its set-up code: one query, then refusals, then writes.

Rules:
1. A board has one identity. A run that is repeated before the lock gets the same identity and a new code (PR-04).
2. A code that was ever generated is refused, whichever unit it was for (PW-10).
3. Serial numbers come from the batch's range if it has one, in a branch from a lease, else from the prefix's counter.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from provisioning.registry import queries
from provisioning.registry.errors import (
    AlreadyPassedError,
    BatchError,
    ClockError,
    DuplicateCodeError,
    NumbersUsedUpError,
    QuarantinedError,
)
from provisioning.registry.models import PASSED, QUARANTINED, RESERVED
from provisioning.registry.numbers import batch_used_up_text, require_free, used_up_text
from provisioning.registry.operations import stopped_text
from provisioning.registry.writer import Operation, Transaction

SERIAL_DIGITS: Final = 6
CLOCK_TOLERANCE_S: Final = 600  # allowed difference between the clocks of stations that share a registry


@dataclass(frozen=True)
class Reservation:
    """The permanent identity of a unit. `is_resumed`: an earlier run had reserved it."""

    unit_id: int
    device_id: bytes
    serial: str
    is_resumed: bool


@dataclass(frozen=True)
class ReservationRequest:
    """A run's request: an identity for a board, in a batch, with the fingerprint of a new code.

    `device_id`: 16 random bytes, used if the board has no identity yet. `now`: unix seconds. `numbers`: first and
    last serial number of the batch's range; None if the prefix's counter is used.
    """

    hardware_id: bytes
    batch: str
    serial_prefix: str
    code_mark: bytes
    device_id: bytes
    is_development: bool
    now: int
    numbers: tuple[int, int] | None = None


def reserve(request: ReservationRequest) -> Operation[Reservation]:
    """Return the operation of Registry.reserve, which lists its errors."""
    asked = {
        "hardware_id": request.hardware_id,
        "fingerprint": request.code_mark,
        "wanted_batch": request.batch,
        "serial_prefix": request.serial_prefix,
    }

    def operation(transaction: Transaction) -> Reservation:
        ((row,),) = transaction.ask((queries.LOOK, asked))
        code_of, is_closed, role, counted, newest_s, newest = row[:6]
        if code_of is not None:
            raise DuplicateCodeError(
                "this set-up code was generated before; stop the station and have its random source checked"
            )
        if is_closed is None or is_closed:
            raise BatchError(f"batch {request.batch} is not open")
        if newest_s is not None and newest_s - request.now > CLOCK_TOLERANCE_S:
            raise ClockError(
                f"the station's clock shows {_moment(request.now)}, but unit {newest} was reserved at"
                f" {_moment(newest_s)}: set the clock. If the clock was wrong then, rework the units made with it"
            )
        if row[6] is not None:
            reservation = _go_on(transaction, row[6:], request.batch)
        else:
            reservation = _begin(transaction, request, counted, is_branch=role is not None)
        transaction.put(
            queries.NEW_CODE,
            {
                "fingerprint": request.code_mark,
                "unit_id": reservation.unit_id,
                "is_live": True,
                "generated_s": request.now,
            },
        )
        return reservation

    return operation


def _go_on(transaction: Transaction, found: Sequence[Any], batch: str) -> Reservation:
    unit_id, device_id, serial, begun_in, status, note = found
    if status == PASSED:
        raise AlreadyPassedError(f"unit {serial} has passed; it is not provisioned again")
    if status == QUARANTINED:
        raise QuarantinedError(stopped_text(serial, status, note))
    if begun_in != batch:
        raise BatchError(f"unit {serial} was started in batch {begun_in}, not in {batch}")
    transaction.put(queries.SET_STATUS, {"unit_id": unit_id, "new_status": RESERVED})
    transaction.put(queries.BURN, {"unit": unit_id})
    return Reservation(unit_id, device_id, serial, is_resumed=True)


def _begin(
    transaction: Transaction, request: ReservationRequest, counted: int | None, *, is_branch: bool
) -> Reservation:
    prefix = request.serial_prefix
    if is_branch or request.numbers is not None:
        first, number = _of_range(transaction, request, is_branch=is_branch)
        transaction.put(queries.RANGE_ON, {"serial_prefix": prefix, "first": first, "following": number + 1})
    else:
        number = 1 if counted is None else counted
        require_free(prefix, number)
        if counted is None:
            transaction.put(queries.NEW_COUNTER, {"prefix": prefix, "next_number": number + 1})
        else:
            transaction.put(queries.COUNT_ON, {"serial_prefix": prefix, "following": number + 1})
    serial = f"{prefix}{number:0{SERIAL_DIGITS}d}"
    (unit_id,) = transaction.insert(
        queries.NEW_UNIT,
        {
            "hardware_id": request.hardware_id,
            "device_id": request.device_id,
            "serial": serial,
            "batch": request.batch,
            "status": RESERVED,
            "is_development": request.is_development,
            "reserved_s": request.now,
        },
    )
    return Reservation(unit_id, request.device_id, serial, is_resumed=False)


def _of_range(transaction: Transaction, request: ReservationRequest, *, is_branch: bool) -> tuple[int, int]:
    """Return (first number of the range, number for the unit). Raises NumbersUsedUpError."""
    prefix, limits = request.serial_prefix, request.numbers
    asked: dict[str, Any] = {"serial_prefix": prefix}
    if limits is None:
        (ranges,) = transaction.ask((queries.RANGE, asked))
        if not ranges:
            raise NumbersUsedUpError(used_up_text(prefix))
    else:
        asked["wanted_batch"] = request.batch
        (ranges,) = transaction.ask((queries.BATCH_LEASE if is_branch else queries.BATCH_RANGE, asked))
        if not ranges or not limits[0] <= ranges[0][1] <= limits[1]:
            raise NumbersUsedUpError(batch_used_up_text(request.batch, prefix, limits, is_branch=is_branch))
    first, number = ranges[0]
    return int(first), int(number)


def _moment(unix_s: int) -> str:
    return dt.datetime.fromtimestamp(unix_s, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
