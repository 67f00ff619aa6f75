"""`firstboot site`: build the maker's public pages, and check pages that are online."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.addresses import signer_place
from provisioning.cli.commands import CommandGroup
from provisioning.cli.compliance_inputs import today_utc, trusted_keys
from provisioning.cli.errors import InputError, RefusedError
from provisioning.cli.options import ArchiveOption, JsonOption
from provisioning.cli.output import print_report
from provisioning.cli.release_publish import DestinationSettings, PublishSettings, publish
from provisioning.cli.settings import with_settings
from provisioning.cli.settings_fields import RelativeText
from provisioning.cli.signing_time import warn_of_clock
from provisioning.compliance.archive import slug
from provisioning.compliance.device_record import DeviceRecords
from provisioning.compliance.evidence import Evidence
from provisioning.compliance.signed_evidence import sign_evidence
from provisioning.compliance.site import Site, build_site
from provisioning.compliance.site_check import check_site
from provisioning.counted import counted
from provisioning.file_system import replace_file
from provisioning.keys.signers import open_signer
from provisioning.product.product import Product, load_product

HELP = """Build the maker's public pages: support periods, security contact, statements of compliance.

Put the folder on any web server as it is. `security.txt` is valid for 364 days, and `firstboot site check` warns 30
days before its end. So build and check every week, in a scheduled job.

Example: `firstboot site check site --base-url https://example.com/`
"""

app = CommandGroup(HELP)
BaseOption = Annotated[
    str,
    typer.Option("--base-url", metavar="URL", help="Address of the site, for example https://example.com/."),
]


def bill_from_file(text: str, folder: Path) -> str:
    """MODEL=FILE as a settings file in `folder` names it."""
    model, separator, path = text.partition("=")
    return f"{model}{separator}{folder / path}"


@dataclass(frozen=True, kw_only=True)
class BuildSettings(DestinationSettings):
    """The options of `site build`: the records that the pages are made of, and their destinations."""

    product: Annotated[
        list[Path],
        typer.Option(
            "--product",
            metavar="FILE",
            help="Product definition (TOML). Repeat it for several product types.",
        ),
    ]
    base_url: BaseOption
    register: Annotated[
        Path,
        typer.Option(
            "--register",
            metavar="FILE",
            help="The maker's support register (JSON lines). Keep it permanently.",
        ),
    ]
    archive: ArchiveOption
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder of the site. Replaced if all is in order.")
    ]
    evidence: Annotated[
        Path,
        typer.Option(
            "--evidence", metavar="DIR", help="Folder for the publication evidence of each product."
        ),
    ]
    evidence_key: Annotated[
        str | None,
        typer.Option(
            "--evidence-key",
            metavar="KEY",
            help="The test runner's key, which signs the evidence: PEM file or pkcs11: URI.",
        ),
        RelativeText(signer_place),
    ] = None
    earlier: Annotated[
        list[Path] | None,
        typer.Option(
            "--earlier", metavar="FILE", help="Earlier published register: checks that nothing was removed."
        ),
    ] = None
    bill: Annotated[
        list[str] | None,
        typer.Option(
            "--bill", metavar="MODEL=FILE", help="The product's bill of materials (CycloneDX JSON)."
        ),
        RelativeText(bill_from_file),
    ] = None
    record: Annotated[
        list[Path] | None,
        typer.Option(
            "--record",
            metavar="FILE",
            help="Signed support record for devices (`firstboot release record support`). An extended period needs it.",
        ),
    ] = None
    trust: Annotated[
        list[Path] | None,
        typer.Option("--trust", metavar="FILE", help="Public key of the support role. --record needs it."),
    ] = None
    advisories: Annotated[
        Path | None,
        typer.Option(
            "--advisories",
            metavar="DIR",
            help="Security advisories (`firstboot advisory build`) for the site.",
        ),
    ] = None
    development: Annotated[
        bool,
        typer.Option(
            "--development", help="Allow placeholders of the example definition. The pages show it."
        ),
    ] = False
    is_json: JsonOption = False


@app.command()
@with_settings(BuildSettings, "site.build")
def build(settings: BuildSettings) -> None:
    """Build the site. If anything is wrong, list every problem and change nothing.

    With `--record`, the support record for devices is published together with the pages (SP-03): it must state the
    same day as the page. It is put beside the pages, and with `--store` or `--mqtt` where devices fetch it.

    Example: `firstboot site build --product product.toml --base-url https://example.com/ --register register.jsonl
    --archive archive --out site --evidence evidence`
    """
    warn_of_clock("It decides whether a support period has ended: check it.")
    started = time.monotonic()
    settings.access()  # a wrong address is found before anything is built
    paths = settings.record or []
    found = build_site(site_of(settings))
    save_evidence(settings.evidence, found, settings.evidence_key)
    for path in paths if settings.is_given else []:
        publish(destination(settings, path))
    _report(settings, found, time.monotonic() - started)


def site_of(settings: BuildSettings) -> Site:
    """Return the sources of the site. Raises ProductError, PublicKeyError, InputError, OSError."""
    products = [load_product(path) for path in settings.product]
    records = [path.read_bytes() for path in settings.record or []]
    return Site(
        products,
        settings.base_url,
        settings.register,
        settings.archive,
        settings.out,
        today_utc(),
        tuple(settings.earlier or ()),
        _bills(settings.bill or [], products),
        DeviceRecords(records, trusted_keys(settings.trust or [], "support")),
        settings.development,
        settings.advisories,
    )


def _bills(texts: list[str], products: list[Product]) -> dict[str, bytes]:
    found = {}
    for text in texts:
        model, separator, path = text.partition("=")
        if not separator:
            raise InputError("--bill must be MODEL=FILE.")
        found[model] = Path(path).read_bytes()
    unknown = set(found) - {each.model for each in products}
    if unknown:
        raise InputError(f"No product has the model {', '.join(sorted(unknown))}.")
    return found


def save_evidence(folder: Path, found: list[Evidence], key: str | None) -> None:
    """Signed (.cose) with the test runner's key. Without a key as JSON, on which no statement is issued."""
    folder.mkdir(parents=True, exist_ok=True)
    signer = None if key is None else open_signer(key)
    for each in found:
        path = folder / f"publication-{slug(each.of['model'])}"
        if signer is None:
            replace_file(path.with_name(f"{path.name}.json"), each.to_json())
        else:
            replace_file(path.with_name(f"{path.name}.cose"), sign_evidence(each, signer).record)


def destination(settings: BuildSettings, record: Path) -> PublishSettings:
    """Return the settings with which `release publish` publishes one support record."""
    return PublishSettings(
        support=record,
        mqtt=settings.mqtt,
        ca=settings.ca,
        cert=settings.cert,
        key=settings.key,
        name=settings.name,
        store=settings.store,
    )


def _report(settings: BuildSettings, found: list[Evidence], seconds: float) -> None:
    outcomes = Counter(check.outcome for each in found for check in each.checks)
    records = len(settings.record or [])
    counts = ", ".join(f"{count} {name}" for name, count in outcomes.items())
    lines = [
        f"Built {settings.out} for {len(settings.product)} products; {counts}",
        f"Page, register, feed and {counted(records, 'record')} for devices: {seconds:.1f} s",
    ]
    document = {"site": str(settings.out), "products": len(settings.product), "records": records}
    document |= {"checks": dict(outcomes), "seconds": round(seconds, 3)}
    print_report(lines, document, settings.is_json)


@app.command()
def check(
    site: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="The site's folder, or a copy of the online pages.")
    ],
    base_url: BaseOption,
    is_json: JsonOption = False,
) -> None:
    """Check a finished site: links, language, security.txt and its end date, the register.

    Example: `firstboot site check site --base-url https://example.com/`
    """
    if not site.is_dir():
        raise InputError(f"There is no folder {site}.")
    found = check_site(site, base_url, today_utc())
    lines = [] if found else ["The site is in order."]
    print_report(lines, {"is_in_order": not found, "problems": found}, is_json)
    if found:
        raise RefusedError(found, heading="Refused:")
