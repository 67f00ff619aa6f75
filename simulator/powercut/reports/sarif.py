"""The report as SARIF 2.1.0 (OASIS), for code scanning pages.

A result names the flow and the operation as a logical location. Its physical location is the line of device code that
asked for the operation; if that is not known, the script of the flow.
"""

from __future__ import annotations

import hashlib
import inspect
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from simulator.powercut import checks
from simulator.powercut.flows import FLOWS
from simulator.powercut.reports.summary import MEANINGS, Summary, replay_command
from simulator.powercut.results import Finding

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT: Final = Path(__file__).resolve().parents[3]


def sarif(summary: Summary) -> dict[str, Any]:
    """Return the report as a SARIF log with one run."""
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "firstboot powercut",
                        "version": version("firstboot"),
                        "rules": [_rule(kind) for kind in checks.KINDS],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding) for finding in summary.total.details],
                "properties": {
                    "points": summary.total.points,
                    "torn": summary.total.torn,
                    "second": summary.total.second,
                    "states": summary.total.states,
                },
            }
        ],
    }


def _rule(kind: str) -> dict[str, Any]:
    name = "".join(word.capitalize() for word in kind.split("_"))
    return {
        "id": kind,
        "name": name,
        "shortDescription": {"text": MEANINGS[kind]},
        "defaultConfiguration": {"level": "error"},
    }


def _result(finding: Finding) -> dict[str, Any]:
    logical = {
        "name": finding.operation or finding.flow,
        "fullyQualifiedName": f"{finding.flow}/{finding.seed}",
    }
    location: dict[str, Any] = {"logicalLocations": [logical]}
    place = finding.place or _script_of(finding.flow)
    if place:
        file, _, line = place.rpartition(":")
        location["physicalLocation"] = {
            "artifactLocation": {"uri": file, "uriBaseId": "%SRCROOT%"},
            "region": {"startLine": int(line)},
        }
    fingerprint = hashlib.sha256(f"{finding.flow} {finding.kind} {place} {finding.text}".encode()).hexdigest()
    return {
        "ruleId": finding.kind,
        "level": "error",
        "message": {"text": f"{finding}. Repeat it with: {replay_command(finding)}"},
        "locations": [location],
        "partialFingerprints": {"cut/v1": fingerprint},
    }


def _script_of(flow: str) -> str:
    """Return file and line of the script of a flow, "" if there is no such flow."""
    if flow not in FLOWS:
        return ""
    script = FLOWS[flow].script
    file = inspect.getsourcefile(script)
    if file is None:
        return ""
    try:
        path = Path(file).resolve().relative_to(ROOT).as_posix()
    except ValueError:
        return ""
    return f"{path}:{inspect.getsourcelines(script)[1]}"
