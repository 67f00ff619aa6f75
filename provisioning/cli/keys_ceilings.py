"""The ceilings of a key set: how far devices go back after a stolen key signed a number or a date that is too high."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Annotated, Final

import typer

from provisioning.cli.errors import InputError, warn
from provisioning.keys.keyset import KeySetPlan

EPOCH: Final = dt.date(1970, 1, 1)

ManifestCeilingOption = Annotated[
    int | None,
    typer.Option(
        "--manifest-ceiling",
        metavar="N",
        min=0,
        help="Use this if a stolen author key signed a huge sequence number. Devices above N go back to N and take "
        "your next release again. N is the number of your newest release.",
    ),
]
SupportEndCeilingOption = Annotated[
    str | None,
    typer.Option(
        "--support-end-ceiling",
        metavar="YYYY-MM-DD",
        help="Use this if a stolen support key promised a date that is too late. Devices with a later end date go "
        "back to this one. It is the latest end date that you published.",
    ),
]


def resolved_ceilings(
    plan: KeySetPlan, manifest: int | None, support_end: str | None, is_without: bool
) -> KeySetPlan:
    """Return the plan with the ceilings that the options state: the next plan if that changes it. Raises InputError."""
    if is_without and (manifest is not None or support_end is not None):
        raise InputError("--no-ceilings removes the ceilings: give it without a ceiling.")
    without = replace(plan, manifest_ceiling=None, support_end_ceiling_day=None)
    changed = without if is_without else with_ceilings(plan, manifest, support_end)
    if changed == plan:
        _warn_of_ceilings(plan)
        return plan
    return changed.changed()


def with_ceilings(plan: KeySetPlan, manifest: int | None, support_end: str | None) -> KeySetPlan:
    """Return the plan with the given ceilings and the same sequence number. Raises InputError."""
    if manifest is not None:
        plan = replace(plan, manifest_ceiling=manifest)
    if support_end is not None:
        try:
            day = (dt.date.fromisoformat(support_end) - EPOCH).days
        except ValueError:
            day = -1
        if day < 0:
            raise InputError(f"{support_end!r} is not a date. Write it as YYYY-MM-DD.")
        plan = replace(plan, support_end_ceiling_day=day)
    return plan


def _warn_of_ceilings(plan: KeySetPlan) -> None:
    """A ceiling of an earlier key set also lowers what honest keys signed since then."""
    for name, value in ceiling_lines(plan):
        warn(
            f"The {name} of an earlier key set still applies: {value}. If you have published something higher since "
            "then, state that value, or use --no-ceilings after all devices have taken the earlier key set."
        )


def ceiling_lines(plan: KeySetPlan) -> list[tuple[str, str]]:
    latest = end_date(plan)
    lines = []
    if plan.manifest_ceiling is not None:
        lines.append(("manifest ceiling", f"devices go back to sequence number {plan.manifest_ceiling}"))
    if latest is not None:
        lines.append(("support end ceiling", f"devices go back to {latest}"))
    return lines


def end_date(plan: KeySetPlan) -> str | None:
    day = plan.support_end_ceiling_day
    return None if day is None else (EPOCH + dt.timedelta(days=day)).isoformat()
