"""Cases as lines for a person and as JSON documents for a program."""

from __future__ import annotations

import datetime as dt
from typing import Any

from provisioning.disclosure import states
from provisioning.disclosure.case import Case
from provisioning.disclosure.clocks import Due, of_case


def time_text(time_s: int | None) -> str:
    """Return unix seconds as ISO 8601 in UTC; "-" for None."""
    return "-" if time_s is None else dt.datetime.fromtimestamp(time_s, dt.UTC).strftime("%Y-%m-%dT%H:%MZ")


def due_document(item: Due, now_s: int) -> dict[str, Any]:
    """Return one due item."""
    return {
        "case": item.case,
        "what": item.what,
        "due_s": item.due_s,
        "due": time_text(item.due_s),
        "is_overdue": item.is_overdue(now_s),
        "reporter": item.reporter,
        "detail": item.detail,
    }


def due_line(item: Due, now_s: int) -> str:
    """Return one due item as a line."""
    mark = "OVERDUE" if item.is_overdue(now_s) else "due"
    return f"{mark:8}{time_text(item.due_s)}  {item.case}  {item.what}: {item.detail}"


def case_document(case: Case, now_s: int) -> dict[str, Any]:
    """Return one case: what it is, not what was written."""
    return {
        "case": case.code,
        "version": case.version,
        "state": str(case.state),
        "title": case.title,
        "channel": case.channel,
        "received_s": case.received_s,
        "reporters": [
            {"reporter": one, "since_s": since_s, "informed_s": case.informed_s(one)}
            for one, since_s in case.reporters.items()
        ],
        "is_embargoed": case.is_embargoed,
        "embargo_until": case.embargo.get("until") or None,
        "triage": dict(case.triage),
        "fix": dict(case.fix),
        "thanked": list(case.thanks),
        "fixed_s": case.fixed_s,
        "ended_s": case.ended_s,
        "merged_into": case.merged_into,
        "aware_s": dict(case.aware_s),
        "filed": [dict(facts) for facts in case.filed.values()],
        "possible_steps": [str(step) for step in states.steps(case.state)],
        "due": [due_document(item, now_s) for item in of_case(case)],
    }


def case_line(case: Case, now_s: int) -> str:
    """Return one case as a line of a list."""
    items = of_case(case)
    nearest = min(items, key=lambda item: item.due_s, default=None)
    words = "" if nearest is None else due_line(nearest, now_s).replace(f"  {case.code}", "")
    return f"{case.code}  v{case.version:<4}{case.state:14}{case.title[:40]:42}{words}".rstrip()


def case_rows(case: Case, now_s: int) -> list[tuple[str, str]]:
    """Return the rows of one case."""
    rows = [
        ("case", f"{case.code}, version {case.version}"),
        ("state", f"{case.state}; possible: {', '.join(states.steps(case.state)) or 'nothing'}"),
        ("title", case.title),
        ("received", f"{time_text(case.received_s)} by {case.channel}"),
        ("embargo", f"until {case.embargo.get('until') or 'published'}" if case.is_embargoed else "no"),
    ]
    rows += [
        ("reporter", f"{one}, since {time_text(since_s)}, informed {time_text(case.informed_s(one))}")
        for one, since_s in case.reporters.items()
    ]
    if case.triage:
        rows.append(("severity", f"{case.triage.get('rating', '-')} {case.triage.get('cvss', '')}".strip()))
    if case.triage.get("cwe"):
        rows.append(("weakness", f"{case.triage['cwe']['id']} {case.triage['cwe']['name']}"))
    if case.thanked:
        rows.append(("thanks to", ", ".join(case.thanked)))
    rows += [(f"aware ({duty})", time_text(time_s)) for duty, time_s in case.aware_s.items()]
    rows += [(item.what, due_line(item, now_s)) for item in of_case(case)]
    return rows
