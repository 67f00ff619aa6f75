"""`firstboot release record`: sign the support record or the security contact of a product.

Units get both in the factory; a newer one replaces them over the network. The command does not sign a record that units
would refuse after the record before it: a shorter period, or a sequence number that did not go up.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from device.errors import SignatureError
from device.records import contact, support
from device.trust.anchors import ROLE_SUPPORT
from device.trust.signed_record import verify_record
from provisioning.cli.addresses import signer_place
from provisioning.cli.compliance_inputs import trusted_keys
from provisioning.cli.errors import InputError, RefusedError
from provisioning.cli.options import JsonOption, ProductOption
from provisioning.cli.output import print_result
from provisioning.cli.settings import with_settings
from provisioning.cli.settings_fields import RelativeText
from provisioning.cli.signing_time import signing_time
from provisioning.compliance.device_record import support_anchors
from provisioning.compliance.ledger import Ledger
from provisioning.compliance.support_register import history
from provisioning.file_system import replace_file
from provisioning.keys.key_id import AnchorKey
from provisioning.keys.signer import sign_record
from provisioning.keys.signers import open_signer
from provisioning.product import record
from provisioning.product.product import Product, load_product
from provisioning.release.capacities import require_capacity

FIRST: Final = 1  # sequence number of the first record of a kind


class Kind(StrEnum):
    """The records that can be signed."""

    SUPPORT = "support"
    CONTACT = "contact"


@dataclass(frozen=True, kw_only=True)
class RecordSettings:
    """The options of `release record`: the record to sign, its key, and the record that it follows."""

    kind: Annotated[Kind, typer.Argument(help="Which record of the product definition.")]
    product: ProductOption
    signer: Annotated[
        str,
        typer.Option("--signer", metavar="KEY", help="The support key: a PEM file or a pkcs11: URI."),
        RelativeText(signer_place),
    ]
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="File for the signed record.")]
    previous: Annotated[
        Path | None,
        typer.Option("--previous", metavar="FILE", help="The record before it. The new one must follow it."),
    ] = None
    previous_key: Annotated[
        list[Path] | None,
        typer.Option(
            "--previous-key",
            metavar="FILE",
            help="Public key that signed --previous, if it is not the --signer's.",
        ),
    ] = None
    is_first: Annotated[
        bool, typer.Option("--first", help="This is the first record of this kind for the product.")
    ] = False
    register: Annotated[
        Path | None,
        typer.Option(
            "--register",
            metavar="FILE",
            help="The published support register (JSON lines). A support record never ends before its dates.",
        ),
    ] = None
    time_s: Annotated[
        int | None,
        typer.Option("--time", min=0, help="Time of publication in unix seconds. Default: now."),
    ] = None
    is_json: JsonOption = False


@with_settings(RecordSettings, "release.record")
def record_command(settings: RecordSettings) -> None:
    """Sign the support record or the security contact of a product. Publish it with `firstboot release publish`.

    Give the earlier record with `--previous`, or `--first` for the first one, whose `sequence` is 1. Raise the
    `sequence` in the product definition with every change. A support period can only get longer: with `--register` the
    command also refuses an end before the published one.

    Example: `firstboot release record support --product product.toml --signer support.pem --out support.cose --first`
    """
    found, kind = load_product(settings.product), settings.kind
    now_s = signing_time(
        settings.time_s, "Units show it as the day of publication: check it, or give --time."
    )
    payload, typ = _payload(kind, found, now_s)
    support_key = open_signer(settings.signer)
    keys = [AnchorKey(support_key.key_id, support_key.algorithm, ROLE_SUPPORT, support_key.public)]
    keys += trusted_keys(settings.previous_key or [], "support")
    before = _before(settings, typ, keys, _sequence(kind, payload))
    _require_newer(kind, before, payload, found)
    if kind is Kind.SUPPORT and settings.register is not None:
        _require_published(settings.register, found)
    data = sign_record(payload, typ, support_key)
    require_capacity("record", len(data))
    replace_file(settings.out, data)
    sequence = _sequence(kind, payload)
    rows = [(kind.value, f"{len(data)} bytes for {found.model}, sequence {sequence}")]
    if kind is Kind.SUPPORT and settings.is_first and settings.register is None:
        rows.append(("register", "not compared with what you published: give --register if you have one"))
    print_result(rows, {"kind": kind.value, "bytes": len(data), "sequence": sequence}, settings.is_json)


def _before(settings: RecordSettings, typ: str, keys: list[AnchorKey], sequence: int) -> bytes | None:
    """Return the payload that the new record has to follow, None for the first one. `sequence`: of the new record.

    Raises InputError without either, for a record that none of these support keys signed, and for a first record with
    another number than FIRST: a shorter period under the first number is one that no unit with a record takes.
    """
    previous = settings.previous
    if previous is not None:
        try:
            return verify_record(previous.read_bytes(), typ, ROLE_SUPPORT, support_anchors(keys))
        except SignatureError as error:
            raise InputError(
                f"{previous} is not signed by the support key ({type(error).__name__}). If another support key signed"
                " it, give that public key with --previous-key."
            ) from None
    if not settings.is_first:
        raise InputError(
            "Give the record that was signed last with --previous, or --first for the first record of a product."
        )
    if settings.out.exists():
        raise InputError(f"{settings.out} exists, so this is not the first record: give it with --previous.")
    if sequence != FIRST:
        raise InputError(
            f"{settings.product} has the sequence number {sequence}, and the first record has {FIRST}: a record was"
            " signed before. Give the last one with --previous; your servers publish it."
        )
    return None


def _payload(kind: Kind, product: Product, published_s: int) -> tuple[bytes, str]:
    if kind is Kind.SUPPORT:
        return record.support_payload(product, published_s), support.TYP
    return record.contact_payload(product), contact.TYP


def _sequence(kind: Kind, payload: bytes) -> int:
    return int((support if kind is Kind.SUPPORT else contact).decode(payload).sequence)


def _require_newer(kind: Kind, before: bytes | None, payload: bytes, product: Product) -> None:
    """Decides as a unit that holds `before`. Raises SupportRecordError, ContactRecordError, CborError."""
    if kind is Kind.CONTACT:
        contact.accept(None if before is None else contact.decode(before), contact.decode(payload))
        return
    current = None if before is None else support.decode(before)
    horizon_s = (record.day_of(product.support.horizon) + 1) * support.DAY_S - 1
    support.accept(current, support.decode(payload), product.class_id, horizon_s)


def _require_published(register: Path, product: Product) -> None:
    """Check that the register has no later end date for this model or class: a first record forgets none of them.

    Raises InputError without a register, RefusedError, RegisterError, LedgerError, OSError.
    """
    lines = Ledger(register).lines()
    if not lines:
        raise InputError(f"There is no line in {register}. Without a register leave --register out.")
    ends = [
        each.end_date
        for each in history(lines)
        if each.model == product.model or each.class_id == product.class_id.hex()
    ]
    if ends and max(ends) > product.support.end_date:
        raise RefusedError(
            [
                f"the register has updates for {product.model} until {max(ends)}, and this record ends on"
                f" {product.support.end_date} (SP-02)"
            ]
        )
