"""Runs the shell blocks of a page of docs/ as a reader types them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.patience import communicate

ROOT = Path(__file__).resolve().parents[2]


def run(
    script: str,
    folder: Path,
    typed: str,
    *,
    timeout_s: float,
    end: signal.Signals,
    programs: tuple[str, ...] = (),
) -> tuple[int, str]:
    """Run `script` in `folder` with `typed` at its first question. Returns its exit code and what it printed.

    `end` is sent to every process that the script left behind. `programs`: folders that follow PATH.
    Raises subprocess.TimeoutExpired.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], *programs])
    process = subprocess.Popen(
        ["bash", "-eu", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # so that a block that fails leaves no unit and no server behind
    )
    try:
        output, _ = communicate(process, timeout_s, f"{typed}\n")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, end)
    return process.returncode, output
