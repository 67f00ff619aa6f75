"""The traceability matrix: requirement, code, test, result, target, log, sentence of the statement, what is not shown.

Rules:
1. Rows, code and tests come from the table in docs/requirements.md of the tested commit. A test whose name carries a
   requirement's id (`test_pw_03_...`) belongs to its row too.
2. A row passes as `statement evidence` judges it: every test of the row ran in every case, and passed.
3. A test of tests/dual has a second result if the run has the emulated board: the same test, run there by MicroPython.
   A Robot scenario belongs to the rows whose ids are among its tags.
4. "Not shown" is never empty words: it has the limits that the table states, each test that did not run, and device
   code of which nothing ran on the emulated board.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from provisioning.compliance.check_outcomes import FAIL, NOT_APPLICABLE, NOT_RUN, PASS, Check
from provisioning.compliance.evidence import PUBLICATION, REQUIRED, Row, judge
from provisioning.compliance.installed_software import REQUIREMENT as INSTALLED_SOFTWARE
from provisioning.compliance.junit import ROBOT, Case, outcomes_of

BOARD: Final = "emulated board"
ON_BOARD: Final = ("tests/emulated/test_dual_on_board.py", "test_on_the_board")
NOT_NOTED: Final = "the run did not note it"
LIMITS: Final = (
    "No test ran on a real chip. The board is an emulated one (QEMU or Renode, MPS2 AN385).",
    "The tests are the manufacturer's own. No test laboratory took part.",
    "A test shows what it tries. It does not show that no other way exists.",
)
_CARRIED: Final = re.compile(r"(?:^|_)(pw|rp|sp|sc|cf|up|se|pr)_(\d{2})(?=_|$)")
_RESULT: Final = re.compile(r"\[gw\d+\] \[ *\d+%\] [A-Z]+ ")  # a line of pytest-xdist
_ID: Final = re.compile(r"\b(?:PW|RP|SP|SC|CF|UP|SE|PR)-\d{2}\b")


@dataclass(frozen=True)
class Shown:
    """One test of a row on one target. `log`: file and line of the run's console; `words`: why it did not pass."""

    test: str
    outcome: str
    target: str
    cases: int
    log: str = ""
    words: str = ""


@dataclass(frozen=True)
class MatrixRow:
    """One requirement. `sentence`: what the statement of compliance says about it; empty if it says nothing."""

    id: str
    source: str
    text: str
    state: str
    outcome: str
    detail: str
    code: tuple[str, ...]
    tests: tuple[Shown, ...]
    sentence: str
    not_shown: tuple[str, ...]


@dataclass(frozen=True)
class Logged:
    """The cases of one run, and the line of its console for each full test name."""

    name: str  # folder of the run
    cases: Sequence[Case]
    by_file: Mapping[str, Sequence[Case]]
    lines: Mapping[str, int]


def logged(name: str, cases: Sequence[Case], console: bytes) -> Logged:
    """Return a run with the line numbers of its console's verbose output."""
    lines: dict[str, int] = {}
    for number, line in enumerate(console.decode("utf-8", "replace").splitlines(), 1):
        result = _RESULT.match(line)  # of one of several processes; its first line says that the test begins
        words = line[result.end() if result else 0 :].split(" ", 1)[0]
        if "::" in words and (result or words not in lines):
            lines[words] = number
    by_file: dict[str, list[Case]] = {}
    for case in cases:
        by_file.setdefault(case.file, []).append(case)
    return Logged(name, cases, by_file, lines)


def make_matrix(
    table: Mapping[str, Row],
    runs: Sequence[Logged],
    sentences: Mapping[str, str],
    installed: Check,
    scenarios: Mapping[tuple[str, str], Sequence[str]],
) -> list[MatrixRow]:
    """Return a row for each requirement of the table.

    `sentences`: by id; `installed`: the outcome of PW-05; `scenarios`: ids by (file, name) of Robot scenarios.
    """
    cases = [case for run in runs for case in run.cases]
    outcomes = outcomes_of(cases)
    carried = carried_tests(cases)
    found = []
    for name, row in table.items():
        tests = [*row.tests, *(test for test in carried.get(name, ()) if not _is_named(test, row))]
        found.append(_row(row, tests, runs, outcomes, sentences.get(name, ""), installed, scenarios))
    return found


def carried_tests(cases: Iterable[Case]) -> dict[str, list[tuple[str, str]]]:
    """Return the tests (file, name) whose names carry a requirement's id, by id."""
    found: dict[str, dict[tuple[str, str], None]] = {}
    for case in cases:
        for group, number in _CARRIED.findall(case.name):
            found.setdefault(f"{group.upper()}-{number}", {})[case.file, case.name] = None
    return {name: list(tests) for name, tests in found.items()}


def tagged_scenarios(suite: str, text: str) -> dict[tuple[str, str], list[str]]:
    """Return the ids in the tags of each scenario of a Robot suite, by (file, name). `suite`: name of the file."""
    common: list[str] = []
    found: dict[tuple[str, str], list[str]] = {}
    scenario, is_cases = "", False
    for line in text.splitlines():
        if line.startswith("***"):
            is_cases = "Test Cases" in line
        elif line.startswith("Test Tags"):
            common = _ID.findall(line)
        elif is_cases and line and not line[0].isspace() and not line.startswith("#"):
            scenario = line.strip()
            found[suite, scenario] = list(common)
        elif scenario and line.strip().startswith("[Tags]"):
            found[suite, scenario] += _ID.findall(line)
    return {key: ids for key, ids in found.items() if ids}


def _is_named(test: tuple[str, str], row: Row) -> bool:
    return test in row.tests or (test[0], "") in row.tests


def _row(
    row: Row,
    tests: Sequence[tuple[str, str]],
    runs: Sequence[Logged],
    outcomes: Mapping[tuple[str, str], list[str]],
    sentence: str,
    installed: Check,
    scenarios: Mapping[tuple[str, str], Sequence[str]],
) -> MatrixRow:
    shown = [each for file, name in tests for each in _shown(file, name, runs)]
    shown += [
        each
        for (file, name), ids in scenarios.items()
        if row.id in ids
        for each in _on_targets(file, name, "", runs)
    ]
    complete = Row(row.id, row.state, tuple(tests), row.note, row.source, row.text, row.code)
    check = judge(row.id, complete, outcomes)
    if row.id == INSTALLED_SOFTWARE and (installed.outcome != PASS or check.outcome == PASS):
        check = installed
    elif check.outcome == PASS and any(each.outcome == FAIL for each in shown):
        check = Check(row.id, FAIL, "it failed on another target")
    return MatrixRow(
        row.id, row.source, row.text, row.state, check.outcome, check.detail, row.code, tuple(shown), sentence,
        tuple(_not_shown(row, check, shown)),
    )  # fmt: skip


def _shown(file: str, name: str, runs: Sequence[Logged]) -> list[Shown]:
    """Return the results of one test of the table, or that it did not run."""
    label = f"{file}::{name}" if name else file
    found = _on_targets(file, name, "", runs)
    if not found:
        found = [Shown(label, NOT_RUN, "", 0, "", "it is in no run")]
    if file.startswith("tests/dual/"):
        module = file.removeprefix("tests/dual/").removesuffix(".py")
        found += [
            Shown(label, each.outcome, each.target, each.cases, each.log, each.words)
            for each in _on_targets(*ON_BOARD, f"{module}.{name}" if name else f"{module}.", runs)
        ]
    return found


def _on_targets(file: str, name: str, parameters: str, runs: Sequence[Logged]) -> list[Shown]:
    """Return one result for each target on which cases ran. `parameters`: those of one case, or a beginning with a dot
    at the end.
    """
    grouped: dict[str, list[tuple[Logged, Case]]] = {}
    for run in runs:
        for case in run.by_file.get(file, ()):
            is_it = name in ("", case.name)
            if is_it and parameters:
                is_it = case.parameters == parameters or (
                    parameters.endswith(".") and case.parameters.startswith(parameters)
                )
            if is_it:
                grouped.setdefault(case.target or NOT_NOTED, []).append((run, case))
    return [_together(file, name, target, found) for target, found in grouped.items()]


def _together(file: str, name: str, target: str, found: Sequence[tuple[Logged, Case]]) -> Shown:
    order = {FAIL: 0, NOT_RUN: 1, PASS: 2}
    run, worst = min(found, key=lambda pair: order[pair[1].outcome])
    return Shown(
        f"{file}::{name}" if name else file,
        worst.outcome,
        target,
        len(found),
        _log(run, worst),
        worst.words[:400],
    )


def _log(run: Logged, case: Case) -> str:
    full = f"{case.file}::{case.name}" + (f"[{case.parameters}]" if case.parameters else "")
    line = run.lines.get(full) or run.lines.get(full.split(" ", 1)[0])
    return (
        f"{run.name}/console.log:{line}"
        if line
        else f"{run.name}/{'robot' if case.file.endswith(ROBOT) else 'junit'}.xml"
    )


def _not_shown(row: Row, check: Check, shown: Sequence[Shown]) -> list[str]:
    found = [row.note] if row.note else []
    if check.outcome == NOT_APPLICABLE:
        return [check.detail]
    if row.state == "planned":
        return ["nothing: it is planned"]
    found += [f"{each.test}: {each.words or 'it did not run'}" for each in shown if each.outcome == NOT_RUN]
    is_device = any(path.startswith("device/") for path in row.code)
    if is_device and not any(each.outcome == PASS and each.target.startswith(BOARD) for each in shown):
        found.append("nothing of it ran on the emulated board")
    if row.id in REQUIRED[PUBLICATION]:
        found.append("the manufacturer's own pages: the publication evidence is about them")
    if "; partly: " in check.detail:
        found.append(check.detail.partition("; partly: ")[2])
    return list(dict.fromkeys(found))


def as_json(rows: Iterable[MatrixRow]) -> list[dict[str, Any]]:
    """Return the rows as JSON objects."""
    return [asdict(row) for row in rows]
