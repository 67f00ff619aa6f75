"""Waiting for what a test has started: a busy machine gets more time (provisioning/fair_time.py)."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import AnyStr, Final, TypeVar

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
