"""One changed line in a copy of device/ that lets set-up be skipped turns exactly its rows red."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from provisioning.compliance.check_outcomes import FAIL, NOT_APPLICABLE, Check
from provisioning.compliance.evidence import read_table
from provisioning.compliance.junit import read_cases
from provisioning.evidence.matrix import logged, make_matrix
from tests.unit.provisioning.evidence.evidence_bench import ROOT

FILES = ("tests/dual/test_lifecycle.py", "tests/dual/test_onboarding.py")
SETTINGS = """
[tool.pytest.ini_options]
addopts = "--import-mode=importlib"
pythonpath = [".", "tests/dual"]
"""
SET_UP = "    (FACTORY_DEFAULT, SETUP, INITIALISED),\n"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of device/ and the dual tests."""
    root = tmp_path_factory.mktemp("copy")
    skipped = shutil.ignore_patterns("__pycache__", "cmodules", "boards")
    shutil.copytree(ROOT / "device", root / "device", ignore=skipped)
    shutil.copytree(ROOT / "tests" / "dual", root / "tests" / "dual", ignore=skipped)
    (root / "pyproject.toml").write_text(SETTINGS)
    return root


def red_rows(root: Path) -> list[str]:
    """Run the dual tests of set-up on the copy, and return the requirements whose rows are red."""
    out = root / "junit.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={out}", *FILES]
    subprocess.run(command, cwd=root, check=False, capture_output=True)
    cases = read_cases(out.read_bytes())
    assert len(cases) > 40
    table = read_table((ROOT / "docs/requirements.md").read_text(encoding="utf-8"))
    nothing = Check("PW-05", NOT_APPLICABLE, dt.date.today().isoformat())
    return [
        row.id
        for row in make_matrix(table, [logged("run", cases, b"")], {}, nothing, {})
        if row.outcome == FAIL
    ]


def test_no_row_is_red_before_anything_was_changed(tree: Path) -> None:
    assert red_rows(tree) == []


@pytest.mark.parametrize(
    ("file", "line", "changed", "red"),
    [
        pytest.param(
            "device/owner/lifecycle.py",
            SET_UP,
            SET_UP + "    (FACTORY_DEFAULT, SIGN_IN, INITIALISED),\n",
            ["PW-01", "PW-02"],
            id="a sign-in leads out of factory default",
        ),
        pytest.param(
            "device/owner/onboarding.py",
            "        self._check_code(normal)\n        passwords.check(",
            "        passwords.check(",
            ["PW-18"],
            id="set-up without the code",
        ),
    ],
)
def test_a_line_that_lets_set_up_be_skipped_turns_its_rows_red(
    file: str, line: str, changed: str, red: list[str], tree: Path
) -> None:
    path = tree / file
    text = path.read_text(encoding="utf-8")
    assert text.count(line) == 1
    path.write_text(text.replace(line, changed), encoding="utf-8")
    try:
        assert red_rows(tree) == red
    finally:
        path.write_text(text, encoding="utf-8")
