"""`firstboot firmware`: build, look at, and measure the firmware of the emulated board."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.commands import CommandGroup
from provisioning.firmware.build import FirmwareBuild, build, build_rom
from provisioning.firmware.errors import FirmwareError
from provisioning.firmware.frozen import VARIANTS
from provisioning.firmware.sources import source_tree

app = CommandGroup("Build the firmware and the boot ROM of the emulated board.")

Root = Annotated[Path, typer.Option("--root", help="The checkout to build.", file_okay=False)]
VariantName = Annotated[str, typer.Option("--variant", help=f"One of: {', '.join(VARIANTS)}.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable output.")]
KeyHash = Annotated[
    list[str] | None,
    typer.Option(
        "--key-hash", help="SHA-256 (hex) of a DER image public key; up to three, builds the ROM too."
    ),
]
HERE = Path(__file__).resolve().parents[2]


def _progress(text: str) -> None:
    typer.echo(text, err=True)


def _fail(error: FirmwareError) -> typer.Exit:
    typer.echo(f"firmware: {error}", err=True)
    return typer.Exit(1)


@app.command("build")
def build_command(
    variant: VariantName = "release", key_hash: KeyHash = None, root: Root = HERE, as_json: AsJson = False
) -> None:
    """Build a firmware variant, with --key-hash the boot ROM too, and print what came out."""
    try:
        firmware = build(variant, root=root, progress=_progress)
        rom = build_rom(key_hash, root=root, progress=_progress) if key_hash else None
    except FirmwareError as error:
        raise _fail(error) from None
    result = {"variant": variant, "image": str(firmware.image), "sha256": firmware.sha256}
    result["bytes"] = str(firmware.image.stat().st_size)
    if rom is not None:
        result |= {"rom": str(rom.elf), "rom_sha256": rom.sha256, "rom_bytes": str(rom.size_bytes)}
    if as_json:
        json.dump(result, sys.stdout, indent=1)
        typer.echo()
        return
    for name, value in result.items():
        typer.echo(f"{name:10} {value}")


@app.command("sources")
def sources_command(root: Root = HERE) -> None:
    """Fetch and unpack the pinned C sources, or say what is missing."""
    try:
        tree = source_tree(root, _progress)
    except FirmwareError as error:
        raise _fail(error) from None
    typer.echo(f"{tree.path}\n{'pinned' if tree.is_pinned else 'local checkout'}, content {tree.key}")


@app.command("size")
def size_command(variant: VariantName = "release", root: Root = HERE, as_json: AsJson = False) -> None:
    """Print how many bytes each part of the firmware takes, from the linker's map."""
    try:
        firmware = build(variant, root=root, progress=_progress)
    except FirmwareError as error:
        raise _fail(error) from None
    if as_json:
        json.dump(
            {"variant": variant, "sha256": firmware.sha256, "sizes": dict(firmware.sizes)},
            sys.stdout,
            indent=1,
        )
        typer.echo()
        return
    typer.echo(size_table(firmware))


def size_table(firmware: FirmwareBuild) -> str:
    """The sizes of a build as lines of text, largest part first, with the total."""
    rows = sorted(firmware.sizes.items(), key=lambda row: -row[1])
    rows.append(("total", sum(firmware.sizes.values())))
    return "\n".join(f"{size:9,d}  {part}" for part, size in rows)
