"""Advisories as documents of CSAF 2.1, which is a draft: committee specification draft 04 of OASIS.

Rules:
1. A document is the one of CSAF 2.0 (`csaf.py`), with the changes that the draft asks for, so the two cannot disagree.
2. The draft has a place for the CVSS 4.0 score: a metric replaces the note. A weakness has the version of CWE.
3. These files lie beside the pages, in a folder whose name says "draft", and not in the provider's folder: programs of
   CSAF 2.0 find only documents of CSAF 2.0 there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from provisioning.csaf_names import PAGES
from provisioning.disclosure import csaf, weaknesses
from provisioning.disclosure.advisory import Advisory
from provisioning.disclosure.csaf import Publisher
from provisioning.product.product import Product

VERSION: Final = "2.1"
FOLDER: Final = f"{PAGES}/csaf-2.1-draft"
_SCHEMA: Final = "https://docs.oasis-open.org/csaf/csaf/v2.1/schema/csaf.json"
_TLP: Final = "https://www.first.org/tlp/"
_LABELS: Final = {"WHITE": "CLEAR"}  # TLP 2.0
_MAILTO: Final = "mailto:"


def path(advisory: Advisory) -> str:
    """Return the path of an advisory's document below the site."""
    return f"{FOLDER}/{csaf.file_name(advisory.id)}"


def written(advisory: Advisory, product: Product, publisher: Publisher, folder_url: str) -> bytes:
    """Return the document of an advisory as JSON. Arguments as `csaf.document_of`."""
    found = csaf.document_of(advisory, product, publisher, folder_url)
    head, vulnerability = found["document"], found["vulnerabilities"][0]
    label = head["distribution"]["tlp"]["label"]
    head |= {
        "csaf_version": VERSION,
        "distribution": {"tlp": {"label": _LABELS.get(label, label), "url": _TLP}},
        "publisher": _publisher(publisher),
    }
    for reference in head["references"]:
        if reference["url"].startswith(folder_url):
            reference["url"] = publisher.base_url + path(advisory)
    for branch in found["product_tree"]["branches"][0]["branches"][0]["branches"]:
        # the draft keeps model numbers apart from versions of software (6.2.31); the name has the model
        branch["product"].pop("product_identification_helper")
    if "cwe" in vulnerability:
        vulnerability["cwes"] = [{**vulnerability.pop("cwe"), "version": weaknesses.VERSION}]
    _rate(vulnerability, advisory)
    return csaf.encoded({"$schema": _SCHEMA, **found})


def _publisher(publisher: Publisher) -> dict[str, Any]:
    found: dict[str, Any] = publisher.document()
    contact = found.pop("contact_details")
    found["contact"] = {"details": contact}
    if contact.startswith(_MAILTO):
        found["contact"]["email"] = contact.removeprefix(_MAILTO)
    return found


def _rate(vulnerability: dict[str, Any], advisory: Advisory) -> None:
    """Replace the note with the severity by a metric of the affected versions (rule 2)."""
    triage = advisory.case.triage
    affected: Sequence[str] = vulnerability["product_status"].get("known_affected", ())
    if not triage.get("cvss") or not affected:
        return
    vulnerability["notes"] = [one for one in vulnerability["notes"] if one["title"] != csaf.SEVERITY]
    rating = {
        "version": "4.0",
        "vectorString": triage["cvss"],
        "baseScore": triage["score"],
        "baseSeverity": str(triage["rating"]).upper(),
    }
    vulnerability["metrics"] = [{"content": {"cvss_v4": rating}, "products": list(affected)}]
