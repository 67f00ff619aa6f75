"""Phases of a run: what each came to, how long it took, what it measured (OpenHTF's words).

Rules:
1. PASS: done and checked. FAIL: the unit or a check said no. TIMEOUT: the unit did not answer. ERROR: the station
   itself could not go on. ABORTED: somebody stopped it.
2. The first phase that does not pass ends the run.
3. A measurement outside its limits is a FAIL, whatever the phase itself thought of it.
4. What a phase reports is made for logs and the registry: no code, no key. The text of an error that is not one
   of ours is therefore left out; its class is named.
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
    """The unit is not as it has to be; the text says how and holds no secret."""


class BoardSwappedError(CheckFailedError):
    """Another board is on the port than the one that the run began with; neither board is at fault."""


@dataclass(frozen=True)
class Limit:
    """What a measurement of this name must lie in, both ends included."""

    name: str
    low: float
    high: float

    def check(self, measurements: Measurements) -> None:
        """Raise CheckFailedError where the measurement is missing, no number or outside."""
        value = measurements.get(self.name)
        if isinstance(value, (bool, str)) or value is None or not self.low <= value <= self.high:
            raise CheckFailedError(f"{self.name} is {value}; the limits are {self.low} and {self.high}")


@dataclass(frozen=True)
class PhaseResult:
    """What a phase came to. `error` is None when it passed."""

    name: str
    outcome: Outcome
    seconds: float
    measurements: Measurements = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class Phase(Generic[Run]):
    """One phase: a name and what it does with the run; it gives its measurements."""

    name: str
    action: Callable[[Run], Measurements]
    limits: tuple[Limit, ...] = ()


# Called with (name, None) when a phase begins and with (name, result) when it has ended.
Progress = Callable[[str, PhaseResult | None], None]


def _describe(error: BaseException) -> str:
    return error.describe() if isinstance(error, FirstbootError) else str(error)


# The first line that fits decides; what fits none is an ERROR of which only the class is named.
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
    """(result, exception) of one phase; only exceptions that are no Exception, KeyboardInterrupt apart, leave."""
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
    """Append the results of the phases up to the first that did not pass; what that one raised."""
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
    """Shows nothing."""


def failed(results: Sequence[PhaseResult]) -> PhaseResult | None:
    """The phase that did not pass, None when all did."""
    return next((result for result in results if result.outcome is not Outcome.PASS), None)


def as_json(results: Sequence[PhaseResult]) -> list[dict[str, Any]]:
    """The results as plain values."""
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
