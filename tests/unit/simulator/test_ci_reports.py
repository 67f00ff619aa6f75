"""The demo's result as JUnit XML and as a Markdown summary."""

from __future__ import annotations

from xml.etree import ElementTree

from simulator.story.ci_reports import junit_xml, markdown
from simulator.story.runner import FAILED, PASSED, SKIPPED, StepResult, report

RESULTS = [
    StepResult("build", PASSED, 1.5, "507 372 bytes"),
    StepResult("update_coap", SKIPPED, 0.0, "not selected by --transport mqtt"),
    StepResult("setup", FAILED, 2.0, "expected <b>303</b> | `x`\nsaw \x1b[31m\x00&"),
]


def test_junit_has_one_case_for_each_step_and_counts_failures_and_skips() -> None:
    (suite,) = ElementTree.fromstring(junit_xml(report("qemu", RESULTS)))  # noqa: S314 - our own
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert suite.get("time") == "3.50"
    cases = {case.get("name"): case for case in suite}
    assert cases["build"].findtext("system-out") == "507 372 bytes"
    assert cases["update_coap"].find("skipped") is not None
    failure = cases["setup"].find("failure")
    assert failure is not None and "<b>303</b>" in (failure.get("message") or "")


def test_a_control_character_of_a_device_does_not_make_the_xml_unreadable() -> None:
    assert "\x00" not in junit_xml(report("qemu", RESULTS)) and "\x1b" not in junit_xml(
        report("qemu", RESULTS)
    )


def test_the_summary_is_a_table_that_a_text_of_a_device_cannot_break() -> None:
    text = markdown(report("qemu", RESULTS))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 4 and all(row.count("|") == 5 for row in rows)
    assert "<b>" not in text and "\x1b" not in text
    assert text.startswith("### Firstboot demo on qemu: failed\n")
