"""The options of `firstboot station provision` and `run`, and the station that they describe."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.errors import InputError
from provisioning.cli.one_line import one_line
from provisioning.cli.options import FilesOption, JsonOption, KeysOption, ProductOption, RegistryOption
from provisioning.product.label_template import STANDARD, load_template
from provisioning.product.product import load_product
from provisioning.registry.registry import Registry
from provisioning.registry.sealed import ServerKey
from provisioning.station.label_words import words_of
from provisioning.station.station import StationConfig


@dataclass(frozen=True, kw_only=True)
class StationSettings:
    """The options for every unit of a station, shared by `provision` and `run`."""

    product: ProductOption
    keys: KeysOption
    registry: RegistryOption
    labels: Annotated[Path, typer.Option("--labels", metavar="DIR", help="Folder for label pictures (PNG).")]
    oscore_key: Annotated[
        Path | None,
        typer.Option(
            "--oscore-key",
            metavar="FILE",
            help="The CoAP server's public key (PEM). Needed if the product definition names a CoAP server. Made on the"
            " server with `firstboot keys generate server`.",
        ),
    ] = None
    files: FilesOption = None
    station_name: Annotated[
        str,
        typer.Option(
            "--station",
            metavar="NAME",
            callback=one_line("station"),
            help="This station's name in its signed records.",
        ),
    ] = "station"
    archive: Annotated[
        Path | None,
        typer.Option(
            "--archive",
            metavar="DIR",
            help="Folder with the issued statements of compliance. Units for sale need it.",
        ),
    ] = None
    image_digest: Annotated[
        str | None,
        typer.Option("--image-digest", metavar="HEX", help="SHA-256 of the only image that units may run."),
    ] = None
    image: Annotated[
        Path | None,
        typer.Option(
            "--image", metavar="FILE", help="The signed image of the batch: the only one that units may run."
        ),
    ] = None
    label_template: Annotated[
        Path | None,
        typer.Option(
            "--label-template", metavar="FILE", help="Layout of the label (TOML). Default: 105 by 59 mm."
        ),
    ] = None
    development: Annotated[
        bool, typer.Option("--development", help="Allow development keys and builds: NOT FOR SALE.")
    ] = False

    def config(self) -> StationConfig:
        """Return the station's configuration; an option beats the product definition.

        Raises ProductError, BrandError, ValueError, RegistryError, OSError.
        """
        definition = load_product(self.product)
        template = self.label_template
        if template is None and definition.label_template is not None:
            template = self.product.parent / definition.label_template
        digest = self._image_digest()
        return StationConfig(
            product=definition,
            labels_dir=self.labels,
            oscore_key=None if self.oscore_key is None else ServerKey.load(self.oscore_key),
            station_name=self.station_name,
            archive_dir=self.archive,
            development=self.development,
            expected_image_digest=definition.image_sha256 if digest is None else digest,
            label_template=STANDARD if template is None else load_template(template),
            label_words=words_of(self.product),
        )

    def _image_digest(self) -> bytes | None:
        """Return the digest of the image that the options name, None without one. Raises InputError, ValueError."""
        if self.image is None:
            return None if self.image_digest is None else bytes.fromhex(self.image_digest)
        if self.image_digest is not None:
            raise InputError("Give --image or --image-digest, not both.")
        from provisioning.compliance.evidence_run import signed_image

        return signed_image(self.image.read_bytes(), str(self.image)).digest

    @contextmanager
    def opened(self) -> Iterator[Registry]:
        """The station's registry. Raises RegistryError if it is missing: `registry init` creates it."""
        registry = Registry(self.registry, files=self.files)
        try:
            yield registry
        finally:
            registry.close()


@dataclass(frozen=True, kw_only=True)
class ProvisionSettings(StationSettings):
    """The options of `station provision`: those of every unit, and one port."""

    port: Annotated[
        str,
        typer.Option(
            "--port",
            metavar="PORT",
            help="The unit's factory port: serial:DEVICE[@RATE], tcp:HOST:PORT or unix:PATH.",
        ),
    ]
    is_json: JsonOption = False
    is_verbose: Annotated[bool, typer.Option("--verbose", help="Show each operation on the port.")] = False


@dataclass(frozen=True, kw_only=True)
class RunSettings(StationSettings):
    """The options of `station run`: those of every unit, many ports, and the operator's page."""

    port: Annotated[
        list[str],
        typer.Option(
            "--port",
            metavar="PORT",
            help="A factory port: serial:DEVICE[@RATE] (a * matches several), tcp:HOST:PORT or unix:PATH. Repeat it for"
            " several.",
        ),
    ]
    start_on_scan: Annotated[
        bool, typer.Option("--scan", help="Start a board when it is scanned, not when it is connected.")
    ] = False
    count: Annotated[
        int, typer.Option("--count", min=0, help="End after this many units. 0: end with Ctrl-C.")
    ] = 0
    web: Annotated[
        str | None,
        typer.Option("--web", metavar="ADDRESS", help="Serve the operator's page on PORT or HOST:PORT."),
    ] = None
    login: Annotated[
        Path | None,
        typer.Option(
            "--login",
            metavar="FILE",
            help="Login file of the operator's page, made with `firstboot station set-login`.",
        ),
    ] = None
    tls_certificate: Annotated[
        Path | None,
        typer.Option(
            "--tls-certificate",
            metavar="FILE",
            help="Certificate of the operator's page (PEM). Needed if other machines can reach the page.",
        ),
    ] = None
    tls_key: Annotated[
        Path | None, typer.Option("--tls-key", metavar="FILE", help="Private key of that certificate (PEM).")
    ] = None
    is_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document per change on standard output.")
    ] = False

    def require_safe_page(self) -> None:
        """Raises InputError if the operator's page would be served without login or TLS."""
        if self.web is not None and self.login is None:
            raise InputError(
                "The operator's page needs --login FILE. Make the file with `firstboot station set-login FILE`."
            )
