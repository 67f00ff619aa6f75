"""Rows of the traceability matrix: outcome, targets, logs, sentences, and what is not shown."""

from __future__ import annotations

from provisioning.compliance.check_outcomes import FAIL, NOT_APPLICABLE, NOT_RUN, PASS, Check
from provisioning.compliance.evidence import read_table
from provisioning.compliance.junit import Case
from provisioning.evidence.matrix import (
    MatrixRow,
    carried_tests,
    logged,
    make_matrix,
    tagged_scenarios,
)
from provisioning.evidence.sentences import sentences_of
from tests.unit.provisioning.compliance.statement_bench import PRODUCT, TODAY
from tests.unit.provisioning.evidence.evidence_bench import BOARD, HOST, ROOT

TABLE = (
    "| PW-01 | L: Sch1 1(2) | Words. | built | `device/a.py` | `tests/dual/test_a.py::test_x`; a limit |\n"
    "| SP-01 | L: Sch1 3(2) | Words. | built | `b.py` | `tests/unit/test_b.py` (all of it) |\n"
    "| UP-01 | D: 5.3-9 | Words. | planned |  |  |\n"
)
NOTHING = Check("PW-05", NOT_APPLICABLE, "no app")


def case(file: str, name: str, outcome: str = PASS, parameters: str = "", target: str = HOST) -> Case:
    return Case(file, name, parameters, outcome, "" if outcome == PASS else "words", target)


DUAL = case("tests/dual/test_a.py", "test_x")
UNIT = case("tests/unit/test_b.py", "test_y")


def on_board(outcome: str = PASS) -> Case:
    return case("tests/emulated/test_dual_on_board.py", "test_on_the_board", outcome, "test_a.test_x", BOARD)


def rows(*cases: Case, console: bytes = b"", robot: str = "") -> dict[str, MatrixRow]:
    runs = [logged("runs/1", cases, console)]
    table = read_table(TABLE)
    scenarios = tagged_scenarios("Boot.robot", robot)
    return {row.id: row for row in make_matrix(table, runs, {"PW-01": "A sentence."}, NOTHING, scenarios)}


def test_a_row_has_code_tests_result_target_log_and_sentence() -> None:
    row = rows(DUAL, UNIT, console=b"start\ntests/dual/test_a.py::test_x PASSED\n")["PW-01"]
    (shown,) = row.tests
    assert (row.outcome, row.code, row.sentence) == (PASS, ("device/a.py",), "A sentence.")
    assert (shown.test, shown.outcome, shown.target) == ("tests/dual/test_a.py::test_x", PASS, HOST)
    assert shown.log == "runs/1/console.log:2"


def test_a_dual_test_that_ran_on_the_board_is_shown_on_both_targets() -> None:
    row = rows(DUAL, on_board())["PW-01"]
    assert [(one.target, one.outcome) for one in row.tests] == [(HOST, PASS), (BOARD, PASS)]
    assert row.not_shown == ("a limit",)


def test_a_dual_test_that_failed_on_the_board_alone_makes_its_row_red() -> None:
    assert rows(DUAL, on_board(FAIL))["PW-01"].outcome == FAIL


def test_device_code_of_which_nothing_ran_on_the_board_is_named_as_not_shown() -> None:
    assert "nothing of it ran on the emulated board" in rows(DUAL)["PW-01"].not_shown


def test_a_test_that_is_in_no_run_is_not_run_and_named_as_not_shown() -> None:
    row = rows(UNIT)["PW-01"]
    assert row.outcome == NOT_RUN
    assert "tests/dual/test_a.py::test_x: it is in no run" in row.not_shown


def test_a_skipped_test_is_named_with_its_reason() -> None:
    row = rows(case("tests/dual/test_a.py", "test_x", NOT_RUN))["PW-01"]
    assert row.outcome == NOT_RUN and "tests/dual/test_a.py::test_x: words" in row.not_shown


def test_a_planned_requirement_shows_nothing() -> None:
    row = rows(DUAL)["UP-01"]
    assert (row.outcome, row.not_shown) == (NOT_RUN, ("nothing: it is planned",))


def test_one_failed_case_of_a_file_makes_the_row_red() -> None:
    assert rows(UNIT, case("tests/unit/test_b.py", "test_z", FAIL))["SP-01"].outcome == FAIL


def test_a_test_whose_name_carries_the_id_belongs_to_the_row() -> None:
    carried = case("tests/unit/test_c.py", "test_pw_01_more", FAIL)
    assert carried_tests([carried, DUAL]) == {"PW-01": [("tests/unit/test_c.py", "test_pw_01_more")]}
    assert rows(DUAL, carried)["PW-01"].outcome == FAIL
    assert rows(DUAL, case("tests/unit/test_c.py", "test_pw_011", FAIL))["PW-01"].outcome == PASS


def test_a_robot_scenario_belongs_to_the_ids_among_its_tags() -> None:
    text = "*** Settings ***\nTest Tags    board    SP-01\n*** Test Cases ***\nA Unit Starts\n    [Tags]    PW-01\n"
    assert tagged_scenarios("Boot.robot", text) == {("Boot.robot", "A Unit Starts"): ["SP-01", "PW-01"]}
    failed = case("Boot.robot", "A Unit Starts", FAIL, target=BOARD)
    found = rows(DUAL, UNIT, failed, robot=text)
    assert (found["PW-01"].outcome, found["SP-01"].outcome) == (FAIL, FAIL)
    assert found["PW-01"].tests[-1].log == "runs/1/robot.xml"


def test_a_scenario_that_did_not_run_changes_no_row() -> None:
    text = "*** Test Cases ***\nA Unit Starts\n    [Tags]    PW-01\n"
    assert rows(DUAL, robot=text)["PW-01"].outcome == PASS


def test_the_sentence_is_what_the_statement_says_and_empty_for_what_psti_does_not_ask() -> None:
    table = read_table((ROOT / "docs/requirements.md").read_text(encoding="utf-8"))
    found = sentences_of(PRODUCT, table, TODAY)
    assert found["PW-01"].startswith(
        "Passwords (Schedule 1 paragraph 1): the security requirement in Schedule 1"
    )
    assert found["RP-01"].startswith("Information on how to report")
    assert "until 31 December 2031" in found["SP-01"]
    assert "Batch: 2026-001." in found["PR-06"]
    assert not {"PW-12", "UP-01", "RP-08"} & found.keys()


def test_every_id_that_the_name_of_a_test_of_this_project_carries_is_in_the_table() -> None:
    table = read_table((ROOT / "docs/requirements.md").read_text(encoding="utf-8"))
    names = [
        line.removeprefix("async ").removeprefix("def ").partition("(")[0]
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.removeprefix("async ").startswith("def test_")
    ]
    carried = carried_tests([case("tests/test_a.py", name) for name in names])
    assert len(carried) > 30 and not carried.keys() - table.keys()
