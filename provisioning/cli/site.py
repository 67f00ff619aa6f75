"""`firstboot site`: build the maker's static site from the records, and check one that is online."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from provisioning.cli.commands import CommandGroup
from provisioning.cli.errors import err
from provisioning.cli.release_publish import publish_command
from provisioning.cli.statement import FAILED, ArchiveOption, today_utc, trusted_keys
from provisioning.compliance.archive import ArchiveError, slug
from provisioning.compliance.coverage import BillError
from provisioning.compliance.device_record import DeviceRecords
from provisioning.compliance.evidence import Evidence
from provisioning.compliance.ledger import LedgerError
from provisioning.compliance.signed_evidence import sign_evidence
from provisioning.compliance.site import Site, SiteError, build_site
from provisioning.compliance.site_check import check_site
from provisioning.keys.signers import open_signer
from provisioning.product.product import load_product

HELP = """Build the maker's public pages from the records of its units: support periods, contact, statements.

Put the folder on any web server as it is. `security.txt` is valid for 364 days and `firstboot site check` warns thirty
days before: build and check from a job that runs every week.

Exit codes: 0 done; 1 refused, with each reason in one sentence; 2 the input cannot be used.
"""

app = CommandGroup(HELP)
BaseOption = Annotated[
    str, typer.Option("--base-url", help="Where the site will be, like https://example.com/.")
]


@app.command()
def build(  # noqa: PLR0913, PLR0917 - one parameter for each option
    product: Annotated[
        list[Path], typer.Option(help="Product definitions (TOML), one for each product type.")
    ],
    base_url: BaseOption,
    register: Annotated[Path, typer.Option(help="The maker's support register (JSON lines), kept for good.")],
    archive: ArchiveOption,
    out: Annotated[Path, typer.Option(help="Folder of the site; replaced as a whole when all is in order.")],
    evidence: Annotated[Path, typer.Option(help="Folder for the publication evidence of each product.")],
    earlier: Annotated[
        list[Path] | None,
        typer.Option(help="Earlier published registers, to prove that nothing was taken back."),
    ] = None,
    bill: Annotated[
        list[str] | None, typer.Option(help="MODEL=FILE: the product's bill of materials (CycloneDX JSON).")
    ] = None,
    record: Annotated[
        list[Path] | None,
        typer.Option(
            help="Signed support record for devices (firstboot release record support); needed with an extension."
        ),
    ] = None,
    trust: Annotated[
        list[Path] | None, typer.Option(help="Public key of the support role; needed with --record.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder that the CoAP server serves: the records go there too.")
    ] = None,
    mqtt: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Broker: the records go there too.")
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="Authority of the broker's certificate (PEM).")] = None,
    cert: Annotated[Path | None, typer.Option(help="Certificate of the user `publisher` (PEM).")] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key (PEM); read, never shown.")] = None,
    evidence_key: Annotated[
        str | None, typer.Option(help="The test runner's key (PEM file or pkcs11: URI): signs the evidence.")
    ] = None,
    development: Annotated[
        bool, typer.Option("--development", help="Allow placeholders of the example; the pages say so.")
    ] = False,
) -> None:
    """Build the site. If anything is wrong, list every problem and change nothing.

    With --record the devices' support record joins the same run (SP-03): refused where it says another day than the
    page, put beside the pages, and with --store and --mqtt published where devices fetch it.
    """
    started = time.monotonic()
    records = DeviceRecords(
        [path.read_bytes() for path in record or []], trusted_keys(trust or [], "support")
    )
    products = [load_product(path) for path in product]
    bills = dict(_bill(text) for text in bill or [])
    unknown = set(bills) - {each.model for each in products}
    if unknown:
        raise ValueError(f"no product is called {', '.join(sorted(unknown))}")
    try:
        found = build_site(
            Site(
                products,
                base_url,
                register,
                archive,
                out,
                today_utc(),
                tuple(earlier or ()),
                bills,
                records,
                development,
            )
        )
    except SiteError as error:
        _report(error.problems)
    except (BillError, ArchiveError, LedgerError) as error:
        _report([str(error)])
    _write_evidence(evidence, found, evidence_key)
    outcomes = Counter(check.outcome for each in found for check in each.checks)
    typer.echo(
        f"built {out} for {len(products)} products; "
        + ", ".join(f"{n} {name}" for name, n in outcomes.items())
    )
    for path in record or []:
        if store is not None or mqtt is not None:
            publish_command(support=path, store=store, mqtt=mqtt, ca=ca, cert=cert, key=key)
    typer.echo(
        f"page, register, feed and {len(record or [])} records for devices: {time.monotonic() - started:.1f} s"
    )


@app.command()
def check(
    site: Annotated[Path, typer.Argument(help="The site's folder, or a copy of what is online.")],
    base_url: BaseOption,
) -> None:
    """Check a finished site: links, language, security.txt and its expiry, the register."""
    if not site.is_dir():
        raise ValueError(f"there is no folder {site}")
    found = check_site(site, base_url, today_utc())
    if found:
        _report(found)
    typer.echo("the site is in order")


def _write_evidence(folder: Path, found: list[Evidence], key: str | None) -> None:
    """Signed (.cose) with the runner's key; without one as JSON, on which no statement is issued."""
    folder.mkdir(parents=True, exist_ok=True)
    signer = None if key is None else open_signer(key)
    for each in found:
        path = folder / f"publication-{slug(each.of['model'])}"
        if signer is None:
            path.with_name(f"{path.name}.json").write_bytes(each.to_json())
        else:
            path.with_name(f"{path.name}.cose").write_bytes(sign_evidence(each, signer).record)


def _bill(text: str) -> tuple[str, bytes]:
    model, sign, path = text.partition("=")
    if not sign:
        raise ValueError("a bill of materials is given as MODEL=FILE")
    return model, Path(path).read_bytes()


def _report(problems: list[str]) -> None:
    err.print("[bold red]refused:[/]")
    for problem in problems:
        err.print(f"  {problem}", markup=False)
    raise typer.Exit(FAILED)
