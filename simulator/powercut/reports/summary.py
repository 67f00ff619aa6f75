"""The content of every form of the report: the figures of each flow, and of the whole campaign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from simulator.powercut import checks
from simulator.powercut.results import Finding, Report

# What a finding of each kind means, for a reader who does not know the campaign.
MEANINGS: Final = {
    checks.BRICKED: "The unit does not start, restarts without end, or does not finish what it was doing.",
    checks.OPEN: "The unit gives access to someone without the right to it.",
    checks.MIXED: "The unit runs something that is not a signed release, or one without trial or confirmation.",
    checks.LOST: "Something that the unit had reported to the outside is no longer true.",
    checks.NONCE_REUSE: "A number that may be used once was used twice.",
}


@dataclass(frozen=True)
class Summary:
    """A campaign: the report of each flow, in order, and of all of them. `plan`: how it cut."""

    flows: Mapping[str, Report]
    total: Report
    plan: Mapping[str, int]

    @classmethod
    def of(cls, flows: Mapping[str, Report], plan: Mapping[str, int]) -> Summary:
        """Add up the reports of the flows."""
        total = Report()
        for report in flows.values():
            total.add(report)
        return cls(flows, total, plan)

    def figures(self) -> dict[str, Any]:
        """Return everything as data for JSON. Only `cuts_per_s` and `cpu_s` differ between two runs."""
        total = self.total
        return {
            **_figures(total),
            "plan": dict(self.plan),
            "flows": total.flows,
            "each_flow": {name: _figures(report) for name, report in self.flows.items()},
            "findings": [_as_json(one) for one in total.details],
            "cpu_s": round(total.cpu_s, 3),
            "cuts_per_s": round(total.rate, 1),
        }


def _figures(report: Report) -> dict[str, int]:
    counts = {kind: report.findings.counts[kind] for kind in checks.KINDS}
    return {
        "points": report.points,
        "torn": report.torn,
        "second": report.second,
        "states": report.states,
        **counts,
    }


def _as_json(finding: Finding) -> dict[str, str]:
    return {**finding._asdict(), "replay": replay_command(finding)}


def replay_command(finding: Finding) -> str:
    """Return the command that repeats the cuts of a finding."""
    return f"firstboot powercut run --flow {finding.flow} --seed {finding.seed}"
