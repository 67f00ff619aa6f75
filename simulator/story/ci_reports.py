"""The result of a story in the forms that CI systems show: JUnit XML and a Markdown summary.

Texts come from the unit and from servers, so both forms escape them.
"""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from provisioning.cli.errors import printable
from simulator.story.requirements import sentences
from simulator.story.runner import FAILED, PASSED, SKIPPED

_MARKS = {PASSED: "passed", FAILED: "**failed**", SKIPPED: "skipped"}


def junit_xml(found: dict[str, Any]) -> str:
    """Return the report of `simulator.story.runner.report` as JUnit XML, one test case for each step."""
    steps = found["steps"]
    counts = {status: sum(step["status"] == status for step in steps) for status in _MARKS}
    suite = ElementTree.Element(
        "testsuite",
        name=f"firstboot demo on {found['on']}",
        tests=str(len(steps)),
        failures=str(counts[FAILED]),
        errors="0",
        skipped=str(counts[SKIPPED]),
        time=f"{sum(step['seconds'] for step in steps):.2f}",
    )
    for step in steps:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"firstboot.demo.{found['on']}",
            name=step["name"],
            time=f"{step['seconds']:.2f}",
        )
        text = printable(_detail(step))
        if step["status"] == FAILED:
            ElementTree.SubElement(case, "failure", message=text)
        elif step["status"] == SKIPPED:
            ElementTree.SubElement(case, "skipped", message=text)
        else:
            ElementTree.SubElement(case, "system-out").text = text
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def markdown(found: dict[str, Any]) -> str:
    """Return the report as a heading and a table, one row for each step."""
    lines = [
        f"### Firstboot demo on {found['on']}: {found['result']}",
        "",
        "| step | result | seconds | observed |",
        "|---|---|---:|---|",
    ]
    for step in found["steps"]:
        lines.append(
            f"| {step['name']} | {_MARKS[step['status']]} | {step['seconds']:.1f} | {_cell(_detail(step))} |"
        )
    return "\n".join(lines) + "\n\n"


def _detail(step: dict[str, Any]) -> str:
    """Return what a step observed; a failed one also names the requirements that it does not show."""
    missed = sentences(step["requirements"]) if step["status"] == FAILED else []
    return "\n".join([step["detail"], *(f"not shown: {text}" for text in missed)])


def _cell(text: str) -> str:
    """Return `text` on one line, without characters that Markdown or HTML interprets."""
    for character, shown in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;"), ("`", "&#96;")):
        text = text.replace(character, shown)
    return printable(" ".join(text.split()))
