"""Runs the story step by step, with a sentence, a duration and a result for each. Stops at the first failure."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from provisioning import fair_time
from simulator.story.requirements import sentences

T = TypeVar("T")
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
CONTACT_S = 40  # until the unit has answered or contacted its servers, on a busy machine


class StepFailed(Exception):
    """A step saw something other than what it expected."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"expected {expected}; saw {seen}")
        self.expected = expected
        self.seen = seen


@dataclass(frozen=True)
class StepResult:
    """The result of one step. `status` is passed, failed or skipped; `requirements` are the ids that the step shows."""

    name: str
    status: str
    seconds: float
    detail: str
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One step of the story. `run` returns a sentence about its observation. `requirements`: ids of what it shows."""

    name: str
    title: str
    run: Callable[[Any], str]
    transport: str | None = None  # the step needs this transport and is skipped without it
    requirements: tuple[str, ...] = ()


class Screen(Protocol):
    """The place where progress is shown."""

    def begin(self, step: Step, number: int, total: int) -> None: ...
    def note(self, text: str) -> None: ...
    def end(self, result: StepResult) -> None: ...


def expect(condition: bool, expected: str, seen: object) -> None:
    """Raise StepFailed unless `condition`."""
    if not condition:
        raise StepFailed(expected, str(seen))


def wait_until(expected: str, probe: Callable[[], T | None], seconds: float, pause: float = 0.3) -> T:
    """Return the first result of `probe` that is not None. Raises StepFailed after `seconds`, with the last error."""
    end = fair_time.now() + seconds
    seen = "no answer"
    while True:
        try:
            found = probe()
        except (OSError, PermissionError) as error:
            found, seen = None, f"{type(error).__name__}: {error}"
        if found is not None:
            return found
        if fair_time.now() > end:
            raise StepFailed(f"{expected} within {seconds:.0f} s", seen)
        time.sleep(pause)


def run_story(world: Any, steps: Sequence[Step], transports: set[str], screen: Screen) -> list[StepResult]:
    """Run `steps` in order. Steps after a failed one do not run and have no result."""
    results = []
    for number, step in enumerate(steps, 1):
        screen.begin(step, number, len(steps))
        started = time.monotonic()
        if step.transport is not None and step.transport not in transports:
            detail = f"not selected by --transport {'/'.join(sorted(transports))}"
            result = StepResult(step.name, SKIPPED, 0.0, detail, step.requirements)
        else:
            result = _run_step(world, step, started)
        screen.end(result)
        results.append(result)
        if result.status == FAILED:
            break
    return results


def _run_step(world: Any, step: Step, started: float) -> StepResult:
    try:
        detail, status = step.run(world), PASSED
    except StepFailed as failure:
        detail, status = str(failure), FAILED
    except Exception as error:  # a step that raises any error has failed; its trace is kept
        detail, status = f"{type(error).__name__}: {error}", FAILED
        world.keep_trace(step.name, traceback.format_exc())
    return StepResult(step.name, status, round(time.monotonic() - started, 2), detail, step.requirements)


def report(on: str, results: Sequence[StepResult]) -> dict[str, Any]:
    """Return the run as JSON.

    {"result", "on", "requirements_not_shown": [sentence],
    "steps": [{"name", "status", "seconds", "detail", "requirements"}]}
    """
    is_passed = bool(results) and all(result.status != FAILED for result in results)
    failed = [result for result in results if result.status == FAILED]
    return {
        "result": PASSED if is_passed else FAILED,
        "on": on,
        "requirements_not_shown": [text for result in failed for text in sentences(result.requirements)],
        "steps": [asdict(result) for result in results],
    }


def write_report(path: Path, found: dict[str, Any]) -> None:
    """Write the report to `path`; its folder is made if it does not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n")
