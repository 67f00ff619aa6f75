"""Options and arguments that several commands share: one name, one help text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from provisioning.product.public_texts import is_line

LINE_CHARS: Final = 200


def one_line(text: str) -> str:
    """An option's text, which is stored and printed as one line. Raises BadParameter for anything else."""
    if not is_line(text) or len(text) > LINE_CHARS:
        raise typer.BadParameter(
            f"must be one line of at most {LINE_CHARS} characters, without control or direction characters"
        )
    return text


JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
KeysOption = Annotated[Path, typer.Option("--keys", metavar="DIR", help="Folder with the maker's keys.")]
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
    str, typer.Option("--by", metavar="NAME", callback=one_line, help="Your name, for the signed record.")
]
ReasonOption = Annotated[
    str,
    typer.Option("--reason", metavar="TEXT", callback=one_line, help="The reason, for the signed record."),
]
BatchOption = Annotated[str, typer.Option("--batch", help="The batch number.")]
SerialArgument = Annotated[str, typer.Argument(metavar="SERIAL", help="The unit's serial number.")]
ProductOption = Annotated[
    Path, typer.Option("--product", metavar="FILE", help="The product definition (TOML).")
]
