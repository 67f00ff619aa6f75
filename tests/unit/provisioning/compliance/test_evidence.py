"""Evidence from a test run: every named test must have run and passed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from provisioning.compliance.check_outcomes import FAIL, NOT_APPLICABLE, NOT_RUN, PASS, Check, EvidenceError
from provisioning.compliance.evidence import (
    FIRMWARE,
    REQUIRED,
    from_test_run,
    parse_evidence,
    partly,
    read_table,
)

ROW = "| PW-01 | L: Sch1 | Words. | {state} | `a.py` | {tests} |\n"
TODAY = dt.date(2026, 11, 22)


def case(name: str, inner: str = "", file: str = "tests.unit.test_a") -> str:
    return f'<testcase classname="{file}" name="{name}">{inner}</testcase>'


def outcome(tests: str, *cases: str, state: str = "built") -> str:
    junit = f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>".encode()
    table = ROW.format(state=state, tests=tests)
    found = from_test_run(junit, table, image_sha256="ab" * 32, version="1.0.0+1", made=TODAY)
    return next(check.outcome for check in found.checks if check.id == "PW-01")


ONE = "`tests/unit/test_a.py::test_x`"


def test_a_named_test_that_passed_in_every_case_is_a_pass() -> None:
    assert outcome(ONE, case("test_x[1]"), case("test_x[2]")) == PASS


def test_one_failed_case_is_a_fail() -> None:
    assert outcome(ONE, case("test_x[1]"), case("test_x[2]", "<failure/>")) == FAIL
    assert outcome(ONE, case("test_x", "<error/>")) == FAIL


def test_a_skipped_or_absent_test_is_not_run() -> None:
    assert outcome(ONE, case("test_x", "<skipped/>")) == NOT_RUN
    assert outcome(ONE, case("test_y")) == NOT_RUN
    assert outcome(ONE, case("test_x", file="tests.unit.test_b")) == NOT_RUN


def test_each_of_several_named_tests_has_to_pass() -> None:
    two = ONE + "; `tests/unit/test_b.py` (all of it)"
    assert outcome(two, case("test_x")) == NOT_RUN
    assert outcome(two, case("test_x"), case("test_q", file="tests.unit.test_b")) == PASS


def test_a_failure_is_not_hidden_by_a_test_that_did_not_run() -> None:
    two = "`tests/unit/test_b.py::test_z`; " + ONE
    assert outcome(two, case("test_x", "<failure/>")) == FAIL
    assert (
        outcome(two, case("test_x", "<failure/>"), case("test_z", "<skipped/>", "tests.unit.test_b")) == FAIL
    )


def test_a_planned_requirement_is_not_run_whatever_its_tests_say() -> None:
    assert outcome(ONE, case("test_x"), state="planned") == NOT_RUN
    assert outcome("later", state="planned") == NOT_RUN


def test_what_is_not_claimed_does_not_apply_and_says_why() -> None:
    assert outcome("there is no such software", state="not claimed") == NOT_APPLICABLE


def test_what_holds_only_partly_is_listed_for_the_signatory() -> None:
    table = ROW.format(state="partly", tests=ONE + "; the rest is planned")
    junit = f"<testsuite>{case('test_x')}</testsuite>".encode()
    found = from_test_run(junit, table, image_sha256="ab" * 32, version="1", made=TODAY)
    assert [check.id for check in partly([found])] == ["PW-01"]


def test_every_required_id_has_an_outcome_and_an_unknown_one_has_not_passed() -> None:
    junit = b"<testsuite/>"
    found = from_test_run(
        junit, ROW.format(state="built", tests=ONE), image_sha256="ab" * 32, version="1", made=TODAY
    )
    assert [check.id for check in found.checks] == list(REQUIRED[FIRMWARE])
    # Without a product definition PW-05 does not apply; the issue of a statement compares that with the definition.
    assert len(found.problems()) == len(REQUIRED[FIRMWARE]) - 1


@pytest.mark.parametrize(("shown", "found"), [(PASS, FAIL), (FAIL, FAIL), (NOT_RUN, NOT_RUN)])
def test_pw_05_is_what_the_search_of_the_packages_gave_if_the_tests_of_the_search_passed(
    shown: str, found: str
) -> None:
    table = ROW.format(state="built", tests=ONE).replace("PW-01", "PW-05")
    junit = f"<testsuite>{case('test_x', '<failure/>' if shown == PASS else '')}</testsuite>".encode()
    given = from_test_run(
        junit,
        table,
        image_sha256="ab" * 32,
        version="1",
        made=TODAY,
        installed=Check("PW-05", shown, "words"),
    )
    assert next(check.outcome for check in given.checks if check.id == "PW-05") == found


def test_words_beside_a_test_are_no_note_and_a_link_is_its_words() -> None:
    cell = "no other way: `tests/a.py`, `tests/b.py::test_c`; by hand; the guide: [owner](how-to/owner.md)"
    (row,) = read_table(f"| SE-12 | R | words | built | `device/a.py` | {cell} |\n").values()
    assert row.note == "by hand; the guide: owner"
    assert row.tests == (("tests/a.py", ""), ("tests/b.py", "test_c"))


def test_no_note_of_this_projects_own_table_is_left_over_from_a_test() -> None:
    rows = read_table(Path("docs/requirements.md").read_text(encoding="utf-8")).values()
    assert [row.id for row in rows if row.note.endswith((",", ":")) or ",;" in row.note] == []


def test_this_projects_own_table_can_be_read() -> None:
    rows = read_table(Path("docs/requirements.md").read_text(encoding="utf-8"))
    assert all(name in rows for names in REQUIRED.values() for name in names)


@pytest.mark.parametrize("data", [b"<a", b"<!DOCTYPE x><a/>", b'<!ENTITY x "y"><a/>'])
def test_a_junit_file_with_entities_or_faults_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        from_test_run(data, ROW, image_sha256="ab" * 32, version="1", made=TODAY)


@pytest.mark.parametrize("digest", ["AB" * 32, "ab", "", "zz" * 32])
def test_a_digest_that_is_none_is_refused(digest: str) -> None:
    with pytest.raises(EvidenceError, match="64 hex"):
        from_test_run(b"<testsuite/>", ROW, image_sha256=digest, version="1", made=TODAY)


def test_evidence_is_read_back_as_it_was_written() -> None:
    found = from_test_run(b"<testsuite/>", ROW, image_sha256="ab" * 32, version="1", made=TODAY)
    assert parse_evidence(found.to_json()) == found


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "{}",
        '{"subject": "weather", "of": {}, "made": "2026-01-01", "checks": []}',
        '{"subject": "firmware", "of": {}, "made": "2026-01-01", "checks": ['
        '{"id": "PW-01", "outcome": "fine", "detail": ""}]}',
        '{"subject": "firmware", "of": {}, "made": "2026-13-01", "checks": []}',
        '{"subject": "firmware", "of": {}, "made": "2026-01-01", "checks": ['
        '{"id": "PW-01", "outcome": "fail", "detail": ""}, {"id": "PW-01", "outcome": "pass", "detail": ""}]}',
    ],
)  # fmt: skip
def test_what_is_no_evidence_is_refused(text: str) -> None:
    with pytest.raises(EvidenceError):
        parse_evidence(text.encode())
