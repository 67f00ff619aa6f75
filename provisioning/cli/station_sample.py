"""`firstboot station sample`: read a finished unit again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.errors import err
from provisioning.cli.station_options import (
    FAILED,
    FilesOption,
    JsonOption,
    LabelsOption,
    RegistryOption,
)
from provisioning.registry.registry import Registry
from provisioning.station.link import FactoryLink
from provisioning.station.ports import open_address
from provisioning.station.sample import Sample, SampleError
from provisioning.station.sample import sample as read_again


def sample(
    port: Annotated[str, typer.Option(help="The unit's factory port, as for provision.")],
    registry: RegistryOption,
    labels: LabelsOption,
    by: Annotated[str, typer.Option("--by", help="Your name: who samples.")],
    files: FilesOption = None,
    as_document: JsonOption = False,
) -> None:
    """Read a finished unit again and keep what came of it; one that fails is quarantined, and its batch waits.

    Exit codes: 0 it is as it left the line; 1 it is not, or it could not be read; 2 wrong input.
    """
    if "://" not in registry and not Path(registry).is_file():
        raise ValueError(f"there is no registry {registry}")
    book = Registry(registry, files=files)
    try:
        stream = open_address(port)
        try:
            found = read_again(FactoryLink(stream, timeout_s=5.0, attempts=4), book, labels, by=by)
        finally:
            stream.close()
    except SampleError as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(FAILED) from None
    finally:
        book.close()
    _say(found, as_document)
    if found.findings:
        raise typer.Exit(FAILED)


def _say(found: Sample, as_document: bool) -> None:
    if as_document:
        typer.echo(json.dumps({"serial": found.serial, "findings": list(found.findings)}))
        return
    for finding in found.findings:
        err.print(f"unit {found.serial}: {finding}; it is in quarantine", style="bold red", markup=False)
    if not found.findings:
        typer.echo(f"unit {found.serial} is as it left the line")
