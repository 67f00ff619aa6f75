"""The maker's static site, made from the records that units and statements are made from: nothing is typed twice.

Rules:
1. Everything is checked before a page is replaced: one problem and the site stays as it was, the register too.
2. The support register only grows. What this site published before, and every earlier copy that is given, has to be
   its beginning (SP-02).
3. Pages need no script, no form, no account and nothing from another host (RP-04, SP-04); `site_check.py` reads the
   finished pages for that before they are put in place.
4. Each build gives publication evidence, which a statement of compliance is issued on.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from device.records.support import days_from_civil, sentence
from provisioning.compliance import coverage, plain
from provisioning.compliance.archive import Archive, slug
from provisioning.compliance.check import REGISTER, SECURITY_TXT, STATEMENTS
from provisioning.compliance.device_record import NO_RECORDS, DeviceRecords, record_problems
from provisioning.compliance.evidence import FAIL, NOT_APPLICABLE, PASS, PUBLICATION, Check, Evidence
from provisioning.compliance.forms import date_words, environment, period_text
from provisioning.compliance.ledger import Ledger, LedgerError, check_continues, parse
from provisioning.compliance.security_txt import make_security_txt
from provisioning.compliance.site_check import check_site
from provisioning.compliance.statement import ISO_29147
from provisioning.compliance.support_register import (
    Publication,
    RegisterError,
    current,
    history,
    publish,
)
from provisioning.product.public_texts import acknowledgement_words, status_update_words

if TYPE_CHECKING:
    from provisioning.product.product import Product

TEMPLATES: Final = Path(__file__).parent / "templates" / "site"
PLAIN: Final = (
    "A security update fixes a weak spot in your product. Your product looks for new ones on its own. They are free.",
    "You can still use your product after the last day. But from then on we may not fix new weak spots.",
)


class SiteError(Exception):
    """The site was not built; what was there is as it was. `problems`: one sentence each, with a requirement's id."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("no site: " + "; ".join(self.problems))


@dataclass(frozen=True)
class Site:
    """What a site is made from. `register` is the maker's own ledger; `out` is replaced as a whole."""

    products: Sequence[Product]
    base_url: str
    register: Path
    archive: Path
    out: Path
    today: dt.date
    earlier: Sequence[Path] = ()
    bills: Mapping[str, bytes] | None = None  # bill of materials (CycloneDX) by model
    device: DeviceRecords = NO_RECORDS  # the support records that devices get


def build_site(site: Site) -> list[Evidence]:
    """Build the site; the publication evidence of each product. Raises SiteError, OSError."""
    failed = {product.model: _failures(product, site) for product in site.products}
    found = _common_problems(site)
    records, told = _records_for_devices(site)
    found += told
    found += [f"{model}: {text}" for model, failures in failed.items() for text in failures.values()]
    if found:
        raise SiteError(found)
    draft = site.out.with_name(f".{site.out.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        for model, record in records.items():
            _write(draft / record_path(model), record)
        _publish(site, draft)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return [_evidence(product, failed[product.model], site.today) for product in site.products]


def record_path(model: str) -> str:
    """Where below the site the signed support record of a model lies."""
    return f"records/support-{slug(model)}.cose"


def _records_for_devices(site: Site) -> tuple[dict[str, bytes], list[str]]:
    """The devices' records by model, and what stands against them beside the pages (SP-03)."""
    try:
        published = current(Ledger(site.register).lines())
    except (LedgerError, RegisterError):
        published = {}  # told by the build itself, with its own words
    problems, records = record_problems(site.products, published, site.device)
    return records, problems


def _publish(site: Site, draft: Path) -> None:
    """Register first on trial, then pages, then the check; only then the maker's own register and the site itself."""
    trial = Ledger(draft / REGISTER)
    try:
        if Ledger(site.register).lines():
            shutil.copyfile(site.register, trial.path)
        now = publish(trial, site.products, site.today)
        for place in (site.out / REGISTER, *site.earlier):
            if place.exists():
                check_continues(parse(place.read_bytes(), str(place)), trial.lines())
        if site.out.exists() and not (site.out / REGISTER).exists():
            raise LedgerError(f"{site.out} is there but holds no {REGISTER}: it is no site of ours")
        _write_pages(site, draft, now, history(trial.lines()))
    except (LedgerError, RegisterError) as error:
        raise SiteError([f"{error} (SP-02)"]) from None
    found = check_site(draft, site.base_url, site.today)
    if found:
        raise SiteError(found)
    publish(Ledger(site.register), site.products, site.today)
    old = site.out.with_name(f".{site.out.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if site.out.exists():
        os.replace(site.out, old)
    os.replace(draft, site.out)
    shutil.rmtree(old, ignore_errors=True)


def policy_path(product: Product, base_url: str) -> str | None:
    """Where below the site the reporting page lies, None where the policy's address is not on this site."""
    if not product.contact.policy.startswith(base_url):
        return None
    return product.contact.policy[len(base_url) :].strip("/") + "/index.html"


def _common_problems(site: Site) -> list[str]:
    found = []
    if not site.base_url.startswith("https://") or not site.base_url.endswith("/"):
        found.append("the site's address must begin with https:// and end with /")
    if not site.products:
        found.append("there is no product to publish")
    if len({slug(product.model) for product in site.products}) != len(site.products):
        found.append("two products have the same name in addresses")
    contacts = {
        (each.contact.report, each.contact.acknowledgement, each.contact.status_updates, each.contact.policy)
        for each in site.products
    }
    if len(contacts) > 1:
        found.append("the products name different contacts, times or policies; one site has one (RP-01)")
    return found


def _failures(product: Product, site: Site) -> dict[str, str]:
    """Requirement id -> why it is not met by what would be published."""
    failed: dict[str, str] = {}
    if policy_path(product, site.base_url) in (None, "/index.html"):
        failed["RP-01"] = f"the policy {product.contact.policy} is no page of {site.base_url} (RP-01)"
    bill = (site.bills or {}).get(product.model)
    for name, gaps in (
        ("RP-05", coverage.reporting_gaps(product, bill)),
        ("SP-06", coverage.support_gaps(product)),
    ):
        if gaps:
            failed[name] = f"{'; '.join(gaps)} ({name})"
    if product.publication is None:
        failed["SP-05"] = "[publication] with its main characteristics is missing (SP-05)"
        return failed
    if _declares_iso(product) and product.publication.how_to_report is None:
        failed["RP-07"] = "the ISO/IEC 29147 route needs [publication] how_to_report (RP-07)"
    words = plain.problems(_support_words(product), _sentence(product))
    if words:
        failed["SP-04"] = f"the page about its support period: {'; '.join(words)} (SP-04)"
    return failed


def _declares_iso(product: Product) -> bool:
    return product.statement.standards.get("reporting") == ISO_29147


def _sentence(product: Product) -> str:
    end = product.support.end_date
    return sentence(product.model, days_from_civil(end.year, end.month, end.day))


def _support_words(product: Product) -> str:
    summary = product.publication.summary if product.publication else ""
    return " ".join((summary, _sentence(product), *PLAIN))


def _evidence(product: Product, failed: Mapping[str, str], today: dt.date) -> Evidence:
    from provisioning.compliance.evidence import REQUIRED

    checks = []
    for name in REQUIRED[PUBLICATION]:
        outcome, detail = PASS, "checked in the records and on the finished pages"
        if name == "RP-07" and not _declares_iso(product):
            outcome, detail = NOT_APPLICABLE, "the ISO/IEC 29147 route is not declared"
        if name in failed:
            outcome, detail = FAIL, failed[name]
        checks.append(Check(name, outcome, detail))
    of = {"model": product.model, "end_date": product.support.end_date.isoformat()}
    return Evidence(PUBLICATION, of, today, tuple(checks))


# Pages ----------------------------------------------------------------------------------------------------


def _write_pages(
    site: Site, draft: Path, now: Mapping[str, Publication], register: Sequence[Publication]
) -> None:
    first = site.products[0]
    policy = policy_path(first, site.base_url) or ""
    archive = Archive(site.archive)
    archive.verify()
    statements = archive.statements()
    facts = [
        _facts(product, [each for each in statements if each.model == product.model])
        for product in site.products
    ]
    rows = [_row(number, each) for number, each in enumerate(register, 1)]
    common = {
        "maker": first.manufacturer.name,
        "policy_path": policy,
        "base_url": site.base_url,
        "products": facts,
        "statements": statements,
        "history": rows,
        "current": [_row(0, now[model]) for model in sorted(now)],
        "plain": PLAIN,
        "contact": _contact(first),
        "how_to_report": [
            each.publication.how_to_report
            for each in site.products
            if each.publication is not None and each.publication.how_to_report
        ],
    }
    pages: list[tuple[str, str, dict[str, Any]]] = [
        ("index.html", "index.html", {}),
        ("support/index.html", "register.html", {}),
        ("support.xml", "feed.html", {}),
        ("statements/index.html", "statements.html", {}),
        (policy, "reporting.html", {}),
    ]
    for product in facts:
        folder = f"products/{product['slug']}"
        for name, template in (("index", "product"), ("block", "block"), ("sales-example", "sales-example")):
            pages.append((f"{folder}/{name}.html", f"{template}.html", {"product": product}))
    templates = environment(TEMPLATES)
    for path, template, more in pages:
        root = "../" * path.count("/")
        _write(draft / path, templates.get_template(template).render(common | more | {"root": root}).encode())
    _write(draft / "style.css", (TEMPLATES / "style.css").read_bytes())
    canonical = site.base_url + SECURITY_TXT
    _write(
        draft / SECURITY_TXT,
        make_security_txt([first.contact.report], first.contact.policy, canonical, site.today),
    )
    _copy_archive(archive, draft / STATEMENTS)


def _copy_archive(archive: Archive, place: Path) -> None:
    """A copy of the whole archive, so that the published ledger of statements can be checked too."""
    if archive.ledger.path.exists():
        shutil.copyfile(archive.ledger.path, place / archive.ledger.path.name)
    for each in archive.statements():
        shutil.copytree(each.folder, place / each.id)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _row(number: int, publication: Publication) -> dict[str, Any]:
    return {
        "number": number,
        "model": publication.model,
        "period": period_text(publication.period),
        "end_date": publication.end_date.isoformat(),
        "end_words": date_words(publication.end_date.isoformat()),
        "published": publication.published.isoformat(),
    }


def _contact(product: Product) -> dict[str, str]:
    contact = product.contact
    return {
        "report": contact.report,
        "shown": contact.report.removeprefix("mailto:").removeprefix("tel:"),
        "acknowledgement": acknowledgement_words(contact.acknowledgement),
        "status_updates": status_update_words(contact.status_updates),
    }


def _facts(product: Product, statements: Sequence[Any]) -> dict[str, Any]:
    end = product.support.end_date.isoformat()
    publication = product.publication
    return {
        "slug": slug(product.model),
        "brand": product.brand,
        "model": product.model,
        "summary": publication.summary if publication else "",
        "characteristics": publication.main_characteristics if publication else (),
        "sentence": _sentence(product),
        "period": period_text(product.support.period),
        "end_date": end,
        "end_words": date_words(end),
        "covered": [
            {
                "name": part.name,
                "until": date_words(part.updates_until) if part.updates_until else "has none to update",
            }
            for part in coverage.join(product)
        ],
        "statements": statements,
    }
