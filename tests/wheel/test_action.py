"""The composite action and the GitLab template: their scripts, run as a runner does, with the built wheel."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from tests.patience import run
from tests.wheel.conftest import ROOT, Installed

ACTION = ROOT / ".github" / "actions" / "emulated-board" / "action.yml"
GITLAB = ROOT / "examples" / "ci" / "gitlab.yml"
PASSES = "def test_a_unit(owner):\n    assert owner.get('/').status == 200\n"


@pytest.fixture
def runner(installed: Installed, tmp_path: Path) -> dict[str, str]:
    """The variables of a runner whose folder for temporary files has the installed wheel."""
    (tmp_path / "temp").mkdir()
    (tmp_path / "temp" / "firstboot").symlink_to(installed.python.parent.parent)
    project = tmp_path / "workspace"
    (project / "tests").mkdir(parents=True)
    (project / "tests" / "test_unit.py").write_text(PASSES)
    variables = {
        "RUNNER_TEMP": tmp_path / "temp",
        "GITHUB_WORKSPACE": project,
        "GITHUB_OUTPUT": tmp_path / "output",
        "GITHUB_STEP_SUMMARY": tmp_path / "summary.md",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))}
    return kept | {name: str(value) for name, value in variables.items()}


def _run(script: str, runner: dict[str, str], **variables: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-e", "-o", "pipefail", "-c", script]
    options = {"cwd": runner["GITHUB_WORKSPACE"], "env": runner | variables, "stderr": subprocess.STDOUT}
    return run(command, 600, **options)


def _script() -> str:
    steps: list[dict[str, Any]] = yaml.safe_load(ACTION.read_text())["runs"]["steps"]
    (script,) = [step["run"] for step in steps if step.get("id") == "run"]
    return str(script)


def _cases(path: Path) -> list[str | None]:
    return [case.get("name") for case in ElementTree.parse(path).iter("testcase")]  # noqa: S314 - our own


def test_without_tests_the_action_runs_the_demo_and_writes_junit_and_summary(runner: dict[str, str]) -> None:
    done = _run(_script(), runner, MACHINE="sim", TESTS="", ARGUMENTS="")
    assert done.returncode == 0, done.stdout[-3000:]
    junit = Path(Path(runner["GITHUB_OUTPUT"]).read_text().strip().removeprefix("junit="))
    assert "setup" in _cases(junit) and len(_cases(junit)) == 14
    assert "| setup | passed |" in Path(runner["GITHUB_STEP_SUMMARY"]).read_text()


def test_the_action_runs_the_tests_of_a_project(runner: dict[str, str]) -> None:
    done = _run(_script(), runner, MACHINE="sim", TESTS="tests", ARGUMENTS="-p no:asyncio -q")
    assert done.returncode == 0, done.stdout[-3000:]
    results = Path(runner["GITHUB_WORKSPACE"]) / "firstboot-results"
    assert _cases(results / "junit.xml") == ["test_a_unit"]


def test_a_failed_test_fails_the_action(runner: dict[str, str]) -> None:
    (Path(runner["GITHUB_WORKSPACE"]) / "tests" / "test_unit.py").write_text(
        "def test_no():\n    assert False\n"
    )
    done = _run(_script(), runner, MACHINE="sim", TESTS="tests", ARGUMENTS="-p no:asyncio -q")
    assert done.returncode == 1 and "1 failed" in done.stdout


def test_the_gitlab_template_runs_the_tests_of_a_project(runner: dict[str, str]) -> None:
    script = "\n".join(yaml.safe_load(GITLAB.read_text())[".firstboot"]["script"])
    path = f"{runner['RUNNER_TEMP']}/firstboot/bin:{runner['PATH']}"
    done = _run(script, runner, MACHINE="sim", TESTS="tests", PATH=path, PYTEST_ADDOPTS="-p no:asyncio")
    assert done.returncode == 0, done.stdout[-3000:]
    assert _cases(Path(runner["GITHUB_WORKSPACE"]) / "firstboot-results" / "junit.xml") == ["test_a_unit"]
