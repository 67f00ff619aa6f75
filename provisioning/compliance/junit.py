"""Read the results of a test run: JUnit XML of pytest, and xUnit XML of Robot Framework.

Rules:
1. A file is read as data of a stranger: no entities and no document type (defusedxml), at most FILE_BYTES, CASES and
   DEPTH. Every other fault is an EvidenceError too.
2. A case that has an error or a failure failed, whatever else it says. A case that was skipped did not run.
3. pytest writes the names of module and classes into `classname`. A module is the first name that begins with `test_`.
   A case of unittest, such as Hypothesis makes of a state machine, has the name of its class.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from provisioning.compliance.check_outcomes import FAIL, NOT_RUN, PASS, EvidenceError

FILE_BYTES: Final = 64 << 20
CASES: Final = 200_000
DEPTH: Final = 12
TEXT_CHARS: Final = 4000  # of the words about a failure
ROBOT: Final = ".robot"
UNITTEST_CASE: Final = "runTest"


@dataclass(frozen=True)
class Case:
    """One case of a test. `name` is without parameters; `words` say why it failed or was skipped."""

    file: str
    name: str
    parameters: str
    outcome: str
    words: str = ""
    target: str = ""  # what the run noted; empty: it noted nothing


def read_cases(data: bytes) -> list[Case]:
    """Return the cases of a result file, in its order. Raises EvidenceError."""
    if len(data) > FILE_BYTES:
        raise EvidenceError(f"the JUnit file has more than {FILE_BYTES} bytes")
    found: list[Case] = []
    depth = 0
    try:
        for event, element in ElementTree.iterparse(
            io.BytesIO(data), events=("start", "end"), forbid_dtd=True
        ):
            depth += 1 if event == "start" else -1
            if depth > DEPTH:
                raise EvidenceError(f"the JUnit file is nested more than {DEPTH} levels deep")
            if event == "start" and depth == 1 and element.tag not in ("testsuites", "testsuite"):
                raise EvidenceError("the JUnit file does not begin with testsuites or testsuite")
            if event == "end" and element.tag == "testcase":
                found.append(_case(element))
                element.clear()
                if len(found) > CASES:
                    raise EvidenceError(f"the JUnit file has more than {CASES} cases")
    except (DefusedXmlException, ParseError, UnicodeError, LookupError) as error:
        reason = type(error).__name__ if isinstance(error, DefusedXmlException) else error
        raise EvidenceError(f"the JUnit file cannot be read: {reason}") from None
    return found


def _case(element: Any) -> Case:
    place, name = element.get("classname", ""), element.get("name", "")
    outcome, words = PASS, ""
    for tag, meaning in (("skipped", NOT_RUN), ("failure", FAIL), ("error", FAIL)):
        child = element.find(tag)
        if child is not None:
            outcome, words = meaning, (child.get("message") or child.text or "")[:TEXT_CHARS]
    target = next(
        (one.get("value", "") for one in element.iter("property") if one.get("name") == "target"), ""
    )
    if "test_" not in place:  # Robot Framework writes the names of the suites
        return Case(place.rpartition(".")[2] + ROBOT, name, "", outcome, words, target)
    file, test = _place_of(place, name)
    test, _, parameters = test.partition("[")
    return Case(file, test, parameters.removesuffix("]"), outcome, words, target)


def _place_of(place: str, name: str) -> tuple[str, str]:
    """Return the file and the name of a test (rule 3)."""
    parts = place.split(".")
    module = next((at for at, part in enumerate(parts) if part.startswith("test_")), len(parts) - 1)
    classes = parts[module + 1 :]
    return "/".join(parts[: module + 1]) + ".py", classes[-1] if classes and name == UNITTEST_CASE else name


def outcomes_of(cases: Iterable[Case]) -> dict[tuple[str, str], list[str]]:
    """Return (file, test name without parameters) -> outcomes of its cases."""
    found: dict[tuple[str, str], list[str]] = {}
    for case in cases:
        found.setdefault((case.file, case.name), []).append(case.outcome)
    return found
