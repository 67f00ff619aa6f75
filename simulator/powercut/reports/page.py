"""The report as one HTML page: no other file, no script, light or dark as the reader's system asks."""

from __future__ import annotations

from html import escape
from typing import Final

from provisioning.counted import counted
from simulator.powercut import checks
from simulator.powercut.reports.summary import MEANINGS, Summary, replay_command
from simulator.powercut.results import Finding, Report

SHOWN: Final = 500  # findings in full; the rest is counted

NOT_SHOWN: Final = (
    "Real flash: the shapes of a torn operation are models of what was measured on some parts.",
    "The C code of the boot ROM and of the board's drivers. The simulator runs the device code on CPython and a model "
    "of the boot ROM; <code>firstboot powercut run --on qemu</code> cuts a sample on the emulated board.",
    "Brown-outs that do not stop the processor, and power cuts of a server.",
    "Flows that are not listed above, and an application's own data.",
)

STYLE: Final = """\
:root { color-scheme: light dark; --ink: #1c1f23; --soft: #5a616b; --line: #d6dae0; --ground: #fff; --row: #f5f6f8;
  --good: #17663a; --bad: #a3201d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #a2a9b3; --line: #3a4048; --ground: #16181b;
  --row: #1f2226; --good: #6fce97; --bad: #ff8f89; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 68rem; color: var(--ink); background: var(--ground);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; }
.result { font-weight: 600; }
.good { color: var(--good); }
.bad { color: var(--bad); }
.soft { color: var(--soft); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; min-width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
tbody tr:nth-child(even) { background: var(--row); }
tfoot td { font-weight: 600; }
dl { margin: 0; }
dt { font-weight: 600; margin-top: .6rem; }
dd { margin: 0; }
li { margin: .25rem 0; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
article { border-left: .25rem solid var(--bad); padding: .1rem .75rem; margin: 1rem 0; overflow-wrap: anywhere; }
"""


def html_page(summary: Summary) -> str:
    """Return the report as one HTML document."""
    total = summary.total
    is_clean = total.is_clean
    words = (
        "No finding"
        if is_clean
        else counted(len(total.details), "finding")
        if total.points
        else "No cut was made"
    )
    plan = ", ".join(f"{name} {value}" for name, value in summary.plan.items())
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "<title>Power-cut campaign</title>",
        f"<style>{STYLE}</style></head><body>",
        "<h1>Power-cut campaign</h1>",
        f'<p class="result {"good" if is_clean else "bad"}">{words}</p>',
        f"<p>{total.points} cuts of {total.flows} flows: {total.torn} inside an operation, {total.second} in the "
        f"recovery from a cut. They left {total.states} different flash states.</p>",
        f'<p class="soft">Plan: {escape(plan)}.</p>',
        _table(summary),
        _findings(total.details),
        "<h2>What each count means</h2><dl>",
        *[f"<dt>{kind}</dt><dd>{escape(MEANINGS[kind])}</dd>" for kind in checks.KINDS],
        "</dl><h2>What this does not show</h2><ul>",
        *[f"<li>{text}</li>" for text in NOT_SHOWN],
        "</ul></body></html>",
    ]
    return "\n".join(parts) + "\n"


def _table(summary: Summary) -> str:
    heads = ("flow", "cuts", "torn", "second", "states", *[kind.replace("_", " ") for kind in checks.KINDS])
    rows = "\n".join(_row(name, report) for name, report in summary.flows.items())
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    return (
        '<h2>Flows</h2><div class="wide" tabindex="0" role="region" aria-label="Flows"><table>'
        f"<thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody>\n<tfoot>{_row('all', summary.total)}</tfoot>"
        "</table></div>"
    )


def _row(name: str, report: Report) -> str:
    cells = [report.points, report.torn, report.second, report.states]
    counts = [report.findings.counts[kind] for kind in checks.KINDS]
    return (
        f"<tr><td>{escape(name)}</td>"
        + "".join(f"<td>{number}</td>" for number in cells)
        + "".join(f'<td class="{"bad" if number else "soft"}">{number}</td>' for number in counts)
        + "</tr>"
    )


def _findings(findings: list[Finding]) -> str:
    if not findings:
        return ""
    shown = "\n".join(
        f'<article><p><strong class="bad">{escape(one.kind)}</strong> {escape(one.text)}</p>'
        f"<p>{escape(one.cut)}</p>"
        + (f'<p class="soft">{escape(one.place)}</p>' if one.place else "")
        + f"<p><code>{escape(replay_command(one))}</code></p></article>"
        for one in findings[:SHOWN]
    )
    rest = f"<p>And {len(findings) - SHOWN} more.</p>" if len(findings) > SHOWN else ""
    return f"<h2>Findings</h2>{shown}{rest}"
