"""The report of a campaign for other tools: JUnit XML, SARIF 2.1.0, one HTML page."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import jsonschema_rs
import pytest

from firstboot.locations import source_root
from simulator.powercut import checks
from simulator.powercut.checks import Findings
from simulator.powercut.reports.junit import junit_xml
from simulator.powercut.reports.page import html_page
from simulator.powercut.reports.sarif import sarif
from simulator.powercut.reports.summary import Summary
from simulator.powercut.results import Finding, Report

SCHEMA = Path(__file__).parents[1] / "vectors" / "sarif-schema-2.1.0.json"
FOUND = Finding(
    "set-up", "17.4", "--flow set-up --seed 17.4 (<torn> & more)", checks.OPEN, "a <script> signs in",
    "write of 32 bytes at 0x20", "device/owner/onboarding.py:170",
)  # fmt: skip
UNPLACED = Finding("update-mqtt", "3", "--flow update-mqtt --seed 3 (x)", checks.LOST, "a fact is gone")


def summary(*findings: Finding) -> Summary:
    flows = {}
    for name in ("set-up", "update-mqtt"):
        own = [one for one in findings if one.flow == name]
        counts = Counter(one.kind for one in own)
        flows[name] = Report(
            1,
            100,
            40,
            20,
            {(name, b"12345678")},
            findings=Findings(counts, [str(one) for one in own]),
            details=own,
        )
    return Summary.of(flows, {"tears": 1, "depth": 2})


def test_sarif_is_valid_and_points_to_flow_operation_and_source() -> None:
    log = sarif(summary(FOUND, UNPLACED))
    jsonschema_rs.validator_for(json.loads(SCHEMA.read_text())).validate(log)
    first, second = log["runs"][0]["results"]
    place = first["locations"][0]["physicalLocation"]
    assert (
        place["artifactLocation"]["uri"] == "device/owner/onboarding.py"
        and place["region"]["startLine"] == 170
    )
    logical = first["locations"][0]["logicalLocations"][0]
    assert logical == {"name": "write of 32 bytes at 0x20", "fullyQualifiedName": "set-up/17.4"}
    script = second["locations"][0]["physicalLocation"]
    line = (source_root() / script["artifactLocation"]["uri"]).read_text().splitlines()
    assert "async def updates" in line[script["region"]["startLine"] - 1]


def test_sarif_without_findings_is_valid_too() -> None:
    jsonschema_rs.validator_for(json.loads(SCHEMA.read_text())).validate(sarif(summary()))


def test_a_log_that_is_not_sarif_is_refused_by_the_schema() -> None:
    log = sarif(summary(FOUND))
    del log["runs"][0]["results"][0]["message"]
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validator_for(json.loads(SCHEMA.read_text())).validate(log)


def test_junit_has_a_case_for_each_flow_and_fails_the_right_one() -> None:
    suite = ElementTree.fromstring(junit_xml(summary(FOUND)))[0]  # noqa: S314 - our own text
    assert suite.attrib["tests"] == "2" and suite.attrib["failures"] == "1"
    cases = {case.attrib["name"]: case for case in suite}
    failure = cases["set-up"].find("failure")
    assert failure is not None and "17.4" in (failure.text or "")
    assert cases["update-mqtt"].find("failure") is None


def test_the_page_needs_no_other_file_and_escapes_what_it_shows() -> None:
    page = html_page(summary(FOUND))
    assert "<script" not in page and not re.search(r"(src|href)=|url\(|@import", page)
    assert "a &lt;script&gt; signs in" in page
    assert "firstboot powercut run --flow set-up --seed 17.4" in page
    assert "No finding" in html_page(summary())


def test_figures_have_every_finding_with_its_command() -> None:
    data = summary(FOUND).figures()
    assert data["findings"][0]["replay"] == "firstboot powercut run --flow set-up --seed 17.4"
    assert data["points"] == 200 and data["second"] == 40 and data["states"] == 2 and data["open"] == 1
