"""The second run of the tests that failed beside others: what it forgives, what it does not, and what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import second_run

FILE = """
import os
from pathlib import Path

def test_passes_the_second_time():
    mark = Path(__file__).with_name("ran")
    was_there = mark.exists()
    mark.touch()
    assert was_there

def test_fails_always():
    assert os.sep == ""

def test_skips():
    import pytest
    pytest.skip("no tool")
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    file = tmp_path / "test_some.py"
    file.write_text(FILE)
    return file


def test_a_test_that_passes_alone_passes_the_run_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert second_run.report(["a.py::one"], lambda name: True) == 0
    assert "UNSTABLE      a.py::one" in capsys.readouterr().out


def test_a_test_that_fails_again_fails_the_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert second_run.report(["a.py::one", "a.py::two"], lambda name: name == "a.py::one") == 1
    printed = capsys.readouterr().out
    assert "UNSTABLE      a.py::one" in printed
    assert "FAILED TWICE  a.py::two" in printed


def test_more_failures_than_the_machine_explains_are_not_tried_again() -> None:
    tried: list[str] = []

    def passes(name: str) -> bool:
        tried.append(name)
        return True

    assert second_run.report([f"a.py::{count}" for count in range(second_run.MOST + 1)], passes) == 1
    assert tried == []


def test_a_run_that_failed_without_a_failed_test_stays_failed(tmp_path: Path) -> None:
    assert second_run.main([str(tmp_path / "missing.txt")]) == 1


def test_a_test_runs_in_a_pytest_of_its_own(written: Path) -> None:
    name = f"{written}::test_passes_the_second_time"
    arguments = ["-c", str(written.with_name("pytest.ini"))]
    assert [second_run.run_alone(name, arguments) for _ in range(2)] == [False, True]


@pytest.mark.parametrize("name", ["test_fails_always", "test_skips", "test_that_does_not_exist"])
def test_what_does_not_pass_alone_has_failed(written: Path, name: str) -> None:
    assert not second_run.run_alone(f"{written}::{name}", ["-c", str(written.with_name("pytest.ini"))])


def test_the_names_of_failed_tests_are_written_one_a_line(written: Path, pytestconfig: pytest.Config) -> None:
    failed = written.with_name("failed.txt")
    plugin = pytestconfig.rootpath / "tests" / "conftest.py"
    written.with_name("conftest.py").write_text(plugin.read_text())
    second_run.run_alone(
        f"{written}",
        ["-c", str(written.with_name("pytest.ini")), f"--rootdir={written.parent}", f"--failed-to={failed}"],
    )
    assert second_run.read_names(failed) == [
        "test_some.py::test_passes_the_second_time",
        "test_some.py::test_fails_always",
    ]
