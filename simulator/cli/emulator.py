"""`firstboot emulator`: install the pinned release of Renode."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.commands import CommandGroup
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_result

app = CommandGroup(
    """Install the pinned release of Renode, the second emulator for the same firmware.

QEMU comes from Debian (`sudo apt-get install qemu-system-arm`); Renode is in no package registry.

Example: `firstboot emulator install`
"""
)


@app.callback()
def root() -> None:
    """Common options."""


@app.command("install")
def install_command(
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            metavar="FILE",
            help="Use this archive, downloaded elsewhere, in place of a download.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Download the pinned Renode, check its SHA-256 and unpack it in the cache. It replaces no Renode of yours.

    A machine without internet gets a message with the address; `--file` takes the archive from another machine.

    Example: `firstboot emulator install`
    """
    from renode import install
    from renode.release import VERSION, archive

    chosen = archive()
    if chosen is not None and file is None and install.installed() is None:
        typer.echo(f"downloading {chosen.url}", err=True)
    with typer.progressbar(length=100, label="Renode", file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.update(int(100 * done / total) - bar.pos if total else 0)

        program = install.install(progress, file=file)
    document = {"version": VERSION, "program": str(program), "sha256": chosen.sha256 if chosen else ""}
    print_result([(name, value) for name, value in document.items()], document, is_json)
