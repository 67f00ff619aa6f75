"""`firstboot firmware`: build and measure the firmware of the emulated boards and of RP2350 boards."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from firstboot.device_code import merged
from firstboot.locations import own_source_root, source_root
from provisioning.brand.tree import branded
from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import InputError
from provisioning.cli.exit_codes import ExitCode
from provisioning.cli.options import FirmwareOption, JsonOption
from provisioning.cli.output import print_report, print_result
from provisioning.cli.settings import with_settings
from provisioning.file_system import replace_file
from provisioning.firmware import sbom
from provisioning.firmware.build import FirmwareBuild, RomBuild, build, build_rom
from provisioning.firmware.emulated import DEFAULT, EMULATED, canonical
from provisioning.firmware.frozen import VARIANTS
from provisioning.firmware.rebuild import verify
from provisioning.firmware.rp2_sources import Checkouts
from provisioning.firmware.rp2350 import BOARDS, build_rp2350
from provisioning.firmware.sources import source_tree

HELP = """Build and measure the firmware of the emulated boards, their boot ROM, and the firmware of RP2350 boards.

Example: `firstboot firmware build --variant release`
"""

app = CommandGroup(HELP)
_ALL = (*EMULATED, *BOARDS)

RootOption = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="DIR",
        help="The checkout to build. Default: the sources of this installation.",
        file_okay=False,
    ),
]
VariantOption = Annotated[
    str, typer.Option("--variant", metavar="NAME", help=f"One of: {', '.join(VARIANTS)}.")
]
KeyHashOption = Annotated[
    list[str] | None,
    typer.Option(
        "--key-hash",
        metavar="HEX",
        help="SHA-256 of an image key (public, DER). Also builds the boot ROM. Repeat it for up to three keys.",
    ),
]

RomKeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--key-hash",
        metavar="HEX",
        help="SHA-256 of an image key (public, DER): print the bill of its boot ROM. Up to three keys.",
    ),
]
BoardOption = Annotated[str, typer.Option("--board", metavar="NAME", help=f"One of: {', '.join(_ALL)}.")]
MicropythonOption = Annotated[
    Path | None,
    typer.Option(
        "--micropython",
        metavar="DIR",
        help="A MicroPython checkout with its submodules, in place of the pinned sources.",
        exists=True,
        file_okay=False,
    ),
]
Cyw43Option = Annotated[
    Path | None,
    typer.Option(
        "--cyw43",
        metavar="DIR",
        help="A checkout of cyw43-driver, for rp2350w. Its licence: commercial use on Raspberry Pi's chips only.",
        exists=True,
        file_okay=False,
    ),
]


ProductOption = Annotated[
    Path | None,
    typer.Option(
        "--product",
        metavar="FILE",
        help="Product definition. The folder `brand` beside it gives the local pages their look.",
        exists=True,
        dir_okay=False,
    ),
]


@dataclass(frozen=True, kw_only=True)
class BuildSettings:
    """The options of `firmware build`."""

    variant: VariantOption = "release"
    key_hash: KeyHashOption = None
    root: RootOption = None
    changed: FirmwareOption = None
    product: ProductOption = None
    is_json: JsonOption = False
    board: BoardOption = DEFAULT.name
    micropython: MicropythonOption = None
    cyw43: Cyw43Option = None


def _tree(root: Path | None, changed: Path | None, product: Path | None) -> Path:
    """Return the source tree to build. Raises InputError, BrandError."""
    if root is not None and changed is not None:
        raise InputError("Use --root or --firmware, not both.")
    tree = root or (merged(own_source_root(), changed.absolute()) if changed is not None else source_root())
    return branded(tree.absolute(), product)


def _progress(text: str) -> None:
    typer.echo(text, err=True)


@app.command("build")
@with_settings(BuildSettings, "firmware.build")
def build_command(settings: BuildSettings) -> None:
    """Build a firmware variant, and the boot ROM if `--key-hash` is given. Print the files and their digests.

    For an RP2350 the image is not sealed yet: `firstboot rp2350 image` does it.

    Example: `firstboot firmware build --board rp2350 --json`
    """
    board, keys = canonical(settings.board), settings.key_hash
    tree = _tree(settings.root, settings.changed, settings.product)
    if keys:
        _require_rom(board)
    firmware = _built(board, settings.variant, tree, Checkouts(settings.micropython, settings.cyw43))
    rom = build_rom(keys, root=tree, progress=_progress, board=board) if keys else None
    result: dict[str, str | int] = {"variant": settings.variant, "image": str(firmware.image)}
    result |= {"sha256": firmware.sha256, "bytes": firmware.image.stat().st_size}
    if firmware.uf2.exists():
        result |= {"board": board, "uf2": str(firmware.uf2), "elf": str(firmware.elf)}
    result |= {"provenance": str(firmware.provenance), "sbom": str(firmware.sbom)}
    if rom is not None:
        result |= {"rom": str(rom.elf), "rom_sha256": rom.sha256, "rom_bytes": rom.size_bytes}
        result["rom_sbom"] = str(rom.sbom)
    print_result([(name, str(value)) for name, value in result.items()], result, settings.is_json)


def _require_rom(board: str) -> None:
    """Raise InputError for a board without a boot ROM of ours."""
    if board not in EMULATED:
        raise InputError(f"--key-hash is for the boot ROM of {DEFAULT.name}; {board} has its keys in OTP.")


def _require_known(board: str) -> None:
    """Raise InputError for a name of no board. "" is the default."""
    if board not in ("", *_ALL):
        raise InputError(f"There is no board {board!r}. Use one of: {', '.join(_ALL)}.")


def _built(board: str, variant: str, root: Path, checkouts: Checkouts) -> FirmwareBuild:
    """Return the firmware of any board. Raises InputError, FirmwareError."""
    if board in BOARDS:
        return build_rp2350(board, variant, root=root, progress=_progress, checkouts=checkouts)
    _require_known(board)
    if checkouts != Checkouts():
        raise InputError(f"--micropython and --cyw43 are for an RP2350; {board} takes FIRSTBOOT_MICROPYTHON.")
    return build(variant, root=root, progress=_progress, board=board)


@app.command("sources")
def sources_command(root: RootOption = None, is_json: JsonOption = False) -> None:
    """Fetch and unpack the pinned C sources. If something is missing, print what it is.

    Example: `firstboot firmware sources`
    """
    tree = source_tree(root or source_root(), _progress)
    origin = "pinned" if tree.is_pinned else "local checkout"
    document = {"path": str(tree.path), "is_pinned": tree.is_pinned, "content": tree.key}
    print_report([str(tree.path), f"{origin}, content {tree.key}"], document, is_json)


@app.command("size")
def size_command(
    variant: VariantOption = "release",
    root: RootOption = None,
    changed: FirmwareOption = None,
    product: ProductOption = None,
    is_json: JsonOption = False,
    board: BoardOption = DEFAULT.name,
) -> None:
    """Print the size of each part of the firmware in flash, and its static RAM, from the linker's map.

    Example: `firstboot firmware size --board rp2350`
    """
    firmware = _built(canonical(board), variant, _tree(root, changed, product), Checkouts())
    document = {"variant": variant, "sha256": firmware.sha256, "sizes": dict(firmware.sizes)}
    document["ram"] = dict(firmware.ram)
    print_report(size_table(firmware), document, is_json)


@app.command("sbom")
def sbom_command(
    variant: VariantOption = "release",
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Also write the bill to this file.")
    ] = None,
    root: RootOption = None,
    changed: FirmwareOption = None,
    product: ProductOption = None,
    is_json: JsonOption = False,
    board: BoardOption = DEFAULT.name,
    key_hash: RomKeyOption = None,
) -> None:
    """Print the bill of materials of the firmware: every library that the linker put into it, with its licence.

    The build writes it as CycloneDX 1.6 beside the image. The same firmware has the same bill, byte for byte. With
    `--json`, the bill itself is printed. With `--key-hash` it is the bill of the boot ROM that accepts this key.

    Example: `firstboot firmware sbom --to 12.sbom.cdx.json`
    """
    tree, board = _tree(root, changed, product), canonical(board)
    firmware: FirmwareBuild | RomBuild
    if key_hash:
        _require_rom(board)
        firmware = build_rom(key_hash, root=tree, progress=_progress, board=board)
    else:
        firmware = _built(board, variant, tree, Checkouts())
    data = sbom.read_bytes(firmware.sbom)
    document = sbom.parsed(data, str(firmware.sbom))
    if to is not None:
        replace_file(to, data)
    rows = sbom.components_of(document)
    lines = [f"{name:20}{version:22}{license_}" for name, version, license_ in rows]
    what = "boot ROM" if key_hash else "firmware"
    print_report([*lines, f"{what} {firmware.sha256}, bill {firmware.sbom}"], document, is_json)


def _unsealed(image: bytes) -> bytes:
    from provisioning.release.rp2350 import read_image, unsealed

    read_image(image)
    return unsealed(image)


@dataclass(frozen=True, kw_only=True)
class VerifySettings:
    """The options of `firmware verify`."""

    image: Annotated[
        Path,
        typer.Argument(
            metavar="IMAGE", help="A firmware image: raw, signed or sealed.", exists=True, dir_okay=False
        ),
    ]
    record: Annotated[
        Path | None,
        typer.Option(
            "--provenance",
            metavar="FILE",
            help="The image's provenance.json: its inputs are compared with those here.",
            exists=True,
            dir_okay=False,
        ),
    ] = None
    variant: Annotated[
        str,
        typer.Option(
            "--variant", metavar="NAME", help="The variant. Default: the provenance's, else release."
        ),
    ] = ""
    root: RootOption = None
    changed: FirmwareOption = None
    product: ProductOption = None
    is_json: JsonOption = False
    board: Annotated[
        str,
        typer.Option(
            "--board", metavar="NAME", help=f"The board. Default: the provenance's, else {DEFAULT.name}."
        ),
    ] = ""
    micropython: MicropythonOption = None
    cyw43: Cyw43Option = None


@app.command("verify")
@with_settings(VerifySettings, "firmware.verify")
def verify_command(settings: VerifySettings) -> None:
    """Build the firmware again from its pinned sources, in an empty folder, and compare it with an image.

    The exit code is 0 if both have the same bytes, 1 if they differ, 75 if a tool is missing. It takes minutes.

    Example: `firstboot firmware verify firmware.bin --provenance provenance.json`
    """
    board = canonical(settings.board)
    _require_known(board)
    verdict = verify(
        settings.image,
        root=_tree(settings.root, settings.changed, settings.product),
        progress=_progress,
        board=board,
        variant=settings.variant,
        record=settings.record,
        checkouts=Checkouts(settings.micropython, settings.cyw43),
        unseal=_unsealed,
    )
    document = {
        "same": verdict.is_same,
        "board": verdict.board,
        "variant": verdict.variant,
        "image_sha256": verdict.image_sha256,
        "rebuilt_sha256": verdict.rebuilt_sha256,
        "differences": list(verdict.differences),
    }
    lines = [f"image    {verdict.image_sha256}", f"rebuilt  {verdict.rebuilt_sha256}", *verdict.differences]
    print_report([*lines, "same bytes" if verdict.is_same else "DIFFERENT"], document, settings.is_json)
    if not verdict.is_same:
        raise typer.Exit(int(ExitCode.FAILED))


@app.command("copy")
def copy_command(
    name: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A file or folder of `device/`, for example `device/web/texts.py`."
        ),
    ],
    to: Annotated[
        Path,
        typer.Option("--to", metavar="DIR", help="The folder for your changes, made if it does not exist."),
    ],
    is_json: JsonOption = False,
) -> None:
    """Copy a file of the device code into your project, to change it. Existing files are not overwritten.

    `--firmware DIR` and the pytest option `--firstboot-firmware DIR` then use the changed file.

    Example: `firstboot firmware copy device/web/texts.py --to firmware`
    """
    root = own_source_root().resolve()
    source = (root / name).resolve()
    if not source.is_relative_to(root / "device") or not source.exists():
        raise InputError(f"{name!r} is not a file or folder of `device/`.")
    copies = []
    for file in [source] if source.is_file() else sorted(source.rglob("*")):
        if not file.is_file() or "__pycache__" in file.parts:
            continue
        copy = to / file.relative_to(root)
        if copy.exists():
            raise InputError(f"{copy} exists already. Remove it first.")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        copies.append(str(copy))
    print_report(copies, {"files": copies}, is_json)


def size_table(firmware: FirmwareBuild) -> list[str]:
    """Return the sizes of a build as lines of text, flash and then RAM, largest part first, each with the total."""
    lines = []
    for where, parts in (("flash", firmware.sizes), ("static RAM", firmware.ram)):
        rows = sorted(parts.items(), key=lambda row: -row[1])
        rows.append((f"total {where}", sum(parts.values())))
        lines += [f"{size:9,d}  {part}" for part, size in rows]
    return lines
