"""`firstboot nvm`: show the content of a unit's flash image, with its secrets redacted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import InputError, RefusedError
from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_report

if TYPE_CHECKING:
    from simulator.ports.nvm_image import Entry, NvmImage

app = CommandGroup(
    """Show the content of a unit's flash image, with its secrets redacted.

Example: `firstboot nvm ls unit/board/nvm.bin`
"""
)

ImageArgument = Annotated[
    Path, typer.Argument(metavar="IMAGE", help="Flash image of a board or of the simulator.")
]
RevealOption = Annotated[
    bool, typer.Option("--reveal", help="Print secrets too. Use it for test units only.")
]


def _open(path: Path) -> NvmImage:
    from simulator.ports.nvm_image import NvmImage

    return NvmImage(path)


def _shown(entry: Entry) -> str:
    from simulator.ports.nvm_image import is_secret

    return f"{entry.detail}; secret" if is_secret(entry) else entry.detail


@app.command("ls")
def ls_command(image: ImageArgument, is_json: JsonOption = False) -> None:
    """List slots, marks and records: name, size in bytes, state. Prints no content.

    Example: `firstboot nvm ls unit/board/nvm.bin`
    """
    entries = _open(image).entries()
    document = [{"name": one.name, "bytes": one.size, "state": _shown(one)} for one in entries]
    print_report([f"{one.name:24} {one.size:8}  {_shown(one)}" for one in entries], document, is_json)


@app.command("cat")
def cat_command(
    image: ImageArgument,
    name: Annotated[
        str, typer.Argument(metavar="RECORD", help="As `ls` prints it, for example device/identity.")
    ],
    reveal: RevealOption = False,
    is_json: JsonOption = False,
) -> None:
    """Print one record: its CBOR in diagnostic notation, or hexadecimal. A secret record needs `--reveal`.

    Example: `firstboot nvm cat unit/board/nvm.bin device/identity`
    """
    from simulator.ports.nvm_image import is_secret

    entry = _open(image).find(name)
    if entry is None or "/" not in name:
        raise InputError(f"There is no record {name!r} in {image}. `firstboot nvm ls {image}` lists them.")
    if is_secret(entry) and not reveal:
        raise RefusedError(
            [f"{name}: {entry.size} bytes, secret. `--reveal` prints it; use it for test units only."]
        )
    text = _text(entry.data)
    print_report([text], {"name": name, "bytes": entry.size, "content": text}, is_json)


def _text(data: bytes) -> str:
    from device.codec import cbor
    from device.errors import FirstbootError
    from provisioning.release.diagnostic import notation

    try:
        return notation(cbor.decode(data, len(data)))
    except FirstbootError:
        return data.hex()


@app.command("diff")
def diff_command(before: ImageArgument, after: ImageArgument, is_json: JsonOption = False) -> None:
    """Print what differs between two images. Exit code 1 if any byte does. Prints no content.

    `+` an entry was added, `-` removed, `~` changed; `*` bytes of a region differ.

    Example: `firstboot nvm diff before.bin after.bin`
    """
    from simulator.ports.nvm_image import differences

    lines = differences(_open(before), _open(after))
    print_report(lines, {"is_same": not lines, "differences": lines}, is_json)
    if lines:
        raise typer.Exit(int(ExitCode.FAILED))
