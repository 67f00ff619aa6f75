"""`firstboot registry`: check, back up, export and sync the records of production."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import RefusedError
from provisioning.cli.options import (
    BatchOption,
    ByOption,
    FilesOption,
    JsonOption,
    ReasonOption,
    RegistryOption,
    SerialArgument,
)
from provisioning.cli.output import print_json, print_line, print_result
from provisioning.cli.registry_access import opened
from provisioning.cli.registry_backup import backup, check_backup, report_document, report_line, restore
from provisioning.cli.registry_export import export_command, import_secrets
from provisioning.cli.registry_sync import export_sync, finish_sync, import_sync, join, lease, sync
from provisioning.registry import branches, decisions, export
from provisioning.registry.errors import RegistryError
from provisioning.registry.registry import Registry

HELP = """Check, back up, export and sync the records of production.

A registry is a SQLite file, or `postgresql://HOST/NAME` with `--files` for its key files. Put the database password
into `~/.pgpass` or `PGPASSWORD`, never into the address.

Example: `firstboot registry verify --registry registry.db --checkpoint checkpoints`
"""

app = CommandGroup(HELP)


@app.command()
def init(registry: RegistryOption, files: FilesOption = None) -> None:
    """Create a registry. No other command creates one, so a mistyped name is an error and not a second registry.

    Example: `firstboot registry init --registry registry.db`
    """
    created = Registry.create(registry, files=files)
    created.close()
    print_line(
        f"Created the registry {registry}. Its key is {created.database.location.key_path}: back up both."
    )


@app.command()
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
    with opened(registry, files) as source:
        text = source.checkpoint()
        number = json.loads(text)["checkpoint"]["number"]
        to.mkdir(parents=True, exist_ok=True)
        path = to / f"checkpoint-{source.registry_id.hex()[:8]}-{number:06d}.json"
        path.write_text(text)
        signer = source.signer.key_id.hex()
    lines = [("checkpoint", str(path)), ("signed by", signer)]
    print_result(lines, {"checkpoint": str(path), "number": number, "signed_by": signer}, is_json)


@app.command()
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
        typer.Option("--key", metavar="KEYID", help="Key that may sign (16 hex digits). Others are refused."),
    ] = None,
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Check a registry: find records that were changed, removed, moved, or signed with an unknown key.

    With a checkpoint that was kept elsewhere it also finds a registry that was set back to an older state.

    Example: `firstboot registry verify --registry registry.db --checkpoint checkpoints --key 0123456789abcdef`
    """
    exported = [path.read_text() for path in _checkpoint_paths(checkpoint_files or [])]
    try:
        trusted = [bytes.fromhex(key) for key in keys or []]
    except ValueError:
        raise RegistryError("a key id is 16 hex digits") from None
    if (registry is None) == (ledger is None):
        raise RegistryError("give either --registry or --ledger")
    if ledger is not None:
        report = export.verify_chains_json(ledger.read_text(), exported, trusted)
    else:
        with opened(registry or "", files) as source:
            report = source.verify(exported, trusted)
    if is_json:
        compared = {"keys_compared": bool(trusted), "checkpoints_compared": len(exported)}
        print_json(report_document(report) | compared)
        return
    print_line(report_line(report))
    print_line(
        f"signed by {', '.join(report.signers) or 'no key'}"
        + ("" if trusted else " (not compared: no --key)")
    )
    if not exported:
        print_line(
            "No checkpoint from elsewhere was compared. A registry that was set back would not be noticed."
        )


def _checkpoint_paths(given: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in given:
        found += sorted(path.glob("*.json")) if path.is_dir() else [path]
    return found


app.command()(join)
app.command()(sync)


@app.command("close-batch")
def close_batch(registry: RegistryOption, batch: BatchOption, files: FilesOption = None) -> None:
    """Close a batch for good: no new unit starts in it, and its number is not used again (PR-06).

    Example: `firstboot registry close-batch --registry registry.db --batch B1`
    """
    with opened(registry, files) as source:
        source.close_batch(batch)
    print_line(f"batch {batch} is closed")


@app.command("ship-batch")
def ship_batch(registry: RegistryOption, batch: BatchOption, files: FilesOption = None) -> None:
    """Mark a batch as shipped, or print every reason against it.

    Example: `firstboot registry ship-batch --registry registry.db --batch B1`
    """
    with opened(registry, files) as source:
        problems = branches.ship_problems(source, batch)
        if problems:
            raise RefusedError(problems)
        branches.ship_batch(source, batch)
    print_line(f"batch {batch} has shipped")


@app.command()
def incidents(registry: RegistryOption, files: FilesOption = None, is_json: JsonOption = False) -> None:
    """List unresolved incidents. Ends with exit code 1 if there are any.

    Example: `firstboot registry incidents --registry registry.db`
    """
    with opened(registry, files) as source:
        found = branches.incidents(source)
    if is_json:
        print_json([{"id": one.id, "batch": one.batch, "kind": one.kind, "text": one.text} for one in found])
    else:
        for one in found:
            print_line(f"{one.id}  batch {one.batch or '-'}  {one.kind}: {one.text}")
    if found:
        raise RefusedError([f"{len(found)} unresolved. Next: `firstboot registry settle NUMBER`"])
    if not is_json:
        print_line("no open incident")


@app.command("decisions")
def decisions_command(
    registry: RegistryOption, is_json: JsonOption = False, files: FilesOption = None
) -> None:
    """List what people and checks decided: who, what, why and when. Each line is a signed record.

    Example: `firstboot registry decisions --registry registry.db --json`
    """
    with opened(registry, files) as source:
        found = decisions.decisions(source)
    if is_json:
        print_json([{**each.facts, "chain": each.chain, "number": each.number} for each in found])
        return
    for each in found:
        when = dt.datetime.fromtimestamp(each.time_s, dt.UTC).isoformat(timespec="seconds")
        subject = each.facts.get("serial") or f"batch {each.facts.get('batch')}"
        print_line(f"{when}  {each.kind:12}{subject}  {_reason(each)}")


def _reason(decision: decisions.Decision) -> str:
    if decision.kind == decisions.CHECK_BATCH:
        return f"{len(decision.facts['codes'])} codes, {len(decision.facts['findings'])} findings"
    return f"{decision.facts['by']}: {decision.facts['reason']}"


@app.command()
def settle(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="The incident's number.")],
    registry: RegistryOption,
    by: ByOption,
    reason: ReasonOption,
    files: FilesOption = None,
) -> None:
    """Record who resolved an incident, and how.

    Example: `firstboot registry settle 3 --registry registry.db --by "E. Example" --reason "label destroyed"`
    """
    with opened(registry, files) as source:
        branches.settle(source, number, by=by, reason=reason)
    print_line(f"incident {number} is settled")


@app.command()
def withdraw(
    serial: SerialArgument,
    registry: RegistryOption,
    by: ByOption,
    reason: ReasonOption,
    files: FilesOption = None,
) -> None:
    """Withdraw a unit: it loses its access to the servers. Export to the broker and the CoAP server afterwards.

    Example: `firstboot registry withdraw FB1-000001 --registry registry.db --by "E. Example" --reason stolen`
    """
    with opened(registry, files) as source:
        unit = source.withdraw(serial, by=by, reason=reason)
    print_line(f"unit {serial} ({unit.device_id.hex()}) is withdrawn")
    print_line(
        "Next: `firstboot registry export acl` for the broker and `export secrets` for the CoAP server"
    )


app.command("export")(export_command)
app.command("import-secrets")(import_secrets)
app.command()(backup)
app.command("check-backup")(check_backup)
app.command()(restore)
app.command()(lease)
app.command("export-sync")(export_sync)
app.command("import-sync")(import_sync)
app.command("finish-sync")(finish_sync)

for old, new in (
    ("station-key", "firstboot keys assign-station"),
    ("server-key", "firstboot keys generate server"),
    ("revoke", "firstboot registry withdraw"),
    ("drill", "firstboot registry check-backup"),
    ("release-batch", "firstboot registry ship-batch"),
):
    app.moved(old, new)
