"""The end of a campaign: its findings and figures on the screen, its report in files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import typer

from provisioning.cli.output import print_report
from simulator.powercut.reports.junit import junit_xml
from simulator.powercut.reports.page import html_page
from simulator.powercut.reports.sarif import sarif
from simulator.powercut.reports.summary import Summary
from simulator.powercut.results import Report

SHOWN = 20  # findings printed; the rest is counted


class Outputs(NamedTuple):
    """The form in which a report is printed, and its files, each None if it was not asked for."""

    is_json: bool = False
    junit: Path | None = None
    sarif: Path | None = None
    html: Path | None = None

    def end(self, flows: Mapping[str, Report], plan: Mapping[str, int]) -> None:
        """Print findings, figures and the last line, and write the files. Exit code 1 if there are findings."""
        summary = Summary.of(flows, plan)
        self._write(summary)
        total = summary.total
        for finding in total.details[:SHOWN]:
            typer.echo(f"{finding.cut}: {finding.kind}: {finding.text}", err=True)
        if len(total.details) > SHOWN:
            typer.echo(f"and {len(total.details) - SHOWN} more findings", err=True)
        for name, report in flows.items():
            typer.echo(f"  {name}: {report.figures()}, {report.cpu_s:.1f} s of CPU", err=True)
        rate = f"; {total.seconds:.0f} s, {total.rate:.1f} cuts a second" if total.seconds else ""
        typer.echo(f"  {total.figures()}{rate}", err=True)
        print_report([total.line()], summary.figures(), self.is_json)
        if not total.is_clean:
            raise typer.Exit(1)

    def _write(self, summary: Summary) -> None:
        for path, text in (
            (self.junit, junit_xml),
            (self.sarif, _sarif),
            (self.html, html_page),
        ):
            if path is not None:
                path.write_text(text(summary), encoding="utf-8")


def _sarif(summary: Summary) -> str:
    return json.dumps(sarif(summary), indent=1) + "\n"
