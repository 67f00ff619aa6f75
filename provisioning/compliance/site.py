"""Build the maker's static site from the product definitions, the support register and the issued statements.

Rules:
1. Everything is checked before a page is replaced. If there is a problem, site and register stay as they were.
2. The support register only grows. Every copy of it (`register_copies.py`) has to be its beginning (SP-02).
3. Pages need no script, no form, no account and nothing from another host (RP-04, SP-04). `site_check.py` checks the
   finished pages for that before they are put in place.
4. Each build returns publication evidence. A statement of compliance is issued on it.
5. The reporting page has an address of its own: no definition can replace another page or leave the site's folder.
6. Placeholders of the example definition are published for development only, and the pages say so.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from device.records.support import days_from_civil, sentence
from provisioning.compliance import coverage, plain
from provisioning.compliance.advisory_copy import AdvisoryError, require_all
from provisioning.compliance.archive import Archive, ArchiveError, slug
from provisioning.compliance.check import REGISTER, STATEMENTS
from provisioning.compliance.check_outcomes import FAIL, NOT_APPLICABLE, PASS, Check
from provisioning.compliance.device_record import NO_RECORDS, DeviceRecords, record_problems
from provisioning.compliance.evidence import PUBLICATION, REQUIRED, Evidence
from provisioning.compliance.ledger import Ledger, LedgerError
from provisioning.compliance.lifecycle import lifecycle_files
from provisioning.compliance.register_copies import (
    archive_copy,
    check_archive,
    check_copies,
    keep_copy,
    stated_problems,
)
from provisioning.compliance.site_check import check_site, cited
from provisioning.compliance.site_pages import PLAIN, write, write_pages
from provisioning.compliance.statement import ISO_29147
from provisioning.compliance.support_register import (
    Publication,
    RegisterError,
    current,
    history,
    publish,
)
from provisioning.file_system import naming, swap_folder
from provisioning.product.placeholders import placeholders
from provisioning.product.public_texts import POLICY, is_site_address

if TYPE_CHECKING:
    from provisioning.product.product import Product

# First parts of addresses that belong to the site's own pages and files.
RESERVED: Final = frozenset(
    {
        "index.html",
        "style.css",
        "support",
        "support.xml",
        "products",
        "statements",
        "records",
        "advisories",
        ".well-known",
        REGISTER,
    }
)


class SiteError(Exception):
    """The site was not built, and nothing was changed. `problems`: one sentence each, with a requirement's id."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("no site: " + "; ".join(self.problems))


@dataclass(frozen=True)
class Site:
    """The sources of a site. `register` is the maker's own ledger; `out` is replaced as a whole."""

    products: Sequence[Product]
    base_url: str
    register: Path
    archive: Path
    out: Path
    today: dt.date
    earlier: Sequence[Path] = ()
    bills: Mapping[str, bytes] | None = None  # bill of materials (CycloneDX) by model
    device: DeviceRecords = NO_RECORDS  # the support records that devices get
    is_development: bool = False  # placeholders are allowed, and the pages say so
    advisories: Path | None = None  # a folder of `firstboot advisory build`


def build_site(site: Site) -> list[Evidence]:
    """Build the site. Returns the publication evidence of each product. Raises SiteError, OSError."""
    failed = {product.model: _failures(product, site) for product in site.products}
    found = _common_problems(site)
    records, problems = _records_for_devices(site)
    found += problems
    found += [f"{model}: {text}" for model, failures in failed.items() for text in failures.values()]
    if found:
        raise SiteError(found)
    draft = site.out.with_name(f".{site.out.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        with naming(site.out, draft=draft):
            for product in site.products:
                if product.model in records:
                    _write_record(draft, product, records[product.model])
            _publish(site, draft)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return [_evidence(product, failed[product.model], site) for product in site.products]


def _write_record(draft: Path, product: Product, record: bytes) -> None:
    """Write the record that devices get, and its days for other programs."""
    write(draft, record_path(product.model), record)
    for path, data in lifecycle_files(product, record).items():
        write(draft, path, data)


def record_path(model: str) -> str:
    """Return the path below the site of the signed support record of a model."""
    return f"records/support-{slug(model)}.cose"


def _records_for_devices(site: Site) -> tuple[dict[str, bytes], list[str]]:
    """Return the devices' records by model, and every contradiction between them and the pages (SP-03)."""
    try:
        published = current(Ledger(site.register).lines())
    except (LedgerError, RegisterError):
        published = {}  # the build itself reports this error
    problems, records = record_problems(site.products, published, site.device)
    return records, problems


def _publish(site: Site, draft: Path) -> None:
    """Extend a copy of the register, write and check the pages; then replace the register and the site."""
    trial = Ledger(draft / REGISTER)
    register = Ledger(site.register)
    try:
        check_archive(register.lines(), site.out / STATEMENTS, Archive(site.archive))
        if register.lines():
            shutil.copyfile(site.register, trial.path)
        now = publish(trial, site.products, site.today)
        check_copies(trial.lines(), (site.out / REGISTER, archive_copy(site.archive), *site.earlier))
        if site.out.exists() and not (site.out / REGISTER).exists():
            raise LedgerError(
                f"{site.out} exists but has no {REGISTER}: it is not a site that this command built"
            )
        require_all(site.out, site.advisories)
        policy = policy_path(site.products[0], site.base_url) or ""
        write_pages(site, draft, policy, now, history(trial.lines()))
    except AdvisoryError as error:
        raise SiteError([cited(str(error), "RP-09")]) from None
    except (LedgerError, RegisterError) as error:
        raise SiteError([cited(str(error), "SP-02")]) from None
    found = check_site(draft, site.base_url, site.today)
    if found:
        raise SiteError(found)
    publish(register, site.products, site.today)
    keep_copy(register, site.archive)
    swap_folder(draft, site.out)


def policy_path(product: Product, base_url: str) -> str | None:
    """Return the path of the reporting page below the site; None if the policy's address is not there."""
    address = product.contact.policy
    if not POLICY.fullmatch(address) or not address.startswith(base_url):
        return None
    path = address[len(base_url) :].strip("/")
    if not path or path.partition("/")[0].casefold() in RESERVED:
        return None
    return f"{path}/index.html"


def _common_problems(site: Site) -> list[str]:
    found = []
    if not is_site_address(site.base_url):
        found.append("the site's address must be a plain https address and end with /")
    if not site.products:
        found.append("there is no product to publish")
    if len({slug(product.model).casefold() for product in site.products}) != len(site.products):
        found.append("two products have model names that give the same address; rename one")
    contacts = {
        (each.contact.report, each.contact.acknowledgement, each.contact.status_updates, each.contact.policy)
        for each in site.products
    }
    if len(contacts) > 1:
        found.append(
            "the products name different contacts, times or policies, but a site can have only one of each (RP-01)"
        )
    if not site.is_development:
        found += [f"{each.model}: {text}" for each in site.products for text in placeholders(each)]
    try:
        found += stated_problems(site.products, Archive(site.archive))
    except (LedgerError, ArchiveError) as error:
        found.append(f"the archive of statements cannot be read: {error}")
    return found


def _failures(product: Product, site: Site) -> dict[str, str]:
    """Return, by requirement id, why the publication would not meet the requirement."""
    failed: dict[str, str] = {}
    if policy_path(product, site.base_url) is None:
        failed["RP-01"] = (
            f"the policy {product.contact.policy} needs an address on {site.base_url} that no other page or file has"
            " (RP-01)"
        )
    bill = (site.bills or {}).get(product.model)
    for name, gaps in (
        ("RP-05", coverage.reporting_gaps(product, bill)),
        ("SP-06", coverage.support_gaps(product)),
    ):
        if gaps:
            failed[name] = f"{'; '.join(gaps)} ({name})"
    if product.publication is None:
        failed["SP-05"] = "the table [publication] with the main characteristics is missing (SP-05)"
        return failed
    if _declares_iso(product) and product.publication.how_to_report is None:
        failed["RP-07"] = "the ISO/IEC 29147 route needs how_to_report in [publication] (RP-07)"
    words = plain.problems(_support_words(product), _sentence(product))
    if words:
        failed["SP-04"] = f"the page about the support period: {'; '.join(words)} (SP-04)"
    return failed


def _declares_iso(product: Product) -> bool:
    return product.statement.standards.get("reporting") == ISO_29147


def _sentence(product: Product) -> str:
    end = product.support.end_date
    return sentence(product.model, days_from_civil(end.year, end.month, end.day))


def _support_words(product: Product) -> str:
    summary = product.publication.summary if product.publication else ""
    return " ".join((summary, _sentence(product), *PLAIN))


def _evidence(product: Product, failed: Mapping[str, str], site: Site) -> Evidence:
    checks = []
    for name in REQUIRED[PUBLICATION]:
        outcome, detail = PASS, "checked in the records and on the finished pages"
        if name == "RP-07" and not _declares_iso(product):
            outcome, detail = NOT_APPLICABLE, "the ISO/IEC 29147 route is not declared"
        if name in failed:
            outcome, detail = FAIL, failed[name]
        checks.append(Check(name, outcome, detail))
    of = {
        "model": product.model,
        "end_date": product.support.end_date.isoformat(),
        "published_sha256": Publication.of(product, site.today).digest(),
    }
    if site.is_development:
        of["development"] = "placeholders were allowed"
    return Evidence(PUBLICATION, of, site.today, tuple(checks))
