"""`firstboot rollout begin`: a release and its stages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from device.limits import ROLLOUT_SHARES, WITHHELD_S
from device.suit import envelope
from provisioning.cli.errors import InputError, err
from provisioning.cli.options import JsonOption
from provisioning.cli.rollout_access import (
    DEFAULT_ROLLOUTS,
    RolloutsOption,
    StoreOption,
    parse_span,
    print_rollout,
    store_of_class,
)
from provisioning.cli.settings import with_settings
from provisioning.publishing.release_class import class_id_of_release
from provisioning.release.release import Release
from provisioning.servers.rollout import Limits, Plan, Stage, new_key
from provisioning.servers.rollout_store import RolloutStore

_PERCENT: Final = re.compile(r"(\d{1,3}(?:\.\d{1,2})?)%")


@dataclass(frozen=True, kw_only=True)
class BeginSettings:
    """The options of `rollout begin`: a release, its stages, and when it pauses by itself."""

    release: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="A release, made by `firstboot release sign`.")
    ]
    store: StoreOption
    stage: Annotated[
        list[str],
        typer.Option(
            "--stage",
            metavar="SHARE:TIME",
            help="A stage: share of the fleet, and the least time that it lasts, such as 1%:24h. Repeat it; the last"
            " one is 100%.",
        ),
    ]
    rollouts: RolloutsOption = DEFAULT_ROLLOUTS
    failed: Annotated[
        str, typer.Option("--failed", metavar="SHARE", help="Pause above this share of failed units.")
    ] = "1%"
    silent: Annotated[
        str,
        typer.Option(
            "--silent",
            metavar="SHARE",
            help="Pause above this share of units that restarted and fell silent.",
        ),
    ] = "5%"
    silence: Annotated[
        str,
        typer.Option("--silence", metavar="TIME", help="A unit is silent after this time without a report."),
    ] = "6h"
    least: Annotated[
        int,
        typer.Option(
            "--least",
            min=1,
            help="Fewer failed or silent units than this never pause the rollout, and the next stage needs this"
            " many units that confirmed.",
        ),
    ] = 5
    replace_lost: Annotated[
        bool,
        typer.Option(
            "--replace-lost",
            help="Replace a published rollout whose file of rollouts is lost. Never use it while that file exists.",
        ),
    ] = False
    is_json: JsonOption = False


@with_settings(BeginSettings, "rollout.begin")
def begin(settings: BeginSettings) -> None:
    """Begin the rollout of a release. Publish the release afterwards.

    A unit whose stage has not come waits for at most 72 hours of running time. Begin no rollout while units have
    firmware of version 0.1: it refuses the tracker's answers then.

    Example: `firstboot rollout begin release-12 --store published --stage 1%:24h --stage 10%:24h --stage 100%`
    """
    release = Release.load(settings.release)
    stages = tuple(_stage(text) for text in settings.stage)
    plan = Plan(
        release.sequence_number,
        envelope.decode_digest(envelope.decode(release.envelope).digest),
        new_key(),
        stages,
        Limits(
            _share(settings.failed, "--failed"),
            _share(settings.silent, "--silent"),
            parse_span(settings.silence, "--silence"),
            settings.least,
        ),
    )
    store = store_of_class(settings.store, class_id_of_release(release))
    rollouts = RolloutStore(settings.rollouts)
    rollouts.begin(store, plan, replaces_lost=settings.replace_lost)
    if sum(one.least_s for one in stages) > WITHHELD_S:
        err.print(
            f"The stages last longer than {WITHHELD_S // 3600} hours. A unit that is always on does not wait longer"
            " than that.",
            markup=False,
        )
    print_rollout(rollouts, store.class_id, settings.is_json)


def _share(text: str, flag: str) -> float:
    """Return a number from 0 to 1. Raises InputError."""
    found = _PERCENT.fullmatch(text)
    if found is None or float(found[1]) > 100:
        raise InputError(f"{flag}: {text!r} is not a share such as 1% or 0.25%.")
    return float(found[1]) / 100


def _stage(text: str) -> Stage:
    share, colon, span = text.partition(":")
    least_s = parse_span(span, "--stage") if colon else 0
    return Stage(round(_share(share, "--stage") * ROLLOUT_SHARES), least_s)
