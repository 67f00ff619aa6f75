"""Phases of a run: the outcome of each, its duration and its measurements (OpenHTF's words).

Rules:
1. PASS: done and checked. FAIL: the unit or a check failed. TIMEOUT: the unit did not answer. ERROR: the station
   itself could not continue. ABORTED: a person stopped it.
2. The first phase that does not pass ends the run.
3. A measurement outside its limits is a FAIL, even if the phase itself passed.
4. Results go to logs and the registry, so they hold no code and no key. The text of an error that is not one of ours
   is therefore left out; only its class is named.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from device.errors import FirstbootError, LinkError, LinkTimeoutError
from provisioning.compliance.statement import StatementError
from provisioning.keys.pki import CertificateRequestError
from provisioning.registry.errors import (
    AlreadyPassedError,
    DuplicateCodeError,
    QuarantinedError,
    RegistryError,
)
from provisioning.station.labels import LabelError

Run = TypeVar("Run")
Measurements = Mapping[str, str | int | float | bool]


class Outcome(StrEnum):
    PASS = "PASS"  # noqa: S105 - no password
    FAIL = "FAIL"
    ERROR = "ERROR"
    TIMEOUT = "TIMEOUT"
    ABORTED = "ABORTED"


class CheckFailedError(Exception):
    """The unit is not as required. The text names the difference and holds no secret."""


class BoardSwappedError(CheckFailedError):
    """The board on the port is not the one that the run began with. Neither board is at fault."""


@dataclass(frozen=True)
class Limit:
    """The range of a measurement with this name, both ends included."""

    name: str
    low: float
    high: float

    def check(self, measurements: Measurements) -> None:
        """Raise CheckFailedError if the measurement is missing, not a number, or out of range."""
        value = measurements.get(self.name)
        if isinstance(value, (bool, str)) or value is None or not self.low <= value <= self.high:
            raise CheckFailedError(f"{self.name} is {value}; the limits are {self.low} and {self.high}")


@dataclass(frozen=True)
class PhaseResult:
    """The result of a phase. `error` is None if it passed."""

    name: str
    outcome: Outcome
    seconds: float
    measurements: Measurements = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class Phase(Generic[Run]):
    """A phase: its name, and the action that works on the run and returns measurements."""

    name: str
    action: Callable[[Run], Measurements]
    limits: tuple[Limit, ...] = ()


# Called with (name, None) when a phase begins and with (name, result) when it has ended.
Progress = Callable[[str, PhaseResult | None], None]


def _describe(error: BaseException) -> str:
    return error.describe() if isinstance(error, FirstbootError) else str(error)


# The first matching line decides. An error without one is an ERROR, and only its class is named.
_VERDICTS: Final[
    tuple[tuple[tuple[type[BaseException], ...], Outcome, Callable[[BaseException], str]], ...]
] = (
    ((KeyboardInterrupt,), Outcome.ABORTED, lambda error: "stopped by the operator"),
    ((BoardSwappedError,), Outcome.ABORTED, _describe),
    ((LinkTimeoutError,), Outcome.TIMEOUT, _describe),
    ((LinkError,), Outcome.ERROR, _describe),
    (
        (FirstbootError, CheckFailedError, AlreadyPassedError, QuarantinedError, DuplicateCodeError),
        Outcome.FAIL,
        _describe,
    ),
    ((LabelError, StatementError, CertificateRequestError), Outcome.FAIL, _describe),
    ((RegistryError,), Outcome.ERROR, _describe),
    # The system's own words ("No space left on device"); str() of such an error would name files too.
    ((OSError,), Outcome.ERROR, lambda error: getattr(error, "strerror", None) or type(error).__name__),
)


def run_phase(phase: Phase[Run], run: Run, progress: Progress) -> tuple[PhaseResult, BaseException | None]:
    """Run one phase. Return (result, exception). Only KeyboardInterrupt and subclasses of Exception are caught."""
    progress(phase.name, None)
    started = time.monotonic()
    measurements: Measurements = {}
    caught: BaseException | None = None
    try:
        measurements = phase.action(run)
        for limit in phase.limits:
            limit.check(measurements)
    except (Exception, KeyboardInterrupt) as error:
        caught = error
    outcome, text = _judge(caught)
    result = PhaseResult(phase.name, outcome, round(time.monotonic() - started, 4), measurements, text)
    progress(phase.name, result)
    return result, caught


def run_phases(
    phases: Sequence[Phase[Run]], run: Run, progress: Progress, results: list[PhaseResult]
) -> BaseException | None:
    """Append the results of the phases up to the first that did not pass. Return the exception of that one."""
    for phase in phases:
        result, caught = run_phase(phase, run, progress)
        results.append(result)
        if caught is not None:
            return caught
    return None


def _judge(caught: BaseException | None) -> tuple[Outcome, str | None]:
    if caught is None:
        return Outcome.PASS, None
    for kinds, outcome, text in _VERDICTS:
        if isinstance(caught, kinds):
            return outcome, text(caught)
    return Outcome.ERROR, type(caught).__name__


def no_progress(name: str, result: PhaseResult | None) -> None:
    """Show nothing."""


def failed(results: Sequence[PhaseResult]) -> PhaseResult | None:
    """Return the phase that did not pass; None if all passed."""
    return next((result for result in results if result.outcome is not Outcome.PASS), None)


def phase_facts(results: Sequence[PhaseResult]) -> list[dict[str, Any]]:
    """Return the results as plain values, for a JSON document."""
    return [
        {
            "name": result.name,
            "outcome": str(result.outcome),
            "seconds": result.seconds,
            "measurements": dict(result.measurements),
            "error": result.error,
        }
        for result in results
    ]
