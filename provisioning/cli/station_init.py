"""`firstboot station init`: a product definition to start from, and development keys if wanted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from provisioning.cli.options import JsonOption
from provisioning.cli.output import print_report
from provisioning.file_system import create_file
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
    is_json: JsonOption = False,
) -> None:
    """Write an example product definition and print the next commands. Overwrites nothing.

    Example: `firstboot station init line --development`
    """
    directory.mkdir(parents=True, exist_ok=True)
    files = _Files.of(directory)
    lines = [_write_example(files.product, board)]
    Registry.create(files.registry, exist_ok=True).close()
    lines.append(f"The registry is {files.registry}. It contains this station's serial numbers.")
    if development:
        lines += _generate_development_keys(files)
    lines += _next_development(files) if development else _next(files)
    document: dict[str, str | bool] = {name: str(path) for name, path in files._asdict().items()}
    print_report(lines, document | {"is_development": development}, is_json)


class _Files(NamedTuple):
    """The files of a station in one folder."""

    product: Path
    registry: Path
    labels: Path
    keys: Path
    server_key: Path

    @classmethod
    def of(cls, folder: Path) -> _Files:
        return cls(
            folder / "product.toml",
            folder / "registry.db",
            folder / "labels",
            folder / "keys",
            folder / "server" / "oscore.pub",
        )

    @property
    def command(self) -> str:
        return (
            f"firstboot station provision --port tcp:HOST:PORT --product {self.product} --registry {self.registry}"
            f" --labels {self.labels}"
        )


def _next_development(files: _Files) -> list[str]:
    return [
        f"Next: {files.command} --keys {files.keys} --oscore-key {files.server_key} --development",
        "No board at hand? `firstboot device bare` runs some.",
    ]


def _next(files: _Files) -> list[str]:
    return [
        "Before you make units for sale (docs/factory.md):",
        f"  firstboot keys init MAKER --product {files.product}   the maker's keys",
        "  firstboot keys generate server DIR              on the CoAP server",
        "  firstboot site build                            the public pages",
        "  firstboot statement evidence, issue             the statement of compliance",
        f"Then: {files.command} --keys MAKER/keys --oscore-key DIR/oscore.pub --archive ARCHIVE",
    ]


def _write_example(product: Path, board: str) -> str:
    try:
        create_file(product, EXAMPLE.replace('"mps2_an385"', json.dumps(board)).encode())
    except FileExistsError:
        return f"{product} exists already and was not changed."
    return f"Wrote {product}. Edit it for your product."


def _generate_development_keys(files: _Files) -> list[str]:
    KeyRing.generate_development(files.keys)
    lines = [f"Development keys are in {files.keys}: units made with them are NOT FOR SALE."]
    public = files.server_key
    private = public.with_suffix(".key")
    if not private.exists():
        public.parent.mkdir(mode=0o700, exist_ok=True)
        ServerPrivateKey.create(private, public)
        lines.append(
            f"The CoAP server's key pair is in {public.parent}. For units for sale, generate it on the server itself."
        )
    return lines
