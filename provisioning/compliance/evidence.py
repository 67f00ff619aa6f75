"""The outcomes of the checks that a statement needs, by requirement id, for one firmware or one publication.

Rules:
1. A statement needs a "pass" for every legal check of its firmware and of its publication. Missing, skipped and
   failed are the same here: not passed (SC-03).
2. Firmware evidence comes from a test run (`evidence_run.py`) and the table in docs/requirements.md that names the
   tests of each id. A test that is named and did not run has not passed.
3. A requirement that does not apply is recorded with the reason from the table. `signed_evidence.py` decides whether
   the product definition confirms it, and checks signature, age and image.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from provisioning.compliance.check_outcomes import (
    FAIL,
    NOT_APPLICABLE,
    NOT_RUN,
    OUTCOMES,
    PASS,
    Check,
    EvidenceError,
)
from provisioning.compliance.installed_software import REQUIREMENT as INSTALLED_SOFTWARE
from provisioning.compliance.installed_software import judge_installed_software
from provisioning.compliance.junit import outcomes_of, read_cases
from provisioning.counted import counted

FIRMWARE: Final = "firmware"
PUBLICATION: Final = "publication"

# The legal requirements (level L of docs/requirements.md) that tests of software can show. SC-* are checked where
# a statement is made, and single units at the ship gate.
REQUIRED: Final = {
    FIRMWARE: (
        "PW-01", "PW-02", "PW-03", "PW-04", "PW-05", "PW-06", "PW-07", "PW-08", "PW-10", "PW-11", "PW-19",
        "SP-09", "SP-11", "PR-01", "PR-03", "PR-04", "PR-06",
    ),
    PUBLICATION: ("RP-01", "RP-02", "RP-03", "RP-04", "RP-05", "RP-07", "SP-01", "SP-02", "SP-04", "SP-05", "SP-06"),
}  # fmt: skip
_ROW: Final = re.compile(r"^\| ((?:PW|RP|SP|SC|CF|UP|SE|PR)-\d{2}) \|", re.MULTILINE)
_TEST: Final = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_LINK: Final = re.compile(r"\[([^\]]+)\]\([^)]+\)")


@dataclass(frozen=True)
class Evidence:
    """The outcomes of checks, their subject (`of`: image_sha256 and version, or model and end_date), and their day."""

    subject: str
    of: Mapping[str, str]
    made: dt.date
    checks: tuple[Check, ...]

    def problems(self) -> list[str]:
        """Return one sentence for each required check that has not passed."""
        by_id = {check.id: check for check in self.checks}
        found = []
        for name in REQUIRED[self.subject]:
            check = by_id.get(name)
            if check is None:
                found.append(f"{name}: this check is missing in the {self.subject} evidence")
            elif check.outcome not in (PASS, NOT_APPLICABLE):
                found.append(f"{name}: {check.outcome} ({check.detail})")
        return found

    def to_json(self) -> bytes:
        """Return the file's bytes: sorted, so that equal evidence has one digest."""
        document = {
            "kind": "evidence",
            "subject": self.subject,
            "of": dict(self.of),
            "made": self.made.isoformat(),
            "checks": [asdict(check) for check in self.checks],
        }
        return json.dumps(document, sort_keys=True, ensure_ascii=False, indent=1).encode() + b"\n"

    def summary(self) -> dict[str, Any]:
        """Return how a statement names this evidence."""
        passed = sum(check.outcome == PASS for check in self.checks)
        return {
            "subject": self.subject,
            "sha256": hashlib.sha256(self.to_json()).hexdigest(),
            "made": self.made.isoformat(),
            "passed": passed,
            "not_applicable": sum(check.outcome == NOT_APPLICABLE for check in self.checks),
        }


def parse_evidence(data: bytes, source: str = "evidence") -> Evidence:
    """Return the evidence in a file's bytes. Raises EvidenceError."""
    try:
        document = json.loads(data)
        checks = tuple(Check(str(c["id"]), c["outcome"], str(c["detail"])) for c in document["checks"])
        evidence = Evidence(
            document["subject"],
            {str(k): str(v) for k, v in document["of"].items()},
            dt.date.fromisoformat(document["made"]),
            checks,
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise EvidenceError(f"{source} is not evidence") from None
    if evidence.subject not in REQUIRED or any(check.outcome not in OUTCOMES for check in checks):
        raise EvidenceError(f"{source} has a subject or outcome that is not known")
    if len({check.id for check in checks}) != len(checks):
        raise EvidenceError(f"{source} has two outcomes for one check")
    return evidence


# From a test run ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One line of the table: the requirement's state and source, its words, its code, and the tests that show it."""

    id: str
    state: str
    tests: tuple[tuple[str, str], ...]  # (file, name); name is "" for a whole file
    note: str
    source: str = ""
    text: str = ""
    code: tuple[str, ...] = ()


def read_table(text: str) -> dict[str, Row]:
    """Return the rows of docs/requirements.md by id. Raises EvidenceError if it has no rows."""
    rows = {}
    for line in text.splitlines():
        if not _ROW.match(line):
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) != 6:
            raise EvidenceError(f"the row of {cells[0]} has {len(cells)} cells, not 6")
        tests = tuple((found[0], found[1]) for found in _TEST.findall(cells[5]))
        # words beside a test are about that test; only a part without one is a note
        parts = [_LINK.sub(r"\1", part.strip()) for part in cells[5].split(";") if not _TEST.search(part)]
        note = "; ".join(part for part in parts if part and not part.startswith("("))
        code = tuple(re.findall(r"`([^`]+)`", cells[4]))
        rows[cells[0]] = Row(cells[0], cells[3], tests, note, cells[1], cells[2], code)
    if not rows:
        raise EvidenceError("no table of requirements was found")
    return rows


def from_test_run(
    junit: bytes,
    table: str,
    *,
    image_sha256: str,
    version: str,
    made: dt.date,
    commit: str = "",
    tools: str = "",
    installed: Check | None = None,
) -> Evidence:
    """Return the evidence that a test run gives for a firmware image.

    `installed`: the outcome of PW-05 (installed_software.py); None: there is no definition. Raises EvidenceError.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", image_sha256):
        raise EvidenceError("the image digest must be 64 hexadecimal digits in lower case")
    rows, outcomes = read_table(table), outcomes_of(read_cases(junit))
    found = {name: judge(name, rows.get(name), outcomes) for name in REQUIRED[FIRMWARE]}
    software = installed or judge_installed_software(None, {})
    if software.outcome != PASS or found[INSTALLED_SOFTWARE].outcome == PASS:
        found[INSTALLED_SOFTWARE] = software
    checks = tuple(found.values())
    of = {
        "image_sha256": image_sha256,
        "version": version,
        "junit_sha256": hashlib.sha256(junit).hexdigest(),
        "commit": commit,
        "tools": tools,
    }
    return Evidence(FIRMWARE, of, made, checks)


def judge(name: str, row: Row | None, outcomes: Mapping[tuple[str, str], list[str]]) -> Check:
    """Return the outcome of one requirement from (file, test) -> outcomes of its cases."""
    if row is None:
        return Check(name, NOT_RUN, "it is not in the table of requirements")
    if row.state == "not claimed":
        return Check(name, NOT_APPLICABLE, row.note or "not claimed")
    if not row.tests or row.state == "planned":
        return Check(name, NOT_RUN, f"{row.state}: no test shows it")
    cases = {(file, test): _cases(outcomes, file, test) for file, test in row.tests}
    for outcome, verb in (
        (FAIL, "failed"),
        (NOT_RUN, "did not run"),
    ):  # a failure is never hidden by a missing test
        for (file, test), found in cases.items():
            if outcome in (found or [NOT_RUN]):
                return Check(name, outcome, f"{file} {test}".strip() + f" {verb}")
    passed = sum(map(len, cases.values()))
    words = "" if row.state == "built" else f"; {row.state}: {row.note}"
    return Check(name, PASS, f"{counted(passed, 'case')} of {counted(len(row.tests), 'test')} passed{words}")


def _cases(outcomes: Mapping[tuple[str, str], list[str]], file: str, test: str) -> list[str]:
    if test:
        return outcomes.get((file, test), [])
    return [outcome for (name, _), cases in outcomes.items() if name == file for outcome in cases]


def partly(evidence: Iterable[Evidence]) -> list[Check]:
    """Return the checks that passed for a part of their requirement; a person reads them before signing."""
    return [check for each in evidence for check in each.checks if "; partly:" in check.detail]
