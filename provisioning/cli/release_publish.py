"""`firstboot release publish`: put a signed release and signed records where devices fetch them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from device.errors import FirstbootError
from provisioning.cli.addresses import parse_address, registry_place
from provisioning.cli.errors import InputError, message_of
from provisioning.cli.options import CA, JsonOption, NameOption
from provisioning.cli.output import print_json, print_report
from provisioning.cli.settings import with_settings
from provisioning.cli.settings_fields import RelativeText
from provisioning.counted import counted
from provisioning.product.product import ProductError, load_product
from provisioning.publishing.records import KINDS, common_class, load_record
from provisioning.publishing.release_class import class_id_of_release
from provisioning.publishing.targets import Parcel, broker_target, publish_to, store_target
from provisioning.release.release import Release, ReleaseError
from provisioning.release.store import PublishError
from provisioning.servers.mqtt_client import MqttAccess
from provisioning.shared_store.places import release_stores


@dataclass(frozen=True, kw_only=True)
class DestinationSettings:
    """The destinations of signed releases and records: one definition for `release publish` and `site build`."""

    mqtt: Annotated[
        str | None,
        typer.Option(
            "--mqtt", metavar="HOST:PORT", help="Publish to this broker. Needs --ca, --cert and --key."
        ),
    ] = None
    ca: Annotated[Path | None, CA] = None
    cert: Annotated[
        Path | None,
        typer.Option("--cert", metavar="FILE", help="Certificate of the user `publisher` (PEM)."),
    ] = None
    key: Annotated[
        Path | None, typer.Option("--key", metavar="FILE", help="Private key of that certificate (PEM).")
    ] = None
    name: NameOption = None
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="STORE",
            help="Publish to this folder or server database (postgresql://..., or a SQLite file), which the CoAP"
            " server serves.",
        ),
        RelativeText(registry_place),
    ] = None

    @property
    def is_given(self) -> bool:
        """There is at least one destination."""
        return self.mqtt is not None or self.store is not None

    def access(self) -> MqttAccess | None:
        """Return how the broker is reached; None without one. Raises InputError."""
        if self.mqtt is None:
            return None
        host, port = parse_address(self.mqtt)
        if self.ca is None or self.cert is None or self.key is None:
            raise InputError("--mqtt needs --ca, --cert and --key.")
        return MqttAccess(host, port, self.ca, self.cert, self.key, self.name)


@dataclass(frozen=True, kw_only=True)
class PublishSettings(DestinationSettings):
    """The options of `release publish`: a release, records, or both, and their destinations."""

    release_dir: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER", help="A release, made by `firstboot release sign`. Default: records only."
        ),
    ] = None
    keyset: Annotated[
        Path | None,
        typer.Option("--keyset", metavar="FILE", help="A key set, made by `firstboot keys sign-set`."),
    ] = None
    support: Annotated[
        Path | None,
        typer.Option(
            "--support", metavar="FILE", help="A support record, made by `firstboot release record support`."
        ),
    ] = None
    contact: Annotated[
        Path | None,
        typer.Option(
            "--contact",
            metavar="FILE",
            help="A security contact, made by `firstboot release record contact`.",
        ),
    ] = None
    product: Annotated[
        Path | None,
        typer.Option(
            "--product", metavar="FILE", help="Product definition. Needed if nothing else names the class."
        ),
    ] = None
    replace_newer: Annotated[
        bool,
        typer.Option(
            "--replace-newer",
            help="Also replace a release or record with a higher number, for example one that a thief signed.",
        ),
    ] = False
    remove_superseded: Annotated[
        bool,
        typer.Option("--remove-superseded", help="Afterwards remove objects that the new release replaces."),
    ] = False
    is_json: JsonOption = False


@with_settings(PublishSettings, "release.publish")
def publish_command(settings: PublishSettings) -> None:
    """Publish a release, signed records, or both: to a broker (`--mqtt`), to the CoAP server's folder (`--store`), or
    both.

    Everything must be for one product class. The key set is published first, because it decides whose signatures
    count; then the records, the objects of the release, and its manifest last. What the broker holds is read back.
    A release or record with a lower number than the published one is refused, unless --replace-newer is given.
    A target that fails does not stop the other: the command reports each target and fails if one of them failed.

    Example: `firstboot release publish release-12 --mqtt broker.example.com:8883 --ca ca.crt --cert publisher.crt --key
    publisher.key`
    """
    _require_complete(settings)
    try:
        report = attempt(settings)
    except (PublishError, ReleaseError, ProductError, FirstbootError, OSError) as error:
        if settings.is_json:
            print_json({"published": False, "error": message_of(error)})
        raise PublishError(f"Not published: {message_of(error)}") from None
    document = {"published": not _failures(report), **report}
    print_report(_lines(report, settings.remove_superseded), document, settings.is_json)
    require_all(report)


def _require_complete(settings: PublishSettings) -> None:
    if not settings.is_given:
        raise InputError("Nowhere to publish: give --mqtt, --store or both.")
    if settings.release_dir is None:
        if not (settings.keyset or settings.support or settings.contact):
            raise InputError("Nothing to publish: give FOLDER, --keyset, --support or --contact.")
        if settings.remove_superseded:
            raise InputError("--remove-superseded needs FOLDER: a release decides what is superseded.")
    settings.access()


def publish(settings: PublishSettings) -> None:
    """Publish to every target. Raises what `attempt` raises, and PublishError if one of them failed."""
    require_all(attempt(settings))


def attempt(settings: PublishSettings) -> dict[str, Any]:
    """Try every target and report the result of each.

    Raises PublishError, ReleaseError, ProductError, FirstbootError, OSError, InputError.
    """
    access = settings.access()
    parcel = _parcel(settings)
    place = settings.store
    targets = [] if place is None else [store_target(place, release_stores(place))]
    targets += [] if access is None else [broker_target(access)]
    results = publish_to(targets, parcel, is_clean=settings.remove_superseded)
    return {
        "sequence": None if parcel.release is None else parcel.release.sequence_number,
        "class_id": parcel.class_id.hex(),
        "records": [one.kind.name for one in parcel.records],
        "destinations": [asdict(one) for one in results],
    }


def require_all(report: dict[str, Any]) -> None:
    """Raise PublishError, which names every target that failed and every target that was published to."""
    failed = _failures(report)
    if failed:
        done = [one["to"] for one in report["destinations"] if one["error"] is None]
        also = f" Published to: {', '.join(done)}." if done else ""
        raise PublishError(
            "; ".join(_failure(one) for one in failed)
            + f".{also} Remove the cause and run the command again: it may repeat what was published."
        )


def _failure(one: dict[str, Any]) -> str:
    """Return what a target did not take, and what it took before."""
    if not one["done"]:
        return f"Not published to {one['to']}: {one['error']}"
    return f"Published only in part to {one['to']} ({', '.join(one['done'])}): {one['error']}"


def _failures(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in report["destinations"] if one["error"] is not None]


def _parcel(settings: PublishSettings) -> Parcel:
    """Read everything and check that it is for one class before anything is published."""
    given = {"keyset": settings.keyset, "support": settings.support, "contact": settings.contact}
    release = None if settings.release_dir is None else Release.load(settings.release_dir)
    records = [load_record(kind, path) for kind in KINDS if (path := given[kind.name]) is not None]
    named = None if settings.product is None else load_product(settings.product).class_id
    of_release = None if release is None else class_id_of_release(release)
    return Parcel(common_class(of_release, records, named), release, records, settings.replace_newer)


def _lines(report: dict[str, Any], is_clean: bool) -> list[str]:
    what = "records" if report["sequence"] is None else f"release {report['sequence']}"
    lines = [f"{what} for class {report['class_id']}"]
    for one in report["destinations"]:
        if one["error"] is not None:
            lines.append(
                f"  {one['to']}: {'failed' if not one['done'] else 'only ' + ', '.join(one['done'])}"
            )
            continue
        removed = f", {one['removed']} superseded removed" if is_clean else ""
        lines.append(f"  {one['to']}: {counted(one['items'], 'item')} published{removed}")
    return lines
