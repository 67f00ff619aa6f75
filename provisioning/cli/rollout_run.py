"""`firstboot rollout run`: read the units' reports and decide, until it is stopped."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from device.errors import FirstbootError
from provisioning.cli.addresses import registry_place
from provisioning.cli.errors import RefusedError, err, message_of, printable, warn
from provisioning.cli.options import JsonOption, ProductOption
from provisioning.cli.output import print_json_line, print_line
from provisioning.cli.rollout_access import (
    DEFAULT_ROLLOUTS,
    RolloutsOption,
    StoreOption,
    shown_time,
    store_of,
)
from provisioning.cli.settings import with_settings
from provisioning.cli.settings_fields import RelativeText
from provisioning.cli.stop_signals import StopSignals
from provisioning.product.product import load_product
from provisioning.release.store import ReleaseStore
from provisioning.servers.errors import ServerError
from provisioning.servers.published_numbers import manifest_number
from provisioning.servers.report_log import Reports
from provisioning.servers.rollout import PAUSED, Rollout
from provisioning.servers.rollout_store import RolloutStore
from provisioning.shared_store.places import is_database, reports_at


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The options of `rollout run`."""

    product: ProductOption
    store: StoreOption
    reports: Annotated[
        list[str],
        typer.Option(
            "--reports",
            metavar="PLACE",
            help="Reports that a server keeps: a file (`state/tracker-reports.jsonl`) or the database of `serve"
            " --database`. Repeat it for several.",
        ),
        RelativeText(registry_place),
    ]
    rollouts: RolloutsOption = DEFAULT_ROLLOUTS
    every: Annotated[
        int, typer.Option("--every", metavar="SECONDS", min=1, max=3600, help="Time between two steps.")
    ] = 15
    once: Annotated[
        bool, typer.Option("--once", help="One step, for cron. Exit code 1 if the rollout is paused.")
    ] = False
    page: Annotated[
        str | None,
        typer.Option(
            "--page",
            metavar="HOST:PORT",
            help="Serve a page of the rollout at this loopback address. Port 0: a free one.",
        ),
    ] = None
    is_json: JsonOption = False


@with_settings(RunSettings, "rollout.run")
def run(settings: RunSettings) -> None:
    """Read the units' reports, begin the next stage or pause, and print each change. Runs until Ctrl-C or SIGTERM.

    The servers follow the rollout by themselves. A step that fails, because a disk is full for example, is tried again
    at the next one.

    Example: `firstboot rollout run --product product.toml --store published --reports state/tracker-reports.jsonl`
    """
    kept = RolloutStore(settings.rollouts)
    store = store_of(settings.store, settings.product)
    for place in settings.reports:
        if not is_database(place) and not Path(place).exists():
            warn(
                f"{place} does not exist: no server has kept a report there, or --reports names another file."
            )
    logs = [reports_at(place) for place in settings.reports]
    if settings.once:
        rollout = _step(kept, store, logs, settings.is_json)
        if rollout.state.state == PAUSED:
            raise RefusedError([f"the rollout of release {rollout.plan.sequence} is {rollout.stage_text()}"])
        return
    signals = StopSignals()
    with ExitStack() as stack:
        if settings.page is not None:
            _serve_page(settings, kept, signals, stack)
        _watch(settings, kept, store, logs, signals)


def _serve_page(settings: RunSettings, kept: RolloutStore, signals: StopSignals, stack: ExitStack) -> None:
    from provisioning.cli.page_server import PageServer
    from provisioning.servers.rollout_page import make_app

    product = load_product(settings.product)
    app = make_app(product.model, lambda: kept.latest(product.class_id), lambda: signals.is_ending)
    address = stack.enter_context(PageServer(app, settings.page or "", "--page")).address
    if settings.is_json:
        print_json_line({"address": address})
    err.print(f"The page of the rollout: {address}", markup=False)


def _watch(
    settings: RunSettings,
    kept: RolloutStore,
    store: ReleaseStore,
    logs: Sequence[Reports],
    signals: StopSignals,
) -> None:
    problem = ""
    while not signals.is_ending:
        try:
            _step(kept, store, logs, settings.is_json)
            problem = ""
        except (ServerError, FirstbootError, OSError) as error:
            if message_of(error) != problem:
                problem = message_of(error)
                err.print(printable(problem), markup=False)
        signals.wait(settings.every)


def _step(kept: RolloutStore, store: ReleaseStore, logs: Sequence[Reports], is_json: bool) -> Rollout:
    published = store.published("manifest")
    newest = 0 if published is None else manifest_number(published)
    rollout, change = kept.step(store, logs, newest)
    if change is not None and is_json:
        print_json_line({"time_s": change.time_s, "what": change.what, **rollout.document(change.time_s)})
    elif change is not None:
        print_line(f"{shown_time(change.time_s)}  release {rollout.plan.sequence}: {change.what}")
    return rollout
