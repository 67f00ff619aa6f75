"""`firstboot record`: record an update of an emulated unit in one file, which replays every instruction of it."""

from __future__ import annotations

import shutil
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.errors import InputError
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_json, print_line


class On(StrEnum):
    """The emulators that can record."""

    qemu = "qemu"


class Transport(StrEnum):
    """The protocol that carries the update."""

    mqtt = "mqtt"
    coap = "coap"


def record(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The recording; it must not exist.")],
    transport: Annotated[Transport, typer.Option(help="Protocol of the update.")] = Transport.mqtt,
    on: Annotated[On, typer.Option(help="The emulator.")] = On.qemu,
    app: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of your application; the release contains it.")
    ] = None,
    product: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Your product definition, in place of the example.")
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Record a whole update of an emulated unit: power-on, transfer, restart, trial, confirmation.

    A unit is provisioned and set up, then the recording begins. FILE contains everything that the unit received and
    when, its flash at the start, boot ROM, power-on seed and the emulator's version. `firstboot replay FILE` needs
    nothing else. The last line is the fingerprint: the SHA-256 over everything that the unit sent and over its flash
    at the end.

    FILE contains the unit's keys. Use it for test units only.

    Example: `firstboot record update.recording --transport coap`
    """
    from renode import recording
    from simulator.story.inputs import Inputs
    from simulator.story.update_run import record_update

    if file.exists():
        raise InputError(f"{file} exists. Name a new file.")
    directory = Path(tempfile.mkdtemp(prefix="firstboot-record-"))
    try:
        inputs = Inputs(product=product, app=app)
        made = record_update(directory, transport.value, lambda text: typer.echo(text, err=True), inputs)
        recording.save(made, file)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if is_json:
        print_json(recording.summary(made))
        return
    print_line(f"{file}: {made.title}")
    print_line(f"fingerprint: {made.fingerprint}")
