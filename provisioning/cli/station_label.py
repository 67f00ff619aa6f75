"""`firstboot station label`: print a label again before the unit's lock is verified."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.errors import InputError
from provisioning.cli.options import (
    ByOption,
    FilesOption,
    JsonOption,
    LabelsOption,
    RegistryOption,
    SerialArgument,
)
from provisioning.cli.output import print_report
from provisioning.cli.registry_access import opened
from provisioning.cli.signing_time import IN_RECORDS, warn_of_clock
from provisioning.file_system import PRIVATE, naming
from provisioning.station.label_forms import FORMS
from provisioning.station.reprint import reprint


def label(
    serial: SerialArgument,
    registry: RegistryOption,
    labels: LabelsOption,
    to: Annotated[
        Path,
        typer.Option(
            "--to", metavar="FILE", help="New file for the label (mode 0600). Delete it after printing."
        ),
    ],
    by: ByOption,
    form: Annotated[
        str, typer.Option("--format", metavar="FORM", help=f"One of: {', '.join(FORMS)}.")
    ] = "pdf",
    files: FilesOption = None,
    is_json: JsonOption = False,
) -> None:
    """Print the label of an unfinished unit again. Your name is recorded, because the label shows the set-up code.

    A finished unit gets no second label: rework gives it a new serial number and a new code.

    Example: `firstboot station label FB1-000001 --registry registry.db --labels labels --to again.pdf --by "E.E."`
    """
    warn_of_clock(IN_RECORDS)
    if form not in FORMS:
        raise InputError(f"There is no format {form!r}. Use one of: {', '.join(FORMS)}.")
    with opened(registry, files) as source:
        # The file is opened first: if the print failed after it was recorded, a label would seem to exist.
        descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        is_written = False
        try:
            with naming(to), os.fdopen(descriptor, "wb") as file:
                file.write(reprint(source, labels, serial, form, by=by))
                is_written = True
        finally:
            if not is_written:
                to.unlink(missing_ok=True)
    lines = [f"Wrote {to}. The reprint of {serial} is recorded."]
    print_report(lines, {"serial": serial, "file": str(to), "format": form}, is_json)
