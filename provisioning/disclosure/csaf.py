"""Advisories as CSAF 2.0 documents (OASIS, 18 November 2022): security advisory, or VEX if a product is not affected.

Rules:
1. An affected product gives the profile "Security Advisory" (section 4.4), one that is not affected "VEX" (4.5).
2. CSAF 2.0 has no place for a CVSS 4.0 score (`csaf_draft.py` has): the vector is in the note SEVERITY, its word in
   aggregate_severity.
3. Versions that nobody named are a range: everything before the fix, or everything.
4. Keys are sorted and times are those of the log, so the same case gives the same bytes.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Final

from provisioning.csaf_names import ALL_VERSIONS, PAGES, before
from provisioning.disclosure.advisory import Advisory, Revision
from provisioning.product.product import Product

VERSION: Final = "2.0"
SEVERITY: Final = "Severity (CVSS 4.0)"
_CVSS: Final = "https://www.first.org/cvss/v4.0/specification-document"
_TLP: Final = "https://www.first.org/tlp/v1/"


@dataclass(frozen=True)
class Publisher:
    """The publisher: the maker's name, the address of the site (https, ending with /), and the contact for reports."""

    name: str
    base_url: str
    contact: str

    def document(self) -> dict[str, str]:
        """Return the publisher as CSAF describes it."""
        return {
            "category": "vendor",
            "name": self.name,
            "namespace": self.base_url.rstrip("/"),
            "contact_details": self.contact,
        }


def file_name(advisory_id: str) -> str:
    """Return the name of a document's file (CSAF 2.0 section 5.1)."""
    return re.sub(r"[^+\-a-z0-9]+", "_", advisory_id.lower()) + ".json"


def page_path(advisory: Advisory) -> str:
    """Return the path of an advisory's page below the site."""
    return f"{PAGES}/{advisory.id.lower()}.html"


def document_path(advisory: Advisory) -> str:
    """Return the path of an advisory's document below the provider's folder: one folder for each year (7.1.11)."""
    return f"{time_text(advisory.revisions[0].time_s)[:4]}/{file_name(advisory.id)}"


def time_text(time_s: int) -> str:
    """Return unix seconds as RFC 3339 in UTC."""
    return dt.datetime.fromtimestamp(time_s, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def written(advisory: Advisory, product: Product, publisher: Publisher, folder_url: str) -> bytes:
    """Return the document of an advisory as JSON. Arguments as `document_of`."""
    return encoded(document_of(advisory, product, publisher, folder_url))


def encoded(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON (rule 4)."""
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def document_of(
    advisory: Advisory, product: Product, publisher: Publisher, folder_url: str
) -> dict[str, Any]:
    """Return the document of an advisory. One without a revision is a draft, marked TLP:RED.

    `folder_url`: address of the provider's folder, ending with /.
    """
    return {
        "document": _document(advisory, publisher, folder_url),
        "product_tree": {"branches": [_vendor(advisory, product)]},
        "vulnerabilities": [_vulnerability(advisory, product, publisher)],
    }


def _document(advisory: Advisory, publisher: Publisher, folder_url: str) -> dict[str, Any]:
    is_public = bool(advisory.revisions)
    found: dict[str, Any] = {
        "category": "csaf_vex" if advisory.text.not_affected else "csaf_security_advisory",
        "csaf_version": VERSION,
        "distribution": {"tlp": {"label": "WHITE" if is_public else "RED", "url": _TLP}},
        "lang": "en",
        "notes": [
            {"category": "summary", "title": "Summary", "text": advisory.text.description},
            {"category": "general", "title": "What to do", "text": advisory.text.action},
        ],
        "publisher": publisher.document(),
        "references": [
            {
                "category": "self",
                "summary": "The advisory as a page",
                "url": publisher.base_url + page_path(advisory),
            }
        ],
        "title": advisory.title,
        "tracking": _tracking(advisory),
    }
    if is_public:
        address = folder_url + document_path(advisory)
        found["references"].append(
            {"category": "self", "summary": "The advisory as a CSAF document", "url": address}
        )
    if advisory.thanked:
        found["acknowledgments"] = [{"names": list(advisory.thanked), "summary": "Reported the issue."}]
    if rating := advisory.case.triage.get("rating"):
        found["aggregate_severity"] = {"text": rating, "namespace": _CVSS}
    return found


def _tracking(advisory: Advisory) -> dict[str, Any]:
    written_s = advisory.case.advisories[-1].time_s
    revisions = advisory.revisions or (Revision(0, written_s, "Draft."),)
    return {
        "id": advisory.id,
        "status": "final" if advisory.revisions else "draft",
        "version": str(revisions[-1].number),
        "initial_release_date": time_text(revisions[0].time_s),
        "current_release_date": time_text(revisions[-1].time_s),
        "revision_history": [
            {"number": str(one.number), "date": time_text(one.time_s), "summary": one.summary}
            for one in revisions
        ],
        "generator": {"engine": {"name": "firstboot", "version": metadata.version("firstboot")}},
    }


# Products ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Version:
    """One entry of the product tree: a version, or a range of versions in the form of a vers (rule 3)."""

    product_id: str
    text: str
    words: str
    is_range: bool = False


def _named(advisory: Advisory, product: Product) -> list[_Version]:
    """Return the versions that the advisory is about, without the one with the fix."""
    versions = advisory.case.triage.get("versions") or []
    if versions:
        return [_Version(f"{product.model}:{one}", one, one) for one in versions]
    if advisory.is_fixed:
        fix = advisory.case.fix["release"]
        return [_Version(f"{product.model}:before-{fix}", before(fix), f"before {fix}", True)]
    return [_Version(f"{product.model}:all", ALL_VERSIONS, "all versions", True)]


def _fixed(advisory: Advisory, product: Product) -> list[_Version]:
    if not advisory.is_fixed or advisory.text.not_affected:
        return []
    fix = advisory.case.fix["release"]
    return [_Version(f"{product.model}:{fix}", fix, fix)]


def versions_in_words(advisory: Advisory, product: Product) -> str:
    """Return the versions that the advisory is about, as a reader of the page sees them."""
    return ", ".join(one.words for one in _named(advisory, product))


def _vendor(advisory: Advisory, product: Product) -> dict[str, Any]:
    versions = [*_named(advisory, product), *_fixed(advisory, product)]
    return {
        "category": "vendor",
        "name": product.manufacturer.name,
        "branches": [
            {
                "category": "product_name",
                "name": f"{product.brand} {product.model}",
                "branches": [_branch(one, product) for one in versions],
            }
        ],
    }


def _branch(version: _Version, product: Product) -> dict[str, Any]:
    return {
        "category": "product_version_range" if version.is_range else "product_version",
        "name": version.text,
        "product": {
            "name": f"{product.brand} {product.model} {version.words}",
            "product_id": version.product_id,
            "product_identification_helper": {"model_numbers": [product.model]},
        },
    }


# The vulnerability ------------------------------------------------------------------------------------------------


def _vulnerability(advisory: Advisory, product: Product, publisher: Publisher) -> dict[str, Any]:
    text, triage = advisory.text, advisory.case.triage
    ids = [one.product_id for one in _named(advisory, product)]
    found: dict[str, Any] = {
        "title": advisory.title,
        "notes": _notes(text.description, triage),
        "ids": [{"system_name": f"{publisher.name} advisories", "text": advisory.id}],
        "product_status": _status(advisory, product, ids),
    }
    if text.cve:
        found["cve"] = text.cve
    if triage.get("cwe"):
        found["cwe"] = dict(triage["cwe"])
    if text.not_affected:
        found["flags"] = [{"label": text.not_affected, "product_ids": ids}]
        found["threats"] = [{"category": "impact", "details": text.action, "product_ids": ids}]
    elif advisory.is_fixed:
        found["remediations"] = [_remediation("vendor_fix", text.action, ids)]
    elif advisory.case.is_confirmed:
        found["remediations"] = [_remediation("none_available", text.action, ids)]
    return found


def _status(advisory: Advisory, product: Product, ids: Sequence[str]) -> dict[str, list[str]]:
    if advisory.text.not_affected:
        return {"known_not_affected": list(ids)}
    if not advisory.case.is_confirmed:
        return {"under_investigation": list(ids)}
    status = {"known_affected": list(ids)}
    if fixed := [one.product_id for one in _fixed(advisory, product)]:
        status |= {"fixed": fixed, "first_fixed": fixed}
    return status


def _remediation(category: str, details: str, ids: Sequence[str]) -> dict[str, Any]:
    return {"category": category, "details": details, "product_ids": list(ids)}


def _notes(description: str, triage: Mapping[str, Any]) -> list[dict[str, str]]:
    notes = [{"category": "description", "title": "Description", "text": description}]
    if triage.get("cvss"):
        words = f"{triage['rating']}, {triage['score']} ({triage['cvss']})"
        notes.append({"category": "details", "title": SEVERITY, "text": words})
    if triage.get("batches"):
        notes.append({"category": "details", "title": "Batches", "text": ", ".join(triage["batches"])})
    return notes
