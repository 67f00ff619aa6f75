"""Runs the story step by step: a plain sentence, a duration and a verdict for each; stops at the first failure."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class StepFailed(Exception):
    """A step saw something else than the story promises."""

    def __init__(self, expected: str, seen: str) -> None:
        super().__init__(f"expected {expected}; saw {seen}")
        self.expected = expected
        self.seen = seen


@dataclass(frozen=True)
class StepResult:
    """What one step came to."""

    name: str
    status: str
    seconds: float
    detail: str


@dataclass(frozen=True)
class Step:
    """One step of the story. `run` gives the sentence that says what was seen."""

    name: str
    title: str
    run: Callable[[Any], str]
    transport: str | None = None  # only with this one; skipped without


class Screen(Protocol):
    """Where progress is shown."""

    def begin(self, step: Step, number: int, total: int) -> None: ...
    def note(self, text: str) -> None: ...
    def end(self, result: StepResult) -> None: ...


def expect(condition: bool, expected: str, seen: object) -> None:
    """Raise StepFailed unless `condition`."""
    if not condition:
        raise StepFailed(expected, str(seen))


def wait_until(expected: str, probe: Callable[[], T | None], seconds: float, pause: float = 0.3) -> T:
    """Ask `probe` until it gives something; StepFailed after `seconds`, with the last thing seen."""
    end = time.monotonic() + seconds
    seen = "no answer"
    while True:
        try:
            found = probe()
        except (OSError, PermissionError) as error:
            found, seen = None, f"{type(error).__name__}: {error}"
        if found is not None:
            return found
        if time.monotonic() > end:
            raise StepFailed(f"{expected} within {seconds:.0f} s", seen)
        time.sleep(pause)


def run_story(world: Any, steps: Sequence[Step], transports: set[str], screen: Screen) -> list[StepResult]:
    """Run `steps` in order; those behind a failed one do not run and are not listed."""
    results = []
    for number, step in enumerate(steps, 1):
        screen.begin(step, number, len(steps))
        started = time.monotonic()
        if step.transport is not None and step.transport not in transports:
            result = StepResult(
                step.name, SKIPPED, 0.0, f"not asked for: --transport {'/'.join(sorted(transports))}"
            )
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
    except Exception as error:  # the one boundary: a step that breaks is a failed step, with its trace kept
        detail, status = f"{type(error).__name__}: {error}", FAILED
        world.keep_trace(step.name, traceback.format_exc())
    return StepResult(step.name, status, round(time.monotonic() - started, 2), detail)


def report(on: str, results: Sequence[StepResult]) -> dict[str, Any]:
    """The JSON form of a run: {"result", "on", "steps": [{"name", "status", "seconds", "detail"}]}."""
    is_passed = bool(results) and all(result.status != FAILED for result in results)
    return {
        "result": PASSED if is_passed else FAILED,
        "on": on,
        "steps": [asdict(result) for result in results],
    }


def write_report(path: Path, found: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n")
