"""The report as JUnit XML: one test case for each flow, which fails if there is a finding."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree

from provisioning.cli.errors import printable
from provisioning.counted import counted
from simulator.powercut.reports.summary import Summary

SHOWN: Final = 50  # findings of a flow in full; the rest is counted


def junit_xml(summary: Summary) -> str:
    """Return the report as JUnit XML."""
    failed = sum(bool(report.details) for report in summary.flows.values())
    suite = ElementTree.Element(
        "testsuite",
        name="firstboot powercut",
        tests=str(len(summary.flows)),
        failures=str(failed),
        errors="0",
        skipped="0",
        time=f"{summary.total.cpu_s:.2f}",
    )
    for name, report in summary.flows.items():
        case = ElementTree.SubElement(
            suite, "testcase", classname="firstboot.powercut", name=name, time=f"{report.cpu_s:.2f}"
        )
        figures = report.figures()
        if report.details:
            texts = [printable(f"{one.kind}: {one}") for one in report.details[:SHOWN]]
            if len(report.details) > SHOWN:
                texts.append(f"and {len(report.details) - SHOWN} more")
            failure = ElementTree.SubElement(
                case, "failure", message=f"{counted(len(report.details), 'finding')}; {figures}"
            )
            failure.text = "\n".join(texts)
        else:
            ElementTree.SubElement(case, "system-out").text = figures
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
