"""`firstboot registry checkpoint` and `verify`: proof of what a registry contained, and the check against it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.addresses import parse_key_id
from provisioning.cli.errors import InputError
from provisioning.cli.options import FilesOption, JsonOption, RegistryOption
from provisioning.cli.output import print_report, print_result
from provisioning.cli.registry_access import opened
from provisioning.cli.registry_backup import report_document, report_line
from provisioning.cli.signing_time import IN_RECORDS, warn_of_clock
from provisioning.file_system import paths_in, replace_file
from provisioning.registry import export
from provisioning.registry.chains import Report
from provisioning.registry.errors import RegistryError


def checkpoint(
    registry: RegistryOption,
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="Folder on another machine or a removable disk.")
    ],
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Sign the current end of every chain and write it to a folder elsewhere. Others keep it as proof.

    Example: `firstboot registry checkpoint --registry registry.db --to /media/checkpoints`
    """
    warn_of_clock(IN_RECORDS)
    with opened(registry, files) as source:
        text = source.checkpoint()
        number = json.loads(text)["checkpoint"]["number"]
        to.mkdir(parents=True, exist_ok=True)
        path = to / f"checkpoint-{source.registry_id.hex()[:8]}-{number:06d}.json"
        replace_file(path, text.encode())
        signer = source.signer.key_id.hex()
    rows = [("checkpoint", str(path)), ("signed by", signer)]
    print_result(rows, {"checkpoint": str(path), "number": number, "signed_by": signer}, is_json)


def verify(
    registry: Annotated[
        str | None, typer.Option("--registry", metavar="PLACE", help="The registry to check.")
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option("--ledger", metavar="FILE", help="Exported chains to check instead of a registry."),
    ] = None,
    checkpoint_files: Annotated[
        list[Path] | None,
        typer.Option(
            "--checkpoint", metavar="PATH", help="A checkpoint kept elsewhere: a file, or a folder of them."
        ),
    ] = None,
    keys: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="KEYID", help="Id of a key that may sign (16 hex digits)."),
    ] = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Check a registry: find records that were changed, removed, moved, or signed with an unknown key.

    With a checkpoint that was kept elsewhere it also finds a registry that was set back to an older state.

    Example: `firstboot registry verify --registry registry.db --checkpoint checkpoints --key 0123456789abcdef`
    """
    exported = [path.read_text() for path in _checkpoint_paths(checkpoint_files or [])]
    trusted = [parse_key_id(key) for key in keys or []]
    if (registry is None) == (ledger is None):
        raise RegistryError("give either --registry or --ledger")
    if ledger is not None:
        report = export.verify_chains_json(ledger.read_text(), exported, trusted)
    else:
        with opened(registry or "", files) as source:
            report = source.verify(exported, trusted)
    compared = {"keys_compared": bool(trusted), "checkpoints_compared": len(exported)}
    lines = _lines(report, has_keys=bool(trusted), has_checkpoints=bool(exported))
    print_report(lines, report_document(report) | compared, is_json)


def _checkpoint_paths(given: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in given:
        of_folder = paths_in(path, "*.json") if path.is_dir() else [path]
        if not of_folder:
            raise InputError(f"{path} has no checkpoint.")
        found += of_folder
    return found


def _lines(report: Report, *, has_keys: bool, has_checkpoints: bool) -> list[str]:
    compared = "" if has_keys else " (not compared: no --key)"
    lines = [report_line(report), f"signed by {', '.join(report.signers) or 'no key'}{compared}"]
    if not has_checkpoints:
        lines.append(
            "No checkpoint from elsewhere was compared. A registry that was set back would not be noticed."
        )
    return lines
