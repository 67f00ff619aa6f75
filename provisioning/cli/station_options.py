"""What the commands of a station share: their options, what they make of them, how they say what cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from provisioning.product.label_template import STANDARD, load_template
from provisioning.product.product import load_product
from provisioning.registry.sealed import ServerKey
from provisioning.station.station import StationConfig

FAILED: Final = 1
WRONG_INPUT: Final = 2

ProductOption = Annotated[Path, typer.Option("--product", help="The product definition (TOML).")]
KeysOption = Annotated[Path, typer.Option("--keys", help="Folder with the maker's keys.")]
LabelsOption = Annotated[Path, typer.Option("--labels", help="Folder for label PNGs.")]
RegistryOption = Annotated[
    str, typer.Option("--registry", help="The station's registry: a SQLite file, or postgresql://HOST/NAME.")
]
FilesOption = Annotated[
    Path | None, typer.Option("--files", help="Folder of the registry's key files; needed with PostgreSQL.")
]
OscoreKeyOption = Annotated[
    Path | None,
    typer.Option(
        "--oscore-key",
        help="The CoAP server's public key (PEM), to which OSCORE secrets are sealed; needed where the product"
        " names a CoAP server. The server generates it: firstboot keys generate server.",
    ),
]
NameOption = Annotated[
    str, typer.Option("--station", help="This station's name, which its chain of records bears.")
]
ArchiveOption = Annotated[
    Path | None,
    typer.Option("--archive", help="Folder with the statements that were issued; not for development units."),
]
ImageOption = Annotated[
    str | None, typer.Option("--image-digest", help="SHA-256 (hex) of the only image that units may run.")
]
TemplateOption = Annotated[
    Path | None, typer.Option("--label-template", help="Layout of the label (TOML); left out: 105 by 59 mm.")
]
DevelopmentOption = Annotated[
    bool, typer.Option("--development", help="Allow development keys and builds: NOT FOR SALE.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document to standard output.")]


def station_config(
    product: Path,
    labels: Path,
    *,
    oscore_key: Path | None,
    station_name: str,
    archive: Path | None,
    image_digest: str | None,
    label_template: Path | None,
    development: bool,
) -> StationConfig:
    """What the options of `provision` and `run` come to; an option wins over the definition at `product`.

    Raises ProductError, ValueError, RegistryError, OSError.
    """
    definition = load_product(product)
    image = definition.image_sha256 if image_digest is None else bytes.fromhex(image_digest)
    if label_template is None and definition.label_template is not None:
        label_template = product.parent / definition.label_template
    return StationConfig(
        product=definition,
        labels_dir=labels,
        oscore_key=None if oscore_key is None else ServerKey.load(oscore_key),
        station_name=station_name,
        archive_dir=archive,
        development=development,
        expected_image_digest=image,
        label_template=STANDARD if label_template is None else load_template(label_template),
    )
