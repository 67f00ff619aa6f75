"""Waiting for a program that a test has started: a busy machine gets more time (provisioning/fair_time.py)."""

from __future__ import annotations

import subprocess
from typing import AnyStr

from provisioning import fair_time


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
