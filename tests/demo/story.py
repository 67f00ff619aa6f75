"""Runs `firstboot demo` as a user does, once per test file, and gives its report step by step."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from simulator.story.steps import STEPS

STEP_NAMES = [step.name for step in STEPS]

# A hung demo must not hang the tests; it is no measure of speed.
_GIVE_UP_S = 1500


def run(directory: Path, on: str, *arguments: str) -> dict[str, Any]:
    """The report of one run: {"result", "steps": {name: step}, "exit", "text"}; fails when none was written."""
    target = directory / "report.json"
    command = [
        sys.executable,
        "-m",
        "provisioning.cli",
        "demo",
        "--on",
        on,
        "--json",
        str(target),
        *arguments,
    ]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
        env={**os.environ, "TERM": "dumb", "PYTHONUNBUFFERED": "1"},
    )
    try:
        text, _ = process.communicate(timeout=_GIVE_UP_S)
    except subprocess.TimeoutExpired:
        # Its emulator and its broker are in its session: all of it ends, and nothing else.
        os.killpg(process.pid, signal.SIGKILL)
        text, _ = process.communicate()
        raise AssertionError(f"the demo did not end:\n{text}") from None
    assert target.is_file(), f"the demo wrote no report (exit {process.returncode}):\n{text}"
    found = json.loads(target.read_text(encoding="utf-8"))
    return {
        "result": found["result"],
        "steps": {step["name"]: step for step in found["steps"]},
        "exit": process.returncode,
        "text": text,
    }


def expect_passed(report: dict[str, Any], name: str) -> None:
    """Fail with what the step saw, or with the whole run where the step was not reached."""
    assert name in report["steps"], f"the story ended before {name}:\n{report['text']}"
    step = report["steps"][name]
    assert step["status"] == "passed", step["detail"]
    assert step["detail"], "a step that says nothing shows nothing"
