"""`firstboot serve broker-config`: mosquitto's configuration with the rights of units, publisher and tracker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from provisioning.servers.mosquitto_config import BrokerFiles

from provisioning.cli.addresses import parse_listen, registry_place
from provisioning.cli.errors import InputError, warn
from provisioning.cli.options import FilesOption, JsonOption
from provisioning.cli.output import print_result
from provisioning.cli.settings import with_settings
from provisioning.cli.settings_fields import RelativeText
from provisioning.file_system import PRIVATE, replace_file

LISTEN: Final = "127.0.0.1:8883"


@dataclass(frozen=True, kw_only=True)
class BrokerConfigSettings:
    """The options from which a broker's configuration is made."""

    product: Annotated[
        list[Path],
        typer.Option(
            "--product",
            metavar="FILE",
            help="A product definition: units may read its class. Repeat it for several.",
        ),
    ]
    server_cert: Annotated[
        Path,
        typer.Option(
            "--server-cert",
            metavar="FILE",
            help="The broker's certificate (PEM), from `firstboot keys ca issue server`.",
        ),
    ]
    server_key: Annotated[
        Path,
        typer.Option(
            "--server-key", metavar="FILE", help="Private key of that certificate (PEM, mode 0600)."
        ),
    ]
    client_ca: Annotated[
        list[Path],
        typer.Option(
            "--client-ca",
            metavar="FILE",
            help="Certificate of an authority whose clients may connect: device-ca.crt for units, server-ca.crt for"
            " publisher and tracker.",
        ),
    ]
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for mosquitto.conf, acl and clients.crt.")
    ]
    listen: Annotated[str, typer.Option("--listen", metavar="HOST:PORT", help="Address of the broker.")] = (
        LISTEN
    )
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="Folder for published releases. Default: DIR of --out, `data`."
        ),
    ] = None
    registry: Annotated[
        str | None,
        typer.Option(
            "--registry",
            metavar="PLACE",
            help="Give access only to units of this registry. Without it, every certified unit has access.",
        ),
        RelativeText(registry_place),
    ] = None
    files: FilesOption = None
    service: Annotated[
        list[str],
        typer.Option(
            "--service",
            metavar="NAME",
            help="A name of your own clients: publisher, tracker, publisher-NAME or tracker-NAME. Repeat it.",
        ),
    ] = ("publisher", "tracker")  # type: ignore[assignment]  # a tuple, because a default must not be changed
    run_as: Annotated[
        str | None,
        typer.Option(
            "--run-as",
            metavar="USER",
            help="The user that mosquitto changes to if root starts it. It must be able to read the files.",
        ),
    ] = None
    is_json: JsonOption = False


@with_settings(BrokerConfigSettings, "serve.broker-config")
def broker_config(settings: BrokerConfigSettings) -> None:
    """Write a configuration of mosquitto with TLS, client certificates and the rights of each user.

    A unit may read what you publish for its class, and may write only to topics below its own name. The publisher may
    write releases, the tracker may answer units. Everything else is denied. Firstboot's demo and tests use the same
    configuration.
    Existing files are replaced: run the command again after units were added or withdrawn, then send SIGHUP to
    mosquitto.

    Example: `firstboot serve broker-config --product product.toml --server-cert broker/updates.example.com.crt
    --server-key broker/updates.example.com.key --client-ca keys/device-ca.crt --client-ca keys/server-ca.crt --registry
    registry.db --listen 0.0.0.0:8883 --out broker`
    """
    from provisioning.product.product import load_product
    from provisioning.servers.access import service_of

    host, port = parse_listen(settings.listen, "--listen")
    class_ids = [load_product(path).class_id for path in settings.product]
    unknown = [name for name in settings.service if service_of(name) is None]
    if unknown or not class_ids or not settings.client_ca:
        raise InputError(
            f"--service {unknown[0]!r} is not a publisher or tracker."
            if unknown
            else "Give --product and --client-ca at least once each."
        )
    _check_server(settings.server_cert, settings.server_key)
    files = _write(settings, class_ids, _served(settings), host, port)
    lines = [
        ("configuration", str(files.acl.with_name("mosquitto.conf"))),
        ("rights", str(files.acl)),
        ("next", f"mosquitto -c {files.acl.with_name('mosquitto.conf')}"),
    ]
    document = {"configuration": lines[0][1], "acl": lines[1][1], "host": host, "port": port}
    print_result(lines, document, settings.is_json)


def _check_server(certificate: Path, key: Path) -> None:
    """The key belongs to the certificate and only its owner can read it. Raises InputError, ValueError, OSError."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    from provisioning.keys.pem import load_private_pem, read_private

    try:
        public = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    except ValueError:
        raise InputError(f"{certificate} is not a certificate in PEM.") from None
    kind = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if load_private_pem(read_private(key)).public_key().public_bytes(*kind) != public.public_bytes(*kind):
        raise InputError(f"{key} is not the key of {certificate}.")


def _served(settings: BrokerConfigSettings) -> list[bytes] | None:
    """Return device ids of the units with access; None: every certified unit."""
    if settings.registry is None:
        warn(
            "Without --registry every unit that your authorities certified has access, also a withdrawn one."
        )
        return None
    from provisioning.cli.registry_access import opened
    from provisioning.registry.export import served_units

    with opened(settings.registry, settings.files) as registry:
        return served_units(registry)


def _write(
    settings: BrokerConfigSettings,
    class_ids: Sequence[bytes],
    units: list[bytes] | None,
    host: str,
    port: int,
) -> BrokerFiles:
    """Write the files; each is replaced at once, so a running broker never reads half of one."""
    from provisioning.servers.access import mosquitto_acl
    from provisioning.servers.mosquitto_config import BrokerFiles, configuration_text

    out = settings.out.absolute()
    data = (settings.data or out / "data").absolute()
    files = BrokerFiles(
        out / "clients.crt",
        settings.server_cert.absolute(),
        settings.server_key.absolute(),
        out / "acl",
        data,
    )
    text = "# Made by firstboot serve broker-config.\n" + configuration_text(
        files, host, port, run_as=settings.run_as
    )
    for folder in (out, data):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _replace(files.clients, b"".join(path.read_bytes() for path in settings.client_ca))
    _replace(files.acl, mosquitto_acl(class_ids, units, settings.service).encode())
    _replace(out / "mosquitto.conf", text.encode())
    return files


def _replace(path: Path, data: bytes) -> None:
    mode = PRIVATE if path.name == "acl" else 0o644  # mosquitto warns of an acl_file that others can read
    replace_file(path, data, mode=mode)
