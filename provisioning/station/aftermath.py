"""Decide what happens to a unit whose run did not pass.

Rules:
1. FAIL means that the unit or a check failed: the unit is quarantined, its code is burned, and no run continues with
   it before a person has decided (`firstboot station rework`).
2. TIMEOUT, ERROR and ABORTED do not count against the unit: the next run continues with it.
3. A fault of the station's own printer or documents is not a fault of the unit.
4. Before the unit is quarantined, the station asks the port again. If another board answers, the boards were swapped:
   neither is quarantined, and each continues with its own identity.
"""

from __future__ import annotations

import dataclasses
import secrets
from typing import TYPE_CHECKING, Final

from device.codec import cbor, cose
from device.errors import CodecError, FirstbootError
from device.limits import NONCE_BYTES
from provisioning.compliance.statement import StatementError
from provisioning.registry.errors import AlreadyPassedError, QuarantinedError, RegistryError
from provisioning.station.labels import LabelError
from provisioning.station.phases import Outcome, PhaseResult

if TYPE_CHECKING:
    from provisioning.station.run import UnitRun

_NOT_THE_UNIT: Final = (LabelError, StatementError, AlreadyPassedError, QuarantinedError)
SWAPPED: Final = "the board was replaced by another one during the run; start again with each board"


def settle(run: UnitRun, results: list[PhaseResult], caught: BaseException | None) -> list[PhaseResult]:
    """Quarantine the unit if rule 1 applies. Return the results; the last one may have become ABORTED (rule 4)."""
    if caught is None or not results or results[-1].outcome is not Outcome.FAIL:
        return results
    if run.unit_id is None or isinstance(caught, _NOT_THE_UNIT):
        return results
    if is_swapped(run):
        return [*results[:-1], dataclasses.replace(results[-1], outcome=Outcome.ABORTED, error=SWAPPED)]
    try:
        run.station.registry.quarantine(run.unit_id, f"{results[-1].name}: {results[-1].error}")
    except RegistryError:  # the registry failed: the run has failed anyway, with its own reason
        return results
    return results


def is_swapped(run: UnitRun) -> bool:
    """Return whether a board with another identity answers on the port; False if no board answers."""
    try:
        facts = run.link.hello(secrets.token_bytes(NONCE_BYTES))
    except FirstbootError:
        return False
    if "hello" not in facts:
        known = run.hello.get("hardware_id")
        return known is not None and facts.get("hardware_id") != known
    claimed = claimed_device_id(facts["hello"])
    return claimed is not None and claimed != run.device_id


def claimed_device_id(hello: object) -> bytes | None:
    """Return the device id that a signed hello names, unverified; None if it cannot be parsed."""
    try:
        claimed = cbor.decode(cose.decode(hello).payload or b"")  # type: ignore[arg-type]
        found = claimed[2]
    except (CodecError, KeyError, TypeError, IndexError):
        return None
    return found if isinstance(found, bytes) else None
