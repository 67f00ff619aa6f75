"""`firstboot station label`: a second print of a label, before the unit's lock is proved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.errors import err
from provisioning.cli.station_options import FilesOption, LabelsOption, RegistryOption
from provisioning.registry.registry import Registry
from provisioning.station.label_forms import FORMS
from provisioning.station.reprint import ReprintError, reprint

REFUSED = 1


def label(
    serial: Annotated[str, typer.Argument(help="The unit's serial number.")],
    registry: RegistryOption,
    labels: LabelsOption,
    to: Annotated[
        Path, typer.Option("--to", help="Where the label goes, mode 0600; delete it once printed.")
    ],
    by: Annotated[str, typer.Option("--by", help="Your name: who printed it again.")],
    form: Annotated[str, typer.Option("--format", help=f"One of: {', '.join(FORMS)}.")] = "pdf",
    files: FilesOption = None,
) -> None:
    """Print the label of a unit again while it is not finished; noted with your name. It shows the set-up code.

    Exit codes: 0 written; 1 there is no second label of this unit (the reason is said); 2 wrong input.
    """
    if form not in FORMS:
        raise ValueError(f"no form {form!r}; there are {', '.join(FORMS)}")
    if "://" not in registry and not Path(registry).is_file():
        raise ValueError(f"there is no registry {registry}")
    # Opened first: a print that is noted and lands nowhere would look like one that somebody has.
    descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    is_written = False
    try:
        with os.fdopen(descriptor, "wb") as file:
            book = Registry(registry, files=files)
            try:
                file.write(reprint(book, labels, serial, form, by=by))
                is_written = True
            finally:
                book.close()
    except ReprintError as error:
        err.print(str(error), style="red", markup=False)
        raise typer.Exit(REFUSED) from None
    finally:
        if not is_written:
            to.unlink(missing_ok=True)
    typer.echo(f"wrote {to}; the reprint of {serial} is noted")
