"""`firstboot registry backup`, `check-backup` and `restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from provisioning.cli.options import ByOption, FilesOption, JsonOption, RegistryOption
from provisioning.cli.output import print_report
from provisioning.cli.registry_access import opened
from provisioning.cli.signing_time import IN_RECORDS, warn_of_clock
from provisioning.registry import backup as backups
from provisioning.registry.chains import Report

BackupArgument = Annotated[Path, typer.Argument(metavar="BACKUP", help="Folder of a backup.")]


def report_line(report: Report) -> str:
    """Return a finished check in one line."""
    chains = ", ".join(f"{name} {count}" for name, count in report.chains.items()) or "none"
    decided = f", {report.decisions} decisions" if report.decisions else ""
    return f"whole: {report.records} production records{decided} (chains: {chains}), {report.checkpoints} checkpoints"


def report_document(report: Report) -> dict[str, Any]:
    """Return a finished check for a program."""
    return {
        "is_whole": True,
        "records": report.records,
        "decisions": report.decisions,
        "chains": dict(report.chains),
        "checkpoints": report.checkpoints,
        "signers": list(report.signers),
    }


def backup(
    registry: RegistryOption,
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="New folder for the backup.")],
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Back up a registry while stations work, and check the copy.

    Example: `firstboot registry backup --registry registry.db --to backups/monday`
    """
    with opened(registry, files) as source:
        made = backups.backup(source, to)
    document = report_document(made.report) | {"backup": str(made.folder)}
    print_report([f"{made.folder}: {report_line(made.report)}"], document, is_json)


def check_backup(folder: BackupArgument, is_json: JsonOption = False) -> None:
    """Restore a backup into a temporary registry and check it against its checkpoint.

    Example: `firstboot registry check-backup backups/monday`
    """
    report = backups.check_backup(folder)
    print_report([report_line(report)], report_document(report) | {"backup": str(folder)}, is_json)


def restore(
    folder: BackupArgument,
    registry: Annotated[
        Path, typer.Option("--registry", metavar="FILE", help="New file for the restored registry.")
    ],
    by: ByOption,
    is_json: JsonOption = False,
) -> None:
    """Put a backup into service. Serial numbers are skipped, new chains start, and open batches wait for a person.

    Example: `firstboot registry restore backups/monday --registry registry.db --by "E. Example"`
    """
    warn_of_clock(IN_RECORDS)
    report = backups.restore(folder, registry, by=by)
    lines = [
        f"{registry}: {report_line(report)}",
        "Next: sync the branches, count the units made since the backup, then `firstboot registry settle`",
    ]
    print_report(lines, report_document(report) | {"registry": str(registry)}, is_json)
