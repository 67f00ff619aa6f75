"""Waiting for what a test has started: a busy machine gets more time (provisioning/fair_time.py)."""

from __future__ import annotations

import queue
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, AnyStr, Final, TypeVar

from provisioning import fair_time

_Result = TypeVar("_Result")
ANSWERS_S: Final = 60.0  # an idle machine needs a part of a second for most of what tests wait for
_PAUSE_S: Final = 0.02


def until(
    what: str,
    probe: Callable[[], _Result],
    seconds: float = ANSWERS_S,
    *,
    log: Callable[[], object] = str,
) -> _Result:
    """Return the first true result of `probe()`. `what` and `log()` are in the AssertionError after `seconds`."""
    end_s = fair_time.now() + seconds
    while not (found := probe()):
        assert fair_time.now() < end_s, f"{what}: not within {seconds} s\n{log()}"
        time.sleep(_PAUSE_S)
    return found


def communicate(
    process: subprocess.Popen[AnyStr], seconds: float, text: AnyStr | None = None
) -> tuple[AnyStr, AnyStr]:
    """Send `text`, and return what `process` printed as (standard output, standard error) once it has ended.

    Raises subprocess.TimeoutExpired if it has not ended within `seconds`.
    """
    end_s = fair_time.now() + seconds
    while True:
        try:
            return process.communicate(text, timeout=fair_time.SLICE_S)
        except subprocess.TimeoutExpired:
            text = None  # it was sent, or will be: Popen keeps what is left of it
            if fair_time.now() >= end_s:
                raise


def ended(process: subprocess.Popen[Any], seconds: float = ANSWERS_S) -> int:
    """Return the exit code of `process` once it has ended. Raises subprocess.TimeoutExpired after `seconds`."""
    return fair_time.patiently(lambda: process.wait(fair_time.SLICE_S), seconds, subprocess.TimeoutExpired)


def run(
    command: Sequence[str | Path], seconds: float = ANSWERS_S, **options: Any
) -> subprocess.CompletedProcess[Any]:
    """Return how `command` ended and what it printed, as text. Raises subprocess.TimeoutExpired after `seconds`.

    `options` are those of subprocess.Popen. A command that has not ended is killed.
    """
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    with subprocess.Popen(command, **options) as process:
        try:
            out, err = communicate(process, seconds)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def joined(*threads: threading.Thread, seconds: float = ANSWERS_S) -> None:
    """Wait for the end of each thread. Raises AssertionError if one goes on after `seconds`."""
    end_s = fair_time.now() + seconds
    for thread in threads:
        while thread.is_alive():
            assert fair_time.now() < end_s, f"{thread.name} goes on after {seconds} s"
            thread.join(fair_time.SLICE_S)


def next_of(items: queue.Queue[_Result], seconds: float = ANSWERS_S) -> _Result:
    """Return the next of `items`. Raises queue.Empty after `seconds`."""
    return fair_time.patiently(lambda: items.get(timeout=fair_time.SLICE_S), seconds, queue.Empty)
