"""`firstboot release publish`: put a signed release, and a support record, where devices fetch them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from device.codec import cose
from device.errors import FirstbootError
from provisioning.publishing.coap import CoapPublisher
from provisioning.publishing.mqtt import MqttPublisher
from provisioning.publishing.release_class import class_id_of_release, class_id_of_support
from provisioning.publishing.store import PublishError
from provisioning.servers.mqtt_client import MqttAccess
from provisioning.signing.release import Release, ReleaseError


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT, the host in brackets where it is an IPv6 address. Raises typer.BadParameter."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise typer.BadParameter(f"{text!r} is not HOST:PORT")
    return host, int(port)


def publish_command(  # noqa: PLR0913, PLR0917 - each argument is an option of the command
    release_dir: Annotated[
        Path, typer.Argument(metavar="DIR", help="Release folder, as `firstboot release sign` makes it.")
    ],
    mqtt: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Broker; needs --ca, --cert and --key.")
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="Authority of the broker's certificate (PEM).")] = None,
    cert: Annotated[Path | None, typer.Option(help="Certificate of the user `publisher` (PEM).")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key (PEM); read, never shown.")] = None,
    name: Annotated[str | None, typer.Option(help="Name in the broker's certificate; default: HOST.")] = None,
    store: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder that the CoAP server serves.")
    ] = None,
    support: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Signed support record to publish as well.")
    ] = None,
    remove_superseded: Annotated[
        bool,
        typer.Option("--remove-superseded", help="Then remove objects that the new release does not need."),
    ] = False,
    is_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Publish a release over MQTT (--mqtt), into the CoAP server's store (--store), or both.

    Objects go first, the manifest last; what a broker holds is read back. Exit codes: 0 published, 1 not
    published (the reason is said), 2 the command line was wrong.
    """
    if mqtt is None and store is None:
        raise typer.BadParameter("nowhere to publish: give --mqtt, --store or both")
    access = None if mqtt is None else _access(mqtt, ca, cert, key, name)
    try:
        report = _publish(release_dir, access, store, support, remove_superseded)
    except (PublishError, ReleaseError, FirstbootError, OSError) as error:
        if is_json:
            typer.echo(json.dumps({"published": False, "error": str(error)}))
        else:
            typer.echo(f"not published: {error}", err=True)
        raise typer.Exit(1) from None
    if is_json:
        typer.echo(json.dumps({"published": True, **report}))
        return
    typer.echo(f"release {report['sequence']} for class {report['class_id']}")
    for where in report["destinations"]:
        removed = f", {where['removed']} superseded removed" if remove_superseded else ""
        typer.echo(f"  {where['to']}: {where['items']} items published{removed}")


def _access(mqtt: str, ca: Path | None, cert: Path | None, key: Path | None, name: str | None) -> MqttAccess:
    host, port = parse_address(mqtt)
    if ca is None or cert is None or key is None:
        raise typer.BadParameter("--mqtt needs --ca, --cert and --key")
    return MqttAccess(host, port, ca, cert, key, name)


def _publish(
    release_dir: Path, access: MqttAccess | None, store: Path | None, support: Path | None, is_clean: bool
) -> dict[str, Any]:
    release = Release.load(release_dir)
    class_id = class_id_of_release(release)
    record = None if support is None else _support_record(support, class_id)
    destinations = []
    if store is not None:
        files = CoapPublisher(store, class_id)
        destinations.append(_to(files, f"store {store}", release, record, is_clean))
    if access is not None:
        with MqttPublisher(access, class_id) as topics:
            destinations.append(_to(topics, f"broker {access.host}:{access.port}", release, record, is_clean))
    return {
        "sequence": release.sequence_number,
        "class_id": class_id.hex(),
        "destinations": destinations,
    }


def _to(
    publisher: CoapPublisher | MqttPublisher, to: str, release: Release, record: bytes | None, is_clean: bool
) -> dict[str, Any]:
    items = publisher.publish_release(release)
    if record is not None:
        publisher.publish_support(record)
        items += 1
    removed = len(publisher.remove_superseded()) if is_clean else 0
    return {"to": to, "items": items, "removed": removed}


def _support_record(path: Path, class_id: bytes) -> bytes:
    record = path.read_bytes()
    if class_id_of_support(cose.decode(record).payload or b"") != class_id:
        raise PublishError("the support record is for another product class than the release")
    return record
