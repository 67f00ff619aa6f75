"""Options and arguments that several commands share: one name, one help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.one_line import one_line

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
KeysOption = Annotated[Path, typer.Option("--keys", metavar="DIR", help="Folder with the maker's keys.")]
# The program reads this option before it imports device code (firstboot.__main__).
FirmwareOption = Annotated[
    Path | None,
    typer.Option(
        "--firmware",
        metavar="DIR",
        help="A folder with `device/`: its files replace those of the same name in the firmware.",
        file_okay=False,
        exists=True,
    ),
]
RegistryOption = Annotated[
    str,
    typer.Option(
        "--registry", metavar="PLACE", help="The registry: a SQLite file, or postgresql://HOST/NAME."
    ),
]
MainOption = Annotated[
    str,
    typer.Option(
        "--main", metavar="PLACE", help="The main registry: a SQLite file, or postgresql://HOST/NAME."
    ),
]
FilesOption = Annotated[
    Path | None,
    typer.Option("--files", metavar="DIR", help="Folder of the registry's key files. PostgreSQL needs it."),
]
ArchiveOption = Annotated[
    Path, typer.Option("--archive", metavar="DIR", help="Folder with the issued statements of compliance.")
]
ByOption = Annotated[
    str,
    typer.Option(
        "--by", metavar="NAME", callback=one_line("person"), help="Your name, for the signed record."
    ),
]
ReasonOption = Annotated[
    str,
    typer.Option(
        "--reason", metavar="TEXT", callback=one_line("reason"), help="The reason, for the signed record."
    ),
]
BatchOption = Annotated[str, typer.Option("--batch", callback=one_line("batch"), help="The batch number.")]
SerialArgument = Annotated[
    str, typer.Argument(metavar="SERIAL", callback=one_line("serial"), help="The unit's serial number.")
]
ProductOption = Annotated[
    Path, typer.Option("--product", metavar="FILE", help="The product definition (TOML).")
]
