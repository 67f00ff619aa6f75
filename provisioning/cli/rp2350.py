"""`firstboot rp2350`: sign images, the partition table and the OTP plan of a board with an RP2350."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from firstboot.locations import source_root
from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import InputError
from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_result
from provisioning.file_system import replace_file
from provisioning.firmware.uf2 import uf2
from provisioning.release import rp2350

HELP = """Sign what the boot ROM of an RP2350 reads: images, the partition table, and the hashes of image keys.

A key is made with `openssl ecparam -name secp256k1 -genkey -noout -out image.pem`. The results are those of picotool.
Nothing here was tried on a chip (`docs/how-to/rp2350.md`).

Example: `firstboot rp2350 image firmware.bin --key image.pem --version 1.2.0+12 --security-counter 1 --out 12.img`
"""

app = CommandGroup(HELP)

KeyOption = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="Image key: private key on secp256k1 (PEM).")
]


@app.command("image")
def image_command(
    raw: Annotated[
        Path,
        typer.Argument(
            metavar="FIRMWARE",
            help="`firmware.bin` of `firstboot firmware build --board rp2350`.",
            exists=True,
            dir_okay=False,
        ),
    ],
    key: KeyOption,
    version: Annotated[
        str,
        typer.Option(
            "--version",
            metavar="VERSION",
            help="Version M.m.0+b; the build number b becomes the sequence number.",
        ),
    ],
    counter: Annotated[
        int,
        typer.Option(
            "--security-counter",
            min=1,
            max=rp2350.COUNTER_MAX,
            help="The boot ROM burns it at the confirm. Raise it only to prevent a return: see the guide's warning.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The update: it starts as a trial.")],
    factory: Annotated[
        Path | None,
        typer.Option(
            "--factory", metavar="FILE", help="Also write the factory's image, as UF2: it simply starts."
        ),
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Seal and sign a firmware: for an update, and for the factory with `--factory`. Both have the same digest.

    `firstboot release sign` takes the update, as it takes an image of any other board.

    Example: `firstboot rp2350 image firmware.bin --key image.pem --version 1.2.0+12 --security-counter 1 --out 12.img
    --factory 12.uf2`
    """
    secret, firmware = rp2350.load_key(key), raw.read_bytes()
    update = rp2350.seal(firmware, secret, version=version, security_counter=counter)
    if factory is not None:
        image = rp2350.seal(firmware, secret, version=version, security_counter=counter, is_trial=False)
        replace_file(factory, uf2(image))
    replace_file(out, update)
    info = rp2350.read_image(update)
    result: dict[str, str | int] = {"image": str(out), "version": version, "digest": info.digest.hex()}
    result |= {"security_counter": info.security_counter, "key_hash": rp2350.key_hash(key).hex()}
    if factory is not None:
        result["factory"] = str(factory)
    print_result([(name.replace("_", " "), str(value)) for name, value in result.items()], result, is_json)


@app.command("partitions")
def partitions_command(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The table, as UF2 for BOOTSEL mode.")],
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="Image key (PEM). Without it the table is unsigned: for development.",
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table",
            metavar="FILE",
            help="Another table, in picotool's form. Default: the board's partitions.json.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    is_json: JsonOption = False,
) -> None:
    """Write the partition table: two slots, boot facts and two record regions, signed if `--key` is given.

    Example: `firstboot rp2350 partitions --key image.pem --out table.uf2`
    """
    source = table or source_root() / "device" / "boards" / "rp2350" / "partitions.json"
    try:
        document = json.loads(source.read_text())
        block = rp2350.partition_table(document, None if key is None else rp2350.load_key(key))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{source} is not a partition table of this form: {error}") from None
    replace_file(out, uf2(block))
    result: dict[str, str | int] = {
        "table": str(out),
        "bytes": len(block),
        "signed": str(key is not None).lower(),
    }
    print_result([(name, str(value)) for name, value in result.items()], result, is_json)


@app.command("otp")
def otp_command(
    keys: Annotated[
        list[Path],
        typer.Option(
            "--key", metavar="FILE", help="Image key, public or private (PEM). Repeat it: one to four."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The plan, for `picotool otp load`.")],
    is_json: JsonOption = False,
) -> None:
    """Write the plan of the OTP rows of a product: key hashes, secure boot, no debug, no boot over USB or UART.

    BURNING IT CANNOT BE TAKEN BACK. It was never burned on a chip by this project.

    Example: `firstboot rp2350 otp --key image-0.pem --key image-1.pem --out otp.json`
    """
    hashes = [rp2350.key_hash(path) for path in keys]
    try:
        plan = rp2350.otp_plan(hashes)
    except ValueError as error:
        raise InputError(f"Give one to four keys: {error}.") from None
    if len(set(hashes)) != len(hashes):
        raise InputError("A key is named twice.")
    replace_file(out, (json.dumps(plan, indent=1) + "\n").encode())
    result: dict[str, str | list[str]] = {"plan": str(out), "key_hashes": [one.hex() for one in hashes]}
    print_result(
        [("plan", str(out)), ("key hashes", ", ".join(one.hex() for one in hashes))], result, is_json
    )
