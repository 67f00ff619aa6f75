"""Result files are data of a stranger: every fault is an EvidenceError, and every limit holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from provisioning.compliance import junit
from provisioning.compliance.check_outcomes import FAIL, NOT_RUN, PASS, EvidenceError
from provisioning.compliance.junit import Case, read_cases

ROBOT = b"""<?xml version="1.0"?>
<testsuite name="Suites" tests="2"><testsuite name="Boot">
<testcase classname="Suites.Boot" name="A Unit Starts" time="1"/>
<testcase classname="Suites.Boot" name="A Changed Bit Is Refused" time="1"><failure message="no line"/></testcase>
</testsuite></testsuite>"""


def suite(inner: str) -> bytes:
    return f"<testsuites><testsuite>{inner}</testsuite></testsuites>".encode()


def test_a_case_has_its_file_name_parameters_and_target() -> None:
    (found,) = read_cases(
        suite(
            '<testcase classname="tests.dual.test_a" name="test_x[one-2]">'
            '<properties><property name="target" value="the board"/></properties></testcase>'
        )
    )
    assert found == Case("tests/dual/test_a.py", "test_x", "one-2", PASS, "", "the board")


@pytest.mark.parametrize(
    ("classname", "name", "expected"),
    [
        ("tests.property.test_walk.test_no_way", "runTest", ("tests/property/test_walk.py", "test_no_way")),
        ("tests.test_a.TestThis", "test_x[1]", ("tests/test_a.py", "test_x")),
        ("tests.test_a", "runTest", ("tests/test_a.py", "runTest")),
    ],
)
def test_a_case_in_a_class_is_one_of_its_file(classname: str, name: str, expected: tuple[str, str]) -> None:
    (case,) = read_cases(suite(f'<testcase classname="{classname}" name="{name}"/>'))
    assert (case.file, case.name) == expected


def test_pytest_names_a_state_machine_as_it_is_read_here(tmp_path: Path) -> None:
    (tmp_path / "test_walk.py").write_text("""
from hypothesis.stateful import RuleBasedStateMachine, rule
class Walk(RuleBasedStateMachine):
    @rule()
    def step(self):
        pass
test_no_way = Walk.TestCase
""")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=out.xml"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (case,) = read_cases((tmp_path / "out.xml").read_bytes())
    assert (case.file, case.name, case.outcome) == ("test_walk.py", "test_no_way", PASS)


def test_a_case_that_failed_and_was_skipped_failed() -> None:
    (found,) = read_cases(
        suite(
            '<testcase classname="tests.test_a" name="test_x"><skipped/><failure message="broken"/></testcase>'
        )
    )
    assert (found.outcome, found.words) == (FAIL, "broken")


def test_a_skipped_case_did_not_run_and_has_its_reason() -> None:
    (found,) = read_cases(
        suite('<testcase classname="tests.test_a" name="test_x"><skipped message="no compiler"/></testcase>')
    )
    assert (found.outcome, found.words) == (NOT_RUN, "no compiler")


def test_results_of_robot_framework_are_read() -> None:
    assert [(case.file, case.name, case.outcome) for case in read_cases(ROBOT)] == [
        ("Boot.robot", "A Unit Starts", PASS),
        ("Boot.robot", "A Changed Bit Is Refused", FAIL),
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x01",
        b"<testsuites>",
        b"<html/>",
        b'<?xml version="1.0" encoding="no-such"?><testsuites/>',
        b"<!DOCTYPE a><testsuites/>",
        b'<!DOCTYPE a [<!ENTITY x "yy"><!ENTITY z "&x;&x;">]><testsuites>&z;</testsuites>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuites>&x;</testsuites>',
        b"<testsuites>" + b"<testsuite>" * 50 + b"</testsuite>" * 50 + b"</testsuites>",
        "<!DOCTYPE a><testsuites/>".encode("utf-16"),
    ],
)
def test_what_is_no_result_file_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        read_cases(data)


def test_more_bytes_or_cases_than_the_limits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = suite('<testcase classname="tests.test_a" name="test_x"/>' * 3)
    monkeypatch.setattr(junit, "CASES", 3)
    assert len(read_cases(data)) == 3
    monkeypatch.setattr(junit, "CASES", 2)
    with pytest.raises(EvidenceError, match="more than 2 cases"):
        read_cases(data)
    monkeypatch.setattr(junit, "FILE_BYTES", len(data) - 1)
    with pytest.raises(EvidenceError, match="bytes"):
        read_cases(data)


def test_the_words_of_a_failure_are_bounded() -> None:
    (found,) = read_cases(
        suite(f'<testcase classname="tests.test_a" name="test_x"><error>{"w" * 9999}</error></testcase>')
    )
    assert len(found.words) == junit.TEXT_CHARS
