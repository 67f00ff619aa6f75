"""Options that the commands of `firstboot failure` share, and the two stores for the time of a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from provisioning.cli import registry_access, report_access
from provisioning.cli.errors import warn
from provisioning.cli.options import ByOption, FilesOption, JsonOption, MainRegistryOption
from provisioning.cli.output import print_report
from provisioning.cli.report_access import CasesOption
from provisioning.cli.report_texts import time_text
from provisioning.disclosure.desk import Decision
from provisioning.disclosure.store import CaseStore
from provisioning.failures import desk, sale
from provisioning.failures.investigation import Investigation
from provisioning.failures.states import steps
from provisioning.registry.registry import Registry
from provisioning.registry.stops import EVERY_BATCH

FailureArgument = Annotated[
    str, typer.Argument(metavar="NUMBER", help="The number of the investigation, like CF-2026-0001.")
]
SeenOption = Annotated[
    int | None,
    typer.Option(
        "--seen", metavar="VERSION", help="The version that you read. Refused if there is another one."
    ),
]
RegistryFilesOption = Annotated[
    Path | None,
    typer.Option(
        "--registry-files", metavar="DIR", help="Folder of the registry's key files, for PostgreSQL."
    ),
]


@dataclass(frozen=True, kw_only=True)
class Stores:
    """The options that name the two stores."""

    cases: CasesOption
    registry: MainRegistryOption
    files: FilesOption = None
    registry_files: RegistryFilesOption = None
    is_json: JsonOption = False


@dataclass(frozen=True, kw_only=True)
class DecisionSettings(Stores):
    """The options of a decision about one investigation."""

    number: FailureArgument
    by: ByOption
    seen: SeenOption = None


@contextmanager
def both(settings: Stores) -> Iterator[tuple[CaseStore, Registry]]:
    """Open the case store and the main registry. Raises RegistryError if one is missing or cannot be used."""
    with (
        report_access.opened(settings.cases, settings.files) as store,
        registry_access.opened(settings.registry, settings.registry_files) as registry,
    ):
        yield store, registry


def decision_of(store: CaseStore, settings: DecisionSettings, reason: str = "") -> Decision:
    """Return the decision of the person, on the version that they read or on the present one."""
    seen = desk.load(store, settings.number).version if settings.seen is None else settings.seen
    return Decision(settings.by, seen, reason=reason)


def settle(store: CaseStore, registry: Registry, by: str) -> sale.Settled:
    """Bring the stops in order, and warn of those whose investigation the log does not have."""
    settled = sale.settle(store, registry, by=by)
    for code in settled.unknown:
        warn(
            f"The registry has a stop of {code}, which the log does not have. Was the case store restored? Open the"
            " investigation again, or use `firstboot failure lift`."
        )
    return settled


def document_of(found: Investigation) -> dict[str, Any]:
    """Return an investigation as plain values."""
    return {
        "number": found.code,
        "state": str(found.state),
        "version": found.version,
        "model": found.model,
        "batches": None if found.batches == (EVERY_BATCH,) else list(found.batches),
        "suspicion": found.suspicion,
        "origin": dict(found.origin),
        "stop": found.stop,
        "is_failure": found.is_failure,
        "steps": [
            {"number": one.number, "text": one.text, "is_successful": one.is_successful}
            for one in found.steps
        ],
        "opened_s": found.opened_s,
        "keep_until": found.keep_until().isoformat(),
    }


def line_of(found: Investigation) -> str:
    """Return an investigation in one line."""
    batches = "all batches" if found.batches == (EVERY_BATCH,) else ", ".join(found.batches)
    return f"{found.code}  {found.state:13}{time_text(found.opened_s)}  {found.model}, {batches}"


def done(store: CaseStore, registry: Registry, found: Investigation, by: str, *, is_json: bool) -> None:
    """Bring the stops in order, and print the investigation after a decision."""
    settled = settle(store, registry, by)
    lines = [f"{found.code} is {found.state}, version {found.version}"]
    lines += [f"stopped: {batch or 'every batch of ' + found.model}" for _, batch in settled.stopped]
    lines += [f"may ship again: {batch or 'every batch of ' + found.model}" for _, batch in settled.lifted]
    if possible := ", ".join(steps(found.state)):
        lines.append(f"possible now: {possible}")
    print_report(lines, document_of(found), is_json)
