"""Workflows of the hosting site: pinned actions, permissions by job, the same commands as everywhere."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ACTION = Path(".github") / "actions" / "emulated-board" / "action.yml"


@pytest.fixture(scope="module")
def workflows(root: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in (root / ".github" / "workflows").glob("*.yml")}


@pytest.fixture(scope="module")
def action(root: Path) -> str:
    return (root / ACTION).read_text("utf-8")


def test_every_action_is_pinned_by_its_commit(workflows: dict[str, str], action: str) -> None:
    used = [
        line
        for text in [*workflows.values(), action]
        for line in re.findall(r"^ *(?:- )?uses: *(.+)", text, re.M)
    ]
    used.remove(
        "./.firstboot/.github/actions/emulated-board"
    )  # checked out at the commit that the caller names
    assert used
    assert not [line for line in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d[\w.]*", line)]


def test_no_workflow_has_a_permission_for_all_its_jobs(workflows: dict[str, str]) -> None:
    assert len(workflows) >= 2
    assert not [name for name, text in workflows.items() if yaml.safe_load(text).get("permissions") != {}]


def test_no_workflow_runs_a_command_of_its_own(workflows: dict[str, str], root: Path) -> None:
    """A run step only installs the container's packages or calls make or .ci/run, so that anyone can run the same."""
    targets = set(re.findall(r"^([a-z]+):", (root / "Makefile").read_text("utf-8"), re.MULTILINE))
    for text in workflows.values():
        for job in yaml.safe_load(text)["jobs"].values():
            for line in "\n".join(step.get("run", "") for step in job["steps"]).splitlines():
                words = line.split()
                if not words:
                    continue
                is_known = words[0] in {"apt-get", ".ci/run"} or (words[0] == "make" and words[1] in targets)
                assert is_known, line


def test_the_action_gets_what_the_setup_script_installs(root: Path, action: str) -> None:
    """One list of Debian packages: the action, the GitLab template and the container have no other."""
    script = (root / "tools" / "setup.sh").read_text("utf-8")
    (listed,) = re.findall(r'^packages="([^"]+)"', script, re.MULTILINE)
    needed = set(listed.split()) - {"libcoap3-bin"}  # a peer of our own tests
    for path in (ACTION, Path("examples/ci/gitlab.yml"), Path("Containerfile")):
        words = set(re.findall(r"[a-z0-9.-]+", (root / path).read_text("utf-8")))
        assert needed <= words, (path, needed - words)


def test_no_expression_of_a_caller_is_put_into_a_script(workflows: dict[str, str], action: str) -> None:
    """An expression in `run` is replaced before the shell reads it, so an input could contain commands."""
    for text in [*workflows.values(), action]:
        document = yaml.safe_load(text)
        jobs = document["jobs"].values() if "jobs" in document else [document["runs"]]
        scripts = [step.get("run", "") for job in jobs for step in job["steps"]]
        assert not [script for script in scripts if "${{" in script]


def test_every_script_of_the_action_is_a_shell_script(action: str) -> None:
    for step in yaml.safe_load(action)["runs"]["steps"]:
        done = subprocess.run(
            ["bash", "-n"], input=step.get("run", ""), capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), step["name"]
