"""`firstboot demo` as a user starts it. tests/emulated/test_story.py tests its steps."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from simulator.story.steps import STEPS
from tests.patience import communicate

ROOT = Path(__file__).parents[2]
# A hung demo must not hang the tests; this does not measure speed.
_GIVE_UP_S = 900


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as the installed script does; return its output and exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "firstboot", "demo", *arguments],
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


def test_one_broken_line_of_device_code_fails_the_demo_and_names_the_requirement(tmp_path: Path) -> None:
    changed = tmp_path / "firmware" / "device" / "owner" / "passwords.py"
    changed.parent.mkdir(parents=True)
    text = (ROOT / "device" / "owner" / "passwords.py").read_text(encoding="utf-8")
    rule = 'raise PasswordError(reason="length-min")'
    assert rule in text
    changed.write_text(text.replace(rule, "return"), encoding="utf-8")

    run = demo(
        "--firmware", str(tmp_path / "firmware"), "--junit", str(tmp_path / "junit.xml"), "--json", "-"
    )

    assert run.returncode == 1, run.stderr
    assert "FAIL weak_password_refused" in run.stderr and "not shown: PW-15: At least 15" in run.stderr
    assert "PW-15: At least 15" in (tmp_path / "junit.xml").read_text(encoding="utf-8")
    assert [text[:6] for text in json.loads(run.stdout)["requirements_not_shown"]] == ["PW-15:", "PW-16:"]


def test_a_firmware_folder_without_device_is_refused_before_anything_starts(tmp_path: Path) -> None:
    run = demo("--firmware", str(tmp_path))
    assert run.returncode == 2 and "has no folder `device`" in run.stderr
