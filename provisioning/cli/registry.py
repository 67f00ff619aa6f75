"""`firstboot registry`: checkpoints and checks, branches, backups, exports, revocation."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import err
from provisioning.cli.registry_options import (
    BROKEN,
    Batch,
    By,
    Files,
    MainPlace,
    Place,
    Reason,
    Serial,
    opened,
)
from provisioning.cli.registry_sync import add_to as add_sync_commands
from provisioning.registry import backup as backups
from provisioning.registry import branches, decisions, export
from provisioning.registry.chains import Report
from provisioning.registry.errors import RegistryError
from provisioning.registry.registry import Registry
from provisioning.registry.sealed import ServerPrivateKey
from provisioning.servers.oscore_store import OscoreStore

HELP = """Look after registries: checkpoints and checks, stations that work offline, backups, exports, revocation.

A registry is a SQLite file, or postgresql://HOST/NAME with --files for its key files (the password belongs into
~/.pgpass or PGPASSWORD, never into the address).

Exit codes: 0 done and whole; 1 something does not hold (each problem is said); 2 the command line was wrong, or the
registry cannot be used.
"""

app = CommandGroup(HELP)


def _whole(report: Report) -> str:
    chains = ", ".join(f"{name} {count}" for name, count in report.chains.items()) or "none"
    decided = f", {report.decisions} decisions" if report.decisions else ""
    return f"whole: {report.records} production records{decided} (chains: {chains}), {report.checkpoints} checkpoints"


def _write(path: Path | None, data: str | bytes) -> None:
    if path is not None:
        draft = path.with_name(
            f".{path.name}.new"
        )  # a broker that reads it meanwhile sees the old file or the new one
        draft.write_bytes(data.encode() if isinstance(data, str) else data)
        os.replace(draft, path)
        typer.echo(f"wrote {path}")
    elif isinstance(data, str):
        sys.stdout.write(data if data.endswith("\n") else data + "\n")
    else:
        raise RegistryError("this format needs --to FILE")


@app.command()
def init(registry: Place, files: Files = None) -> None:
    """Create a registry. No other command creates one, so a mistyped name is an error and not a second registry."""
    created = Registry.create(registry, files=files)
    created.close()
    typer.echo(
        f"created the registry {registry}; its key is {created.database.location.key_path}: back up both"
    )


@app.command()
def checkpoint(
    registry: Place, to: Annotated[Path, typer.Option("--to", help="Folder.")], files: Files = None
) -> None:
    """Sign where every chain stands and write it into a folder elsewhere: a checkpoint that others keep."""
    with opened(registry, files) as book:
        text = book.checkpoint()
        number = json.loads(text)["checkpoint"]["number"]
        to.mkdir(parents=True, exist_ok=True)
        path = to / f"checkpoint-{book.registry_id.hex()[:8]}-{number:06d}.json"
        path.write_text(text)
    typer.echo(f"wrote {path}; signed by {book.signer.key_id.hex()}")


@app.command()
def verify(
    registry: Annotated[str | None, typer.Option("--registry", help="A registry to check.")] = None,
    ledger: Annotated[Path | None, typer.Option(help="An exported ledger to check instead.")] = None,
    checkpoint_files: Annotated[
        list[Path] | None,
        typer.Option("--checkpoint", help="A checkpoint kept elsewhere; a file or a folder."),
    ] = None,
    keys: Annotated[
        list[str] | None,
        typer.Option("--key", help="Key id (16 hex digits) that may sign; others are refused."),
    ] = None,
    files: Files = None,
) -> None:
    """Find records that were changed, dropped, moved or signed by a stranger, and registries that went back in time."""
    exported = [path.read_text() for path in _checkpoint_paths(checkpoint_files or [])]
    try:
        trusted = [bytes.fromhex(key) for key in keys or []]
    except ValueError:
        raise RegistryError("a key id is 16 hex digits") from None
    if (registry is None) == (ledger is None):
        raise RegistryError("name either --registry or --ledger")
    if ledger is not None:
        report = export.verify_chains_json(ledger.read_text(), exported, trusted)
    else:
        with opened(registry or "", files) as book:
            report = book.verify(exported, trusted)
    typer.echo(_whole(report))
    typer.echo(
        f"signed by {', '.join(report.signers) or 'nobody'}"
        + ("" if trusted else " (not compared: no --key)")
    )
    if not exported:
        typer.echo(
            "no checkpoint from elsewhere was compared: what its owner took back since the last one is not seen"
        )


def _checkpoint_paths(given: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in given:
        found += sorted(path.glob("*.json")) if path.is_dir() else [path]
    return found


@app.command()
def join(
    main: MainPlace,
    branch: Annotated[Path, typer.Option(help="The branch's new SQLite file.")],
    name: Annotated[str, typer.Option(help="The branch's name, like the station's.")],
    files: Files = None,
) -> None:
    """Make a branch: a registry for a station that goes on without the main one."""
    with opened(main, files) as book:
        branches.join(book, branch, name).close()
    typer.echo(f"{branch} is branch {name}; it needs numbers: firstboot registry lease")


@app.command()
def sync(
    main: MainPlace,
    branch: Annotated[str, typer.Option(help="The branch's file.")],
    files: Files = None,
) -> None:
    """Bring a branch together with the main registry; what must not be quarantines units and is said."""
    with opened(main, files) as book, opened(branch, None) as other:
        report = branches.sync(book, other)
    typer.echo(f"{report.units} new units, {report.records} new production records")
    for incident in report.incidents:
        err.print(incident, style="bold red", markup=False)
    if report.incidents:
        raise typer.Exit(BROKEN)


@app.command("close-batch")
def close_batch(registry: Place, batch: Batch, files: Files = None) -> None:
    """Close a batch for good: no unit is begun in it any more, its number is not used again (PR-06)."""
    with opened(registry, files) as book:
        book.close_batch(batch)
    typer.echo(f"batch {batch} is closed")


@app.command("ship-batch")
def ship_batch(registry: Place, batch: Batch, files: Files = None) -> None:
    """Let a batch go, or say in one sentence each why not."""
    with opened(registry, files) as book:
        problems = branches.ship_problems(book, batch)
        for problem in problems:
            err.print(problem, style="red", markup=False)
        if problems:
            raise typer.Exit(BROKEN)
        branches.ship_batch(book, batch)
    typer.echo(f"batch {batch} has shipped")


@app.command()
def incidents(registry: Place, files: Files = None) -> None:
    """List what must not be and nobody settled yet."""
    with opened(registry, files) as book:
        found = branches.incidents(book)
    for incident in found:
        typer.echo(f"{incident.id}  batch {incident.batch or '-'}  {incident.kind}: {incident.text}")
    if found:
        raise typer.Exit(BROKEN)
    typer.echo("no open incident")


@app.command("decisions")
def decisions_(
    registry: Place,
    as_document: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    files: Files = None,
) -> None:
    """List what persons and checks decided: who, what, why, when; each line is a signed record."""
    with opened(registry, files) as book:
        found = decisions.decisions(book)
    if as_document:
        typer.echo(json.dumps([{**each.facts, "chain": each.chain, "number": each.number} for each in found]))
        return
    for each in found:
        when = dt.datetime.fromtimestamp(each.time_s, dt.UTC).isoformat(timespec="seconds")
        subject = each.facts.get("serial") or f"batch {each.facts.get('batch')}"
        typer.echo(f"{when}  {each.kind:12}{subject}  {_why(each)}")


def _why(decision: decisions.Decision) -> str:
    if decision.kind == decisions.CHECK_BATCH:
        return f"{len(decision.facts['codes'])} codes, {len(decision.facts['findings'])} findings"
    return f"{decision.facts['by']}: {decision.facts['reason']}"


@app.command()
def settle(
    number: Annotated[int, typer.Argument(help="The incident's number.")],
    registry: Place,
    by: By,
    reason: Reason,
    files: Files = None,
) -> None:
    """Note who settled an incident, and how."""
    with opened(registry, files) as book:
        branches.settle(book, number, by=by, reason=reason)
    typer.echo(f"incident {number} is settled")


@app.command()
def withdraw(serial: Serial, registry: Place, by: By, reason: Reason, files: Files = None) -> None:
    """Withdraw a unit: it loses its access to the servers with the next export."""
    with opened(registry, files) as book:
        unit = book.withdraw(serial, by=by, reason=reason)
    typer.echo(f"unit {serial} ({unit.device_id.hex()}) is withdrawn; export to broker and CoAP server now")


@app.command("export")
def export_(
    what: Annotated[str, typer.Argument(help="csv, json, parquet, ledger, acl or secrets.")],
    registry: Place,
    to: Annotated[Path | None, typer.Option("--to", help="File; left out: standard output.")] = None,
    batch: Annotated[str | None, typer.Option(help="Units of one batch only (csv, json, parquet).")] = None,
    class_ids: Annotated[list[str] | None, typer.Option("--class", help="Class id in hex (acl).")] = None,
    files: Files = None,
) -> None:
    """Write units, the ledger, the broker's rights (acl) or the CoAP server's sealed secrets."""
    with opened(registry, files) as book:
        makers: dict[str, Callable[[], str | bytes]] = {
            "csv": lambda: export.units_csv(book, batch),
            "json": lambda: export.units_json(book, batch),
            "parquet": lambda: export.units_parquet(book, batch),
            "ledger": lambda: export.chains_json(book),
            "acl": lambda: export.broker_acl(book, _class_ids(class_ids)),
            "secrets": lambda: export.sealed_json(book),
        }
        if what not in makers:
            raise RegistryError(f"there is no export {what!r}; there are {', '.join(makers)}")
        _write(to, makers[what]())


def _class_ids(texts: list[str] | None) -> list[bytes]:
    try:
        found = [bytes.fromhex(text.replace("-", "")) for text in texts or []]
    except ValueError:
        found = []
    if not found or any(len(class_id) != 16 for class_id in found):
        raise RegistryError("the acl needs --class with a class id of 32 hex digits, at least once")
    return found


@app.command("import-secrets")
def import_secrets(
    secrets_file: Annotated[Path, typer.Argument(help="What `firstboot registry export secrets` wrote.")],
    key: Annotated[Path, typer.Option(help="The server's private key.")],
    store: Annotated[Path, typer.Option(help="The CoAP server's credential store (a folder).")],
) -> None:
    """On the CoAP server: open sealed secrets into its store, and remove units whose access ended."""
    try:
        private = ServerPrivateKey.load(key)
    except ValueError:
        raise RegistryError(f"{key.name} holds no P-256 private key") from None
    added, removed = export.import_sealed(secrets_file.read_text(), private, OscoreStore(store))
    typer.echo(f"{added} units served, {removed} removed")


@app.command()
def backup(
    registry: Place, to: Annotated[Path, typer.Option("--to", help="New folder.")], files: Files = None
) -> None:
    """Copy the registry while stations work, restore the copy aside and check it."""
    with opened(registry, files) as book:
        made = backups.backup(book, to)
    typer.echo(f"{made.folder}: {_whole(made.report)}")


@app.command("check-backup")
def check_backup(folder: Annotated[Path, typer.Argument(help="A backup.")]) -> None:
    """Restore a backup into a temporary registry and check it against its checkpoint."""
    typer.echo(_whole(backups.drill(folder)))


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="A backup.")],
    registry: Annotated[Path, typer.Option()],
    by: By,
) -> None:
    """Put a backup into service. Serial numbers are skipped, chains begin anew, open batches wait for a person."""
    report = backups.restore(folder, registry, by=by)
    typer.echo(f"{registry}: {_whole(report)}")
    typer.echo("sync the branches, count the units made since the backup, then: firstboot registry settle")


add_sync_commands(app)

for old, new in (
    ("station-key", "firstboot keys assign-station"),
    ("server-key", "firstboot keys generate server"),
    ("revoke", "firstboot registry withdraw"),
    ("drill", "firstboot registry check-backup"),
    ("release-batch", "firstboot registry ship-batch"),
):
    app.moved(old, new)
