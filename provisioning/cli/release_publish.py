"""`firstboot release publish`: put a signed release and signed records where devices fetch them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from device.errors import FirstbootError
from provisioning.product.product import ProductError, load_product
from provisioning.publishing.coap import CoapPublisher
from provisioning.publishing.mqtt import MqttPublisher
from provisioning.publishing.records import KINDS, SignedRecord, common_class, load_record
from provisioning.publishing.release_class import class_id_of_release
from provisioning.release.release import Release, ReleaseError
from provisioning.release.store import PublishError
from provisioning.servers.mqtt_client import MqttAccess


def parse_address(text: str) -> tuple[str, int]:
    """HOST:PORT, the host in brackets where it is an IPv6 address. Raises typer.BadParameter."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise typer.BadParameter(f"{text!r} is not HOST:PORT")
    return host, int(port)


@dataclass(frozen=True)
class Parcel:
    """What goes out together, all for one product class."""

    class_id: bytes
    release: Release | None
    records: list[SignedRecord]


def publish_command(  # noqa: PLR0913, PLR0917 - each argument is an option of the command
    release_dir: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]", help="Release folder, as `firstboot release sign` makes it; none: records alone."
        ),
    ] = None,
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
    keyset: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Key set, as `firstboot keys sign-set` signs it.")
    ] = None,
    support: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Support record (`firstboot release record support`).")
    ] = None,
    contact: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Security contact (`firstboot release record contact`)."),
    ] = None,
    product: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Product definition: the class, where nothing else names it."),
    ] = None,
    remove_superseded: Annotated[
        bool,
        typer.Option("--remove-superseded", help="Then remove objects that the new release does not need."),
    ] = False,
    is_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Publish a release, signed records, or both: over MQTT (--mqtt), into the CoAP server's store (--store), or both.

    The key set goes first, since it says whose signatures count; then support record and contact, the release's
    objects, and its manifest last. What a broker holds is read back. All of them must be for one product class.
    Exit codes: 0 published, 1 not published (the reason is said), 2 the command line was wrong.
    """
    if mqtt is None and store is None:
        raise typer.BadParameter("nowhere to publish: give --mqtt, --store or both")
    given = {"keyset": keyset, "support": support, "contact": contact}
    if release_dir is None and not any(given.values()):
        raise typer.BadParameter("nothing to publish: give DIR, --keyset, --support or --contact")
    if release_dir is None and remove_superseded:
        raise typer.BadParameter("--remove-superseded needs DIR: what is superseded follows from a release")
    access = None if mqtt is None else _access(mqtt, ca, cert, key, name)
    try:
        parcel = _parcel(release_dir, given, product)
        report = _publish(parcel, access, store, remove_superseded)
    except (PublishError, ReleaseError, ProductError, FirstbootError, OSError) as error:
        if is_json:
            typer.echo(json.dumps({"published": False, "error": str(error)}))
        else:
            typer.echo(f"not published: {error}", err=True)
        raise typer.Exit(1) from None
    if is_json:
        typer.echo(json.dumps({"published": True, **report}))
        return
    what = "records" if parcel.release is None else f"release {report['sequence']}"
    typer.echo(f"{what} for class {report['class_id']}")
    for where in report["destinations"]:
        removed = f", {where['removed']} superseded removed" if remove_superseded else ""
        typer.echo(f"  {where['to']}: {where['items']} items published{removed}")


def _access(mqtt: str, ca: Path | None, cert: Path | None, key: Path | None, name: str | None) -> MqttAccess:
    host, port = parse_address(mqtt)
    if ca is None or cert is None or key is None:
        raise typer.BadParameter("--mqtt needs --ca, --cert and --key")
    return MqttAccess(host, port, ca, cert, key, name)


def _parcel(release_dir: Path | None, given: dict[str, Path | None], product: Path | None) -> Parcel:
    """Everything read and found to be for one class, before anything is published."""
    release = None if release_dir is None else Release.load(release_dir)
    records = [load_record(kind, path) for kind in KINDS if (path := given[kind.name]) is not None]
    named = None if product is None else load_product(product).class_id
    of_release = None if release is None else class_id_of_release(release)
    return Parcel(common_class(of_release, records, named), release, records)


def _publish(parcel: Parcel, access: MqttAccess | None, store: Path | None, is_clean: bool) -> dict[str, Any]:
    destinations = []
    if store is not None:
        files = CoapPublisher(store, parcel.class_id)
        destinations.append(_to(files, f"store {store}", parcel, is_clean))
    if access is not None:
        with MqttPublisher(access, parcel.class_id) as topics:
            destinations.append(_to(topics, f"broker {access.host}:{access.port}", parcel, is_clean))
    return {
        "sequence": None if parcel.release is None else parcel.release.sequence_number,
        "class_id": parcel.class_id.hex(),
        "records": [one.kind.name for one in parcel.records],
        "destinations": destinations,
    }


def _to(publisher: CoapPublisher | MqttPublisher, to: str, parcel: Parcel, is_clean: bool) -> dict[str, Any]:
    put = {
        "keyset": publisher.publish_keyset,
        "support": publisher.publish_support,
        "contact": publisher.publish_contact,
    }
    for one in parcel.records:
        put[one.kind.name](one.data)
    items = len(parcel.records)
    if parcel.release is not None:
        items += publisher.publish_release(parcel.release)
    removed = len(publisher.remove_superseded()) if is_clean else 0
    return {"to": to, "items": items, "removed": removed}
