"""`firstboot failure open`: begin an investigation and stop its batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from provisioning.cli.errors import InputError
from provisioning.cli.failure_access import Stores, both, done
from provisioning.cli.one_line import one_line
from provisioning.cli.options import ByOption
from provisioning.cli.report_access import moment, text_from
from provisioning.cli.settings import with_settings
from provisioning.cli.signing_time import IN_RECORDS, warn_of_clock
from provisioning.failures import desk
from provisioning.failures.origins import PERSON, QUARANTINE, REPORT, SAMPLED, Origin


@dataclass(frozen=True, kw_only=True)
class OpenSettings(Stores):
    """The options of `failure open`: the suspicion, its origin, and what it may concern."""

    message: Annotated[
        str, typer.Option("--message", metavar="FILE", help="What you suspect: a text file, or - to type it.")
    ]
    by: ByOption
    batch: Annotated[
        list[str] | None, typer.Option("--batch", help="A batch that it may concern. Repeat it for more.")
    ] = None
    model: Annotated[
        str | None, typer.Option("--model", help="Every batch of this model, also later ones.")
    ] = None
    report: Annotated[
        str | None, typer.Option("--report", metavar="CASE", help="The security report that it came from.")
    ] = None
    sample: Annotated[
        str | None,
        typer.Option(
            "--sample", metavar="SERIAL", callback=one_line("serial"), help="A unit whose sample failed."
        ),
    ] = None
    quarantine: Annotated[
        str | None,
        typer.Option(
            "--quarantine",
            metavar="SERIAL",
            callback=one_line("serial"),
            help="A unit that is in quarantine.",
        ),
    ] = None
    informed: Annotated[
        str | None,
        typer.Option(
            "--informed", metavar="TIME", help="When you were informed, like 2026-12-01T09:30Z. Default: now."
        ),
    ] = None


@with_settings(OpenSettings, "failure.open")
def open_command(settings: OpenSettings) -> None:
    """Open an investigation of a possible compliance failure (s. 10). Its batches do not ship until it is closed.

    It comes from a security report, a failed sample or a unit in quarantine; without one of these, from you.

    Example: `firstboot failure open --cases reports.db --registry registry.db --batch 2026-001 --message suspicion.txt
    --by "E. Example"`
    """
    warn_of_clock(IN_RECORDS)
    suspicion = desk.Suspicion(
        text_from(settings.message, desk.LONGEST_TEXT),
        _origin(settings),
        tuple(settings.batch or ()),
        settings.model,
        moment(settings.informed, "--informed"),
    )
    with both(settings) as (store, registry):
        found = desk.open_investigation(store, registry, suspicion, settings.by)
        done(store, registry, found, settings.by, is_json=settings.is_json)


def _origin(settings: OpenSettings) -> Origin:
    given = [
        Origin(kind, reference)
        for kind, reference in (
            (REPORT, settings.report),
            (SAMPLED, settings.sample),
            (QUARANTINE, settings.quarantine),
        )
        if reference is not None
    ]
    if len(given) > 1:
        raise InputError("Give at most one of --report, --sample and --quarantine.")
    return given[0] if given else Origin(PERSON)
