"""`firstboot failure notify` and `authority`: the notices of section 11, once for each party."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from provisioning.cli.errors import InputError, RefusedError
from provisioning.cli.failure_access import DecisionSettings, both, decision_of, done
from provisioning.cli.one_line import one_line
from provisioning.cli.options import ProductOption
from provisioning.cli.output import print_report
from provisioning.cli.report_access import moment
from provisioning.cli.settings import with_settings
from provisioning.compliance.ledger import Ledger
from provisioning.counted import counted
from provisioning.disclosure import letter
from provisioning.failures import desk
from provisioning.failures.notify import Maker, Written, write_files
from provisioning.failures.notify import notify as queue_notices
from provisioning.failures.parties import parties_of
from provisioning.file_system import is_there
from provisioning.mail_address import is_address
from provisioning.product.product import load_product
from provisioning.registry.consignees import CUSTOMER


@dataclass(frozen=True, kw_only=True)
class NotifySettings(DecisionSettings):
    """The options of `failure notify`: the packing list, the definition, and where the notices are written."""

    packing: Annotated[
        Path,
        typer.Option("--packing", metavar="FILE", help="The packing list: it names who got the units."),
    ]
    product: ProductOption
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="Folder for the notices, as text and JSON.")]
    authority: Annotated[
        str | None,
        typer.Option(
            "--authority",
            metavar="ADDRESS",
            help="Mail address of the enforcement authority. Default: a file to post.",
        ),
    ] = None
    without_customers: Annotated[
        bool,
        typer.Option(
            "--without-customers", help="No notice to customers: section 11 does not require it today."
        ),
    ] = False


@dataclass(frozen=True, kw_only=True)
class AuthoritySettings(DecisionSettings):
    """The options of `failure authority`: when it was notified, and its reference."""

    at: Annotated[str, typer.Option("--at", metavar="TIME", help="When, like 2026-12-01T09:30Z.")]
    reference: Annotated[
        str,
        typer.Option(
            "--reference", metavar="TEXT", callback=one_line("reason"), help="What the authority calls it."
        ),
    ]


@with_settings(NotifySettings, "failure.notify")
def notify(settings: NotifySettings) -> None:
    """Write the notices of section 11: to the authority, other manufacturers, and everybody who got units of the batch.

    Each party gets one notice of the failure and one of its result, however often you run this. `firstboot report send`
    sends those with a mail address; post the others, and record it with `firstboot report settle-mail`.

    Example: `firstboot failure notify CF-2026-0001 --cases reports.db --registry registry.db --packing packing.jsonl
    --product product.toml --to notices --by "E. Example"`
    """
    if settings.authority is not None and not is_address(settings.authority):
        raise InputError("--authority is not a plain mail address.")
    if not is_there(settings.packing):
        raise InputError(f"--packing: there is no packing list {settings.packing}.")
    product = load_product(settings.product)
    maker = Maker(product.manufacturer.name, letter.domain_of(product.contact.report))
    with both(settings) as (store, registry):
        decision = decision_of(store, settings)
        found = desk.load(store, settings.number)
        if product.model != found.model:
            raise InputError(f"--product: {product.model} is not {found.model}, the product of {found.code}.")
        entries = Ledger(settings.packing).entries()
        whom = parties_of(found, registry, entries, product, settings.authority)
        chosen = [one for one in whom.parties if not (settings.without_customers and one.role == CUSTOMER)]
        written = queue_notices(store, settings.number, chosen, maker, decision)
        found = desk.load(store, settings.number)
        files = write_files(store, found, written, maker, settings.to)
    lines = [_line(each) for each in written]
    lines.append(
        f"Wrote {counted(len(files), 'file')} into {settings.to}."
        " Next: `firstboot report send`, and post what has no address."
    )
    document = {
        "number": found.code,
        "notices": [_document(each) for each in written],
        "without_consignee": list(whom.unnamed),
    }
    print_report(lines, document, settings.is_json)
    if whom.unnamed:
        shown = ", ".join(whom.unnamed[:5])
        raise RefusedError(
            [
                f"{counted(len(whom.unnamed), 'unit')} shipped without a consignee ({shown}): notify who got them"
            ]
        )


def _line(written: Written) -> str:
    party = written.party
    how = party.email or "by post"
    count = len(party.serials)
    units = f", {count} {'unit' if count == 1 else 'units'}" if count else ""
    mark = "new" if written.is_new else "earlier"
    return f"{mark:8}{written.status:12}{party.role:13}{party.name} ({how}){units}"


def _document(written: Written) -> dict[str, Any]:
    party = written.party
    return {
        "party": party.id,
        "role": party.role,
        "is_required_by_s11": party.is_required,
        "units": len(party.serials),
        "is_new": written.is_new,
        "status": written.status,
        "message_id": written.message_id or None,
    }


@with_settings(AuthoritySettings, "failure.authority")
def authority(settings: AuthoritySettings) -> None:
    """Record that you notified the enforcement authority in another way, such as its form or the telephone.

    Example: `firstboot failure authority CF-2026-0001 --cases reports.db --registry registry.db
    --at 2026-12-01T09:30Z --reference OPSS-1234 --by "E. Example"`
    """
    at_s = moment(settings.at)
    assert at_s is not None  # noqa: S101 - the option is required
    with both(settings) as (store, registry):
        found = desk.record_authority(
            store, settings.number, at_s, settings.reference, decision_of(store, settings)
        )
        done(store, registry, found, settings.by, is_json=settings.is_json)
