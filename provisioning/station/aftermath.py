"""What becomes of a unit whose run did not pass.

Rules:
1. FAIL means that the unit or a check said no: the unit is quarantined, its code is burned, and no run goes on with it
   before a person decided (`firstboot station rework`).
2. TIMEOUT, ERROR and ABORTED say nothing against the unit: the next run goes on with it.
3. What the station's own printer or papers did is no fault of the unit.
4. Before a unit is blamed it is asked who it is: where another board answers, the boards were swapped. Neither is
   blamed, and each goes on under its own identity.
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
SWAPPED: Final = "another board is on the port than the one that this run began with; start again with each"


def settle(run: UnitRun, results: list[PhaseResult], caught: BaseException | None) -> list[PhaseResult]:
    """Quarantine the unit where rule 1 says so; the results, whose last one may have become ABORTED (rule 4)."""
    if caught is None or not results or results[-1].outcome is not Outcome.FAIL:
        return results
    if run.unit_id is None or isinstance(caught, _NOT_THE_UNIT):
        return results
    if is_swapped(run):
        return [*results[:-1], dataclasses.replace(results[-1], outcome=Outcome.ABORTED, error=SWAPPED)]
    try:
        run.station.registry.quarantine(run.unit_id, f"{results[-1].name}: {results[-1].error}")
    except RegistryError:  # it cannot be noted; the run failed all the same, and says why
        return results
    return results


def is_swapped(run: UnitRun) -> bool:
    """Whether a board with another identity answers on the port; False where nobody answers."""
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
    """The device id that a signed hello names, unverified; None where it is not understood."""
    try:
        claimed = cbor.decode(cose.decode(hello).payload or b"")  # type: ignore[arg-type]
        found = claimed[2]
    except (CodecError, KeyError, TypeError, IndexError):
        return None
    return found if isinstance(found, bytes) else None
