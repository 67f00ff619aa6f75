"""Workflows of the hosting site: pinned actions, permissions by job, the same commands as everywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml


@pytest.fixture(scope="module")
def workflows(root: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in (root / ".github" / "workflows").glob("*.yml")}


def test_every_action_is_pinned_by_its_commit(workflows: dict[str, str]) -> None:
    used = [line for text in workflows.values() for line in re.findall(r"uses: *(.+)", text)]
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
