"""`firstboot registry export-sync`, `import-sync`, `finish-sync`: a sync by files that somebody carries."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.errors import err
from provisioning.cli.registry_options import BROKEN, Files, MainPlace, Place, opened
from provisioning.registry import branches, sync_file
from provisioning.registry.errors import RegistryError

Key = Annotated[
    str | None,
    typer.Option("--key", help="Id (16 hex digits) of the other side's key; the first time, once compared."),
]


def _key(text: str | None) -> bytes | None:
    try:
        found = None if text is None else bytes.fromhex(text)
    except ValueError:
        found = b""
    if found is not None and len(found) != 8:
        raise RegistryError("a key id is 16 hex digits")
    return found


def _read(path: Path) -> str:
    if path.stat().st_size > sync_file.LARGEST_BYTES:
        raise RegistryError(f"{path.name} is larger than {sync_file.LARGEST_BYTES >> 20} MiB")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise RegistryError(f"{path.name} is no bundle of a registry") from None


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def _free(path: Path) -> None:
    if path.exists():
        raise RegistryError(f"{path} is there already; nothing is replaced")


def export_sync(
    registry: Place,
    to: Annotated[Path, typer.Option("--to", help="New file, to be carried to the main registry.")],
) -> None:
    """At a station without a path to the main registry: write everything for it into one signed file."""
    with opened(registry, None) as book:
        _free(to)
        _write(to, sync_file.export(book))
        signer = book.signer.key_id.hex()
    typer.echo(f"wrote {to}, signed by {signer}; then, at the main registry: firstboot registry import-sync")


def import_sync(
    file: Annotated[Path, typer.Argument(help="What export-sync wrote.")],
    main: MainPlace,
    answer: Annotated[Path, typer.Option(help="New file, to be carried back to the station.")],
    key: Key = None,
    files: Files = None,
) -> None:
    """At the main registry: take a station's file in, as `sync` would, and write the answer for it."""
    with opened(main, files) as book:
        _free(answer)
        report, text = sync_file.take_in(book, _read(file), _key(key))
        _write(answer, text)
        signer = book.signer.key_id.hex()
    typer.echo(f"{report.units} new units, {report.records} new production records")
    typer.echo(f"wrote {answer}, signed by {signer}; then, at the station: firstboot registry finish-sync")
    for incident in report.incidents:
        err.print(incident, style="bold red", markup=False)
    if report.incidents:
        raise typer.Exit(BROKEN)


def finish_sync(
    file: Annotated[Path, typer.Argument(help="The answer that import-sync wrote.")],
    registry: Place,
    key: Key = None,
) -> None:
    """At the station: stop the units that the main registry stopped, take the numbers that it leased."""
    with opened(registry, None) as book:
        stopped, ranges = sync_file.finish(book, _read(file), _key(key))
    typer.echo(f"{stopped} units are stopped, {ranges} new ranges of serial numbers")


def lease(
    main: MainPlace,
    prefix: Annotated[str, typer.Option(help="Prefix of the serial numbers.")],
    count: Annotated[int, typer.Option(help="How many numbers.")],
    branch: Annotated[str | None, typer.Option(help="The branch's file, where it is at hand.")] = None,
    name: Annotated[
        str | None, typer.Option("--for", help="The branch's name: the numbers travel with its next answer.")
    ] = None,
    batch: Annotated[
        str | None, typer.Option(help="The batch they are for: its definition comes along.")
    ] = None,
    files: Files = None,
) -> None:
    """Lease a range of serial numbers to a branch."""
    if (branch is None) == (name is None):
        raise RegistryError("name the branch: either --branch FILE or --for NAME")
    with opened(main, files) as book:
        if branch is None:
            first, last = branches.lease_by_name(book, name or "", prefix, count, batch)
        else:
            with opened(branch, None) as other:
                first, last = branches.lease(book, other, prefix, count, batch)
    typer.echo(f"numbers {prefix}{first:06d} to {prefix}{last:06d} are the branch's alone")


def add_to(app: typer.Typer) -> None:
    """Add these commands to `firstboot registry`."""
    app.command()(lease)
    app.command("export-sync")(export_sync)
    app.command("import-sync")(import_sync)
    app.command("finish-sync")(finish_sync)
