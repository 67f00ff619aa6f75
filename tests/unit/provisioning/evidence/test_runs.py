"""Signed test runs: forged results, another image, an old date, and files that are changed or too large."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from provisioning.cli.evidence_build import Percentage
from provisioning.compliance.check_outcomes import FAIL, PASS, EvidenceError
from provisioning.compliance.junit import read_cases
from provisioning.evidence import runs
from provisioning.evidence.errors import EnvelopeError, EvidenceRefusedError
from provisioning.evidence.matrix import logged
from provisioning.evidence.runs import CONSOLE, ENVELOPE, JUNIT, pytest_runner, read_run, record, weaknesses
from tests.unit.provisioning.compliance.statement_bench import RUNNER_KEY, RUNNER_TRUST, TODAY
from tests.unit.provisioning.evidence.evidence_bench import (
    DIGEST,
    IMAGE,
    OTHER,
    checkout,
    junit,
    make_run,
    runner,
)

ONE = [("tests/unit/test_a.py", "test_x", "")]


def one_run(tmp_path: Path, **given: object) -> Path:
    return make_run(tmp_path / "run", tests=ONE, **given)  # type: ignore[arg-type]


def test_a_run_names_image_commit_day_and_cases(tmp_path: Path) -> None:
    found = read_run(one_run(tmp_path), RUNNER_TRUST)
    assert (found.image_sha256, found.commit, found.made) == (DIGEST, "c0" * 20, TODAY)
    assert found.version == "1.2.3+4" and "pytest" in found.tools and len(found.cases) == 1


def test_a_forged_result_file_is_refused(tmp_path: Path) -> None:
    folder = one_run(tmp_path, outcomes={"test_x": "failure"})
    (folder / JUNIT).write_bytes(junit(ONE, {}))
    with pytest.raises(EvidenceRefusedError, match="not the file that the test runner signed"):
        read_run(folder, RUNNER_TRUST)


def test_a_result_file_without_a_signed_statement_is_no_run(tmp_path: Path) -> None:
    folder = one_run(tmp_path)
    (folder / ENVELOPE).unlink()
    with pytest.raises(FileNotFoundError):
        read_run(folder, RUNNER_TRUST)


def test_a_run_of_another_image_is_refused(tmp_path: Path) -> None:
    found = read_run(one_run(tmp_path, image=OTHER), RUNNER_TRUST)
    assert any("is about image" in problem for problem in weaknesses([found], DIGEST, TODAY))


@pytest.mark.parametrize(("days", "words"), [(0, ""), (30, ""), (31, "older than 30 days"), (-1, "future")])
def test_an_old_or_future_run_is_refused(days: int, words: str, tmp_path: Path) -> None:
    found = weaknesses([read_run(one_run(tmp_path), RUNNER_TRUST)], DIGEST, TODAY + dt.timedelta(days))
    assert (words in found[0]) if words else not found


def test_the_same_run_given_twice_is_refused(tmp_path: Path) -> None:
    found = read_run(one_run(tmp_path), RUNNER_TRUST)
    assert weaknesses([found, found], DIGEST, TODAY) == ["one run is given twice"]


def test_a_checkout_with_another_firmware_runs_no_test(tmp_path: Path) -> None:
    def never(*_: object) -> None:
        raise AssertionError("it must not run")

    with pytest.raises(EvidenceError, match="is not the firmware that commit"):
        record(checkout(b"other"), IMAGE, [], RUNNER_KEY, TODAY, [never], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_without_a_result_is_not_signed(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="no result"):
        record(checkout(), IMAGE, [], RUNNER_KEY, TODAY, [lambda *_: None], tmp_path / "run")
    assert not (tmp_path / "run" / ENVELOPE).exists()


def test_results_do_not_mix_with_those_of_an_earlier_run(tmp_path: Path) -> None:
    folder = one_run(tmp_path)
    with pytest.raises(EvidenceError, match="not empty"):
        record(checkout(), IMAGE, [], RUNNER_KEY, TODAY, [runner(ONE, {})], folder)


def test_a_huge_result_file_is_refused_before_it_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = one_run(tmp_path)
    monkeypatch.setattr(runs, "FILE_BYTES", (folder / JUNIT).stat().st_size - 1)
    with pytest.raises(EvidenceError, match="bytes"):
        read_run(folder, RUNNER_TRUST)


def test_a_truncated_statement_of_a_run_is_a_typed_error(tmp_path: Path) -> None:
    folder = one_run(tmp_path)
    (folder / ENVELOPE).write_bytes((folder / ENVELOPE).read_bytes()[:200])
    with pytest.raises(EnvelopeError):
        read_run(folder, RUNNER_TRUST)


def test_the_statement_has_the_form_of_an_in_toto_test_result(tmp_path: Path) -> None:
    found = read_run(one_run(tmp_path, outcomes={"test_x": "failure"}), RUNNER_TRUST)
    import base64

    statement = json.loads(base64.b64decode(json.loads(found.record)["payload"]))
    assert statement["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert statement["predicate"]["result"] == "FAILED"
    assert statement["predicate"]["failedTests"] == ["tests/unit/test_a.py::test_x"]
    assert statement["predicate"]["passedTests"] == []


# Starting the tests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_one_process_or_several_write_the_same_results_and_pass_on_each_line(
    workers: int, tmp_path: Path
) -> None:
    root, out = tmp_path / "tree", tmp_path / "out"
    for folder in (root, out):
        folder.mkdir()
    (root / "test_a.py").write_text("def test_one():\n    pass\n")
    (root / "test_b.py").write_text("def test_two():\n    assert False\n")
    lines: list[str] = []
    pytest_runner(workers, lines.append)(root, ["test_a.py", "test_b.py"], out)
    cases = read_cases((out / JUNIT).read_bytes())
    assert sorted((case.file, case.name, case.outcome) for case in cases) == [
        ("test_a.py", "test_one", PASS), ("test_b.py", "test_two", FAIL)
    ]  # fmt: skip
    assert (out / CONSOLE).read_text() == "".join(lines)
    found = logged("run", cases, (out / CONSOLE).read_bytes()).lines
    assert "PASSED" in lines[found["test_a.py::test_one"] - 1]
    assert "FAILED" in lines[found["test_b.py::test_two"] - 1]


def test_the_part_that_has_run_is_printed_in_steps(capsys: pytest.CaptureFixture[str]) -> None:
    percentage = Percentage()
    for line in (
        "a.py::x PASSED [  1%]",
        "a.py::y PASSED [  6%]",
        "[gw0] [  7%] PASSED",
        "[gw1] [100%] PASSED",
        "end",
    ):
        percentage(line)
    assert capsys.readouterr().err == "tests: 6 %\ntests: 100 %\n"
