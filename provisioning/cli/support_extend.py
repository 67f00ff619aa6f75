"""`firstboot support extend`: one command takes a longer support period through every place that states it (SP-03)."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from device.errors import FirstbootError
from device.records import support
from device.trust.anchors import ROLE_SUPPORT
from device.trust.signed_record import verify_record
from provisioning.cli.addresses import signer_place
from provisioning.cli.compliance_inputs import trusted_keys
from provisioning.cli.errors import InputError, printable
from provisioning.cli.output import print_report
from provisioning.cli.release_publish import publish
from provisioning.cli.settings import with_settings
from provisioning.cli.settings_fields import RelativeText
from provisioning.cli.signing_time import signing_time
from provisioning.cli.site import BuildSettings, destination, save_evidence, site_of
from provisioning.compliance import extension
from provisioning.compliance.archive import Archive
from provisioning.compliance.device_record import DeviceRecords, support_anchors
from provisioning.compliance.extension import Extension, ExtensionError
from provisioning.compliance.ledger import parse
from provisioning.compliance.site import build_site, record_path
from provisioning.compliance.support_register import Publication, current
from provisioning.file_system import is_there, read_if_there, replace_file
from provisioning.keys.key_id import AnchorKey
from provisioning.keys.signer import Signer, sign_record
from provisioning.keys.signers import open_signer
from provisioning.product import record
from provisioning.product.product import load_product
from provisioning.release.capacities import require_capacity


@dataclass(frozen=True, kw_only=True)
class ExtendSettings(BuildSettings):
    """The options of `support extend`: those of `site build`, the new period, and the support key."""

    signer: Annotated[
        str,
        typer.Option("--signer", metavar="KEY", help="The support key: a PEM file or a pkcs11: URI."),
        RelativeText(signer_place),
    ]
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="DATE", help="The new last day of security updates, as YYYY-MM-DD."),
    ] = None
    period: Annotated[
        str | None,
        typer.Option(
            "--period", metavar="DURATION", help="The new duration, like P7Y. It counts from start_date."
        ),
    ] = None
    model: Annotated[
        str | None, typer.Option("--model", help="The product, if several definitions are given.")
    ] = None
    is_dry: Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")] = (
        False
    )
    is_confirmed: Annotated[bool, typer.Option("--yes", help="Do not ask before the first change.")] = False


@with_settings(ExtendSettings, "support.extend")
def extend(settings: ExtendSettings) -> None:
    """Extend a support period: sign the record for devices, build the site, change the definition, publish to devices.

    Register, pages and feed are extended with the site. First the command shows what changes. If it is interrupted, run
    it again: it goes on where it was. It refuses every shortening. Statements that were issued stay as they are.

    Example: `firstboot support extend --until 2033-12-31 --product product.toml --signer support.pem --base-url
    https://example.com/ --register register.jsonl --archive archive --out site --evidence evidence --store store`
    """
    for path in (*settings.product, settings.register):
        if path.exists() and not path.is_file():
            raise InputError(
                f"{path} is not a regular file, and this command changes it in place: give the file's name."
            )
    settings.access()
    definition = _definition(settings)
    if settings.is_dry:
        _extend(settings, definition)
        return
    with extension.only_extension(settings.register):
        _extend(settings, definition)


def _extend(settings: ExtendSettings, definition: Path) -> None:
    register = _read_register(settings.register, load_product(definition).model)
    found, is_resumed = _extension(settings, definition, register.published)
    if found is None:
        print_report(["The support period is extended already."], {"outcome": "UNCHANGED"}, settings.is_json)
        return
    lines = _changes(found, definition, settings, register.published)
    if is_resumed:
        lines = ["An earlier command began this extension; it goes on.", *lines]
    facts = {
        "model": found.model,
        "end_date": found.end_date,
        "period": found.period,
        "sequence": found.sequence,
        "changes": lines,
    }
    if settings.is_dry:
        print_report([*lines, "Nothing was changed."], {"outcome": "DRY RUN", **facts}, settings.is_json)
        return
    _require_consent(lines, found, settings)
    signer = open_signer(settings.signer)  # a wrong passphrase is found before the first change
    extension.save_plan(definition, found)
    _run(found, definition, signer, settings, register)
    extension.finish_plan(definition)
    done = f"{found.model}: security updates until {found.end_date}, in definition, register, site and record"
    where = (
        ""
        if settings.is_given
        else " Publish the record to devices with `firstboot release publish --support`."
    )
    print_report([done + "." + where], {"outcome": "EXTENDED", **facts}, settings.is_json)


def _definition(settings: ExtendSettings) -> Path:
    """Return the file of the product to extend. Raises InputError, ProductError."""
    models = {load_product(path).model: path for path in settings.product}
    if settings.model is None and len(models) == 1:
        return next(iter(models.values()))
    if settings.model is None or settings.model not in models:
        raise InputError(f"Name the product with --model: one of {', '.join(sorted(models))}.")
    return models[settings.model]


@dataclass(frozen=True)
class _Register:
    """The support register when the command began. `published`: its newest line about the model."""

    data: bytes
    published: Publication | None


def _read_register(path: Path, model: str) -> _Register:
    """Return the register, which no other extension changes meanwhile. Raises LedgerError, RegisterError, OSError."""
    data = read_if_there(path) or b""
    return _Register(data, current(parse(data, path.name)).get(model))


def _extension(
    settings: ExtendSettings, definition: Path, published: Publication | None
) -> tuple[Extension | None, bool]:
    """Return the extension and whether an earlier command began it; None if it is done."""
    until = _day(settings.until)
    if until is None and settings.period is None:
        raise InputError("Give the new last day with --until, or the new duration with --period.")
    begun, text = extension.open_plan(definition), definition.read_bytes().decode()
    present = load_product(definition).support
    is_same = begun is not None and (until is None or until.isoformat() == begun.end_date)
    is_same = is_same and begun is not None and settings.period in (None, begun.period)
    if begun is not None and published is not None and published.end_date.isoformat() == begun.end_date:
        if not is_same:
            raise ExtensionError(
                f"{begun.model} is published until {begun.end_date}, and that extension is not finished: run it again"
                " first"
            )
        return begun, True
    if begun is not None and is_same and text == begun.before:
        return begun, True  # its record may be signed already
    if published is not None and until == present.end_date == published.end_date:
        return None, False
    now_s = signing_time(None, "Units show it as the day of publication: check it.")
    return extension.plan_extension(text, published, until, settings.period, now_s), False


def _day(text: str | None) -> dt.date | None:
    try:
        return None if text is None else dt.date.fromisoformat(text)
    except ValueError:
        raise InputError("--until must be a day like 2033-12-31.") from None


def _changes(
    found: Extension, definition: Path, settings: ExtendSettings, before: Publication | None
) -> list[str]:
    """Return what the command changes, place by place, in the order of the steps."""
    was = "nothing" if before is None else before.end_date.isoformat()
    devices = [each for each in (settings.mqtt, settings.store) if each]
    lines = [f"{definition.name}: {line}" for line in found.differences()]
    lines += [
        f"record for devices: until {found.end_date}, sequence {found.sequence}, in {_record_file(definition)}",
        f"register, product page and feed: {was} -> {found.end_date}",
        f"devices: {', '.join(devices) or 'not published, because neither --store nor --mqtt is given'}",
    ]
    product = found.product
    lines += [
        f"part {part.name}: keeps its own last day {part.support_end.isoformat()}"
        for part in product.components
        if part.support_end is not None
    ]
    return lines + extension.statement_rules(product, Archive(settings.archive).statements())


def _require_consent(lines: list[str], found: Extension, settings: ExtendSettings) -> None:
    """Show the changes and ask: on standard error with --json. Raises ExtensionError."""
    for line in lines:
        typer.echo(printable(line), err=settings.is_json)
    if settings.is_confirmed:
        return
    question = "A period that is published can never be shortened again. To go on, type the new last day"
    if typer.prompt(question, err=settings.is_json) != found.end_date:
        raise ExtensionError("the day was not typed; nothing was changed")


def _run(
    found: Extension, definition: Path, signer: Signer, settings: ExtendSettings, register: _Register
) -> None:
    """Do the steps in their order; each that was done before is left as it is (rules 3 and 4 of extension.py)."""
    own = AnchorKey(signer.key_id, signer.algorithm, ROLE_SUPPORT, signer.public)
    path = _record_file(definition)
    data = _signed_record(found, path, signer, own, settings)
    site = site_of(settings)
    if not _is_built(found, data, settings, register):
        products = [found.product if each.model == found.model else each for each in site.products]
        records = DeviceRecords((*site.device.records, data), (*site.device.keys, own))
        evidence = build_site(dataclasses.replace(site, products=products, device=records))
        save_evidence(settings.evidence, evidence, settings.evidence_key)
    extension.replace_definition(definition, found)
    for each in (*(settings.record or ()), path) if settings.is_given else ():
        publish(destination(settings, each))


def _record_file(definition: Path) -> Path:
    return definition.with_suffix(".support.cose")


def _signed_record(
    found: Extension, path: Path, signer: Signer, own: AnchorKey, settings: ExtendSettings
) -> bytes:
    """Return the signed record, signed now or by the command that was cut. Raises what `release record` raises."""
    payload = record.support_payload(found.product, found.time_s)
    anchors = support_anchors([own])
    if path.exists():
        data = path.read_bytes()
        try:
            if verify_record(data, support.TYP, ROLE_SUPPORT, anchors) == payload:
                return data
        except FirstbootError:  # another record: the new one replaces it
            pass
    _require_newer(found, payload, settings, own)
    data = sign_record(payload, support.TYP, signer)
    require_capacity("record", len(data))
    replace_file(path, data)
    return data


def _require_newer(found: Extension, payload: bytes, settings: ExtendSettings, own: AnchorKey) -> None:
    """Decide as a unit that holds the published record. Raises SupportRecordError, SignatureError."""
    published = settings.out / record_path(found.model)
    before = None
    if is_there(published):
        keys = [own, *trusted_keys(settings.trust or [], "support")]
        read = verify_record(published.read_bytes(), support.TYP, ROLE_SUPPORT, support_anchors(keys))
        before = support.decode(read)
    product = found.product
    horizon_s = (record.day_of(product.support.horizon) + 1) * support.DAY_S - 1
    support.accept(before, support.decode(payload), product.class_id, horizon_s)


def _is_built(found: Extension, data: bytes, settings: ExtendSettings, register: _Register) -> bool:
    """Return whether site and register have the extension already."""
    published = register.published
    path = settings.out / record_path(found.model)
    copy = settings.out / "support-register.jsonl"
    return (
        published is not None
        and published.end_date.isoformat() == found.end_date
        and path.is_file()
        and path.read_bytes() == data
        and copy.is_file()
        and copy.read_bytes() == register.data
    )
