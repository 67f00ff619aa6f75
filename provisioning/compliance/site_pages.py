"""Write the pages of the maker's site from templates. `site.py` decides whether they may be published.

Rules:
1. No page replaces another, and none is written outside the site's folder.
2. A printed support period is the time between the printed days; answer times are printed from their values.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from device.records.support import days_from_civil, sentence
from provisioning.compliance import coverage
from provisioning.compliance.advisory_copy import copy_advisories
from provisioning.compliance.archive import Archive, Archived, slug
from provisioning.compliance.check import SECURITY_TXT, STATEMENTS
from provisioning.compliance.forms import environment
from provisioning.compliance.lifecycle import cyclonedx_path, openeox_path
from provisioning.compliance.security_txt import make_security_txt
from provisioning.compliance.withdrawals import PATTERN
from provisioning.csaf_names import METADATA
from provisioning.file_system import create_file, paths_in
from provisioning.product.periods import date_words, period_in_words
from provisioning.product.public_texts import acknowledgement_words, status_update_words

if TYPE_CHECKING:
    from provisioning.compliance.site import Site
    from provisioning.compliance.support_register import Publication
    from provisioning.product.product import Product

TEMPLATES: Final = Path(__file__).parent / "templates" / "site"
PLAIN: Final = (
    "A security update fixes a weak spot in your product. Your product looks for updates on its own. They are free.",
    "You can still use your product after the last day. But from then on we may not fix new weak spots.",
)


def write_pages(
    site: Site, draft: Path, policy: str, now: Mapping[str, Publication], register: Sequence[Publication]
) -> None:
    """Write every page, the style sheet, security.txt and a copy of the archive into `draft`.

    `policy`: path of the reporting page; `now` and `register`: what the support register holds with this build.
    Raises ArchiveError, LedgerError, SecurityTxtError, AdvisoryError, OSError.
    """
    first = site.products[0]
    archive = Archive(site.archive)
    archive.verify()
    common = _common(site, policy, archive.statements(), now, register)
    common["dated"] = {
        slug(each.model): [openeox_path(each.model), cyclonedx_path(each.model)]
        for each in site.products
        if (draft / cyclonedx_path(each.model)).exists()
    }
    templates = environment(TEMPLATES)
    for path, template, more in _pages(policy, common["products"]):
        values = common | more | {"root": "../" * path.count("/")}
        write(draft, path, templates.get_template(template).render(values).encode())
    write(draft, "style.css", (TEMPLATES / "style.css").read_bytes())
    canonical = site.base_url + SECURITY_TXT
    contact = first.contact
    csaf = ""
    if site.advisories is not None:
        copy_advisories(site.advisories, draft)
        csaf = site.base_url + METADATA
    contacts = [contact.report, *_report_forms(site.products)]
    security_txt = make_security_txt(contacts, contact.policy, canonical, site.today, csaf)
    write(draft, SECURITY_TXT, security_txt)
    _copy_archive(archive, draft / STATEMENTS)


def _common(
    site: Site,
    policy: str,
    statements: Sequence[Archived],
    now: Mapping[str, Publication],
    register: Sequence[Publication],
) -> dict[str, Any]:
    """Return the values that every template gets."""
    first = site.products[0]
    return {
        "maker": first.manufacturer.name,
        "is_development": site.is_development,
        "has_advisories": site.advisories is not None,
        "policy_path": policy,
        "base_url": site.base_url,
        "products": [
            _facts(product, [each for each in statements if each.model == product.model])
            for product in site.products
        ],
        "statements": statements,
        "history": [_row(number, each) for number, each in enumerate(register, 1)],
        "current": [_row(0, now[model]) for model in sorted(now)],
        "plain": PLAIN,
        "contact": _contact(first),
        "report_forms": _report_forms(site.products),
        "how_to_report": [
            each.publication.how_to_report
            for each in site.products
            if each.publication is not None and each.publication.how_to_report
        ],
    }


def _pages(policy: str, products: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (path, template, further values) of each page."""
    yield "index.html", "index.html", {}
    yield "support/index.html", "register.html", {}
    yield "support.xml", "feed.html", {}
    yield "statements/index.html", "statements.html", {}
    yield policy, "reporting.html", {}
    for product in products:
        folder = f"products/{product['slug']}"
        for name, template in (("index", "product"), ("block", "block"), ("sales-example", "sales-example")):
            yield f"{folder}/{name}.html", f"{template}.html", {"product": product}


def write(root: Path, path: str, data: bytes) -> None:
    """Write one new file below `root` (rule 1). Raises FileExistsError, ValueError for a path that leaves it."""
    place = root / path
    if not place.resolve().is_relative_to(root.resolve()):
        raise ValueError(f"{path} is not inside the site")
    place.parent.mkdir(parents=True, exist_ok=True)
    create_file(place, data)


def _copy_archive(archive: Archive, place: Path) -> None:
    """Copy the whole archive: statements, their ledger, and the signed lists of withdrawn units."""
    if archive.ledger.path.exists():
        shutil.copyfile(archive.ledger.path, place / archive.ledger.path.name)
    for withdrawals in paths_in(archive.root, PATTERN):
        shutil.copyfile(withdrawals, place / withdrawals.name)
    for each in archive.statements():
        shutil.copytree(each.folder, place / each.id)


def _row(number: int, publication: Publication) -> dict[str, Any]:
    end = publication.end_date
    return {
        "number": number,
        "model": publication.model,
        "period": period_in_words(publication.period, end, publication.start_date),
        "end_date": end.isoformat(),
        "end_words": date_words(end.isoformat()),
        "published": publication.published.isoformat(),
        "published_words": date_words(publication.published.isoformat()),
    }


def _report_forms(products: Sequence[Product]) -> list[str]:
    """Return the addresses of the maker's report forms, each once."""
    found = [each.publication.report_form for each in products if each.publication is not None]
    return list(dict.fromkeys(address for address in found if address))


def _contact(product: Product) -> dict[str, str]:
    contact = product.contact
    return {
        "report": contact.report,
        "shown": contact.report.removeprefix("mailto:").removeprefix("tel:"),
        "acknowledgement": acknowledgement_words(contact.acknowledgement),
        "status_updates": status_update_words(contact.status_updates),
    }


def _facts(product: Product, statements: Sequence[Archived]) -> dict[str, Any]:
    support, publication = product.support, product.publication
    end = support.end_date
    return {
        "slug": slug(product.model),
        "brand": product.brand,
        "model": product.model,
        "summary": publication.summary if publication else "",
        "characteristics": publication.main_characteristics if publication else (),
        "sentence": sentence(product.model, days_from_civil(end.year, end.month, end.day)),
        "period": period_in_words(support.period, end, support.start_date),
        "start_words": date_words(support.start_date.isoformat()) if support.start_date else "",
        "end_date": end.isoformat(),
        "end_words": date_words(end.isoformat()),
        "covered": [
            {
                "name": part.name,
                "until": date_words(part.updates_until) if part.updates_until else "does not get updates",
            }
            for part in coverage.join(product)
        ],
        "statements": statements,
    }
