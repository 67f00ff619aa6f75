"""`firstboot demo` as a user starts it. tests/emulated/test_story.py tests its steps."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from simulator.story.steps import STEPS
from tests.patience import communicate

# A hung demo must not hang the tests; this does not measure speed.
_GIVE_UP_S = 900


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as the installed script does; return its output and exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "provisioning.cli.main", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
        env={**os.environ, "TERM": "dumb"},
    )
    try:
        out, err = communicate(process, _GIVE_UP_S)
    except subprocess.TimeoutExpired:
        # Its broker and its emulator are in its session, so only they end with it.
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def test_the_demo_ends_with_0_and_its_report_alone_is_on_standard_output() -> None:
    run = demo("--on", "sim", "--json", "-")
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["result"] == "passed"
    assert [step["name"] for step in found["steps"]] == [step.name for step in STEPS]


def test_a_log_has_every_step(tmp_path: Path) -> None:
    run = demo("--on", "sim", "--transport", "mqtt", "--keep", str(tmp_path / "kept"))
    assert run.returncode == 0, run.stderr
    assert not [step.name for step in STEPS if step.name not in run.stderr]
    assert any((tmp_path / "kept").iterdir())


def test_a_wrong_command_line_ends_with_2() -> None:
    assert demo("--on", "moon").returncode == 2
