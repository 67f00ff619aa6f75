"""`firstboot station init`: a product definition to start from, and development keys if wanted."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.output import print_line
from provisioning.keys.key_ring import KeyRing
from provisioning.product.example import EXAMPLE
from provisioning.registry.registry import Registry
from provisioning.registry.sealed import ServerPrivateKey


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder for the station's files. Made if it is missing.")
    ],
    development: Annotated[
        bool,
        typer.Option(
            "--development",
            help="Also generate development keys in FOLDER/keys and FOLDER/server: NOT FOR SALE.",
        ),
    ] = False,
    board: Annotated[
        str,
        typer.Option(
            "--board", help="The product's board. `simulator` for boards that QEMU does not emulate."
        ),
    ] = "mps2_an385",
) -> None:
    """Write an example product definition and print the next commands. Overwrites nothing.

    Example: `firstboot station init line --development`
    """
    directory.mkdir(parents=True, exist_ok=True)
    product = directory / "product.toml"
    _write_example(product, board)
    common = f"--product {product} --registry {directory / 'registry.db'} --labels {directory / 'labels'}"
    command = f"firstboot station provision --port tcp:HOST:PORT {common}"
    Registry.create(directory / "registry.db", exist_ok=True).close()
    print_line(f"The registry is {directory / 'registry.db'}. It contains this station's serial numbers.")
    if development:
        _generate_development_keys(directory)
        own = f"--keys {directory / 'keys'} --oscore-key {directory / 'server' / 'oscore.pub'} --development"
        print_line(f"Next: {command} {own}")
        print_line("No board at hand? `firstboot device bare` runs some.")
        return
    print_line("Before you make units for sale (docs/factory.md):")
    print_line(f"  firstboot keys init MAKER --product {product}   the maker's keys")
    print_line("  firstboot keys generate server DIR              on the CoAP server")
    print_line("  firstboot site build                            the public pages")
    print_line("  firstboot statement evidence, issue             the statement of compliance")
    print_line(f"Then: {command} --keys MAKER/keys --oscore-key DIR/oscore.pub --archive ARCHIVE")


def _write_example(product: Path, board: str) -> None:
    try:
        descriptor = os.open(product, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        print_line(f"{product} exists already and was not changed.")
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(EXAMPLE.replace('"mps2_an385"', json.dumps(board)))
    print_line(f"Wrote {product}. Edit it for your product.")


def _generate_development_keys(directory: Path) -> None:
    keys, server = directory / "keys", directory / "server"
    KeyRing.generate_development(keys)
    print_line(f"Development keys are in {keys}: units made with them are NOT FOR SALE.")
    if not (server / "oscore.key").exists():
        server.mkdir(mode=0o700, exist_ok=True)
        ServerPrivateKey.create(server / "oscore.key", server / "oscore.pub")
        print_line(
            f"The CoAP server's key pair is in {server}. For units for sale, generate it on the server itself."
        )
