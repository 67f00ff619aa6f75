"""The ROLIE feed of a CSAF provider: every document that is published, for programs (CSAF 2.0 section 7.1.15).

Rules:
1. The feed is JSON (RFC 8322, in the form of the example of CSAF 2.0) and TLP:WHITE, as every published document is.
2. A feed links to one document at least, so before the first advisory there is no feed, and the metadata names none.
3. An entry names the document, its SHA-512 and its OpenPGP signature if it has one (7.1.15); `updated` is the time of
   its newest revision.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from provisioning.csaf_names import ROLIE, SIGNATURE
from provisioning.disclosure import csaf
from provisioning.disclosure.advisory import Advisory

_ID: Final = "csaf-feed-tlp-white"
_CATEGORY: Final = {"scheme": "urn:ietf:params:rolie:category:information-type", "term": "csaf"}
_FORMAT: Final = {
    "schema": "https://docs.oasis-open.org/csaf/csaf/v2.0/csaf_json_schema.json",
    "version": csaf.VERSION,
}


def feed(advisories: Sequence[Advisory], maker: str, folder_url: str, is_signed: bool = False) -> bytes:
    """Return the feed of these advisories, the newest change first. `folder_url`: of the provider, ends with "/"."""
    newest_first = sorted(advisories, key=lambda one: (-one.revisions[-1].time_s, one.id))
    document = {
        "feed": {
            "id": _ID,
            "title": f"Security advisories of {maker} (TLP:WHITE)",
            "link": [{"rel": "self", "href": f"{folder_url}{ROLIE}"}],
            "category": [_CATEGORY],
            "updated": csaf.time_text(newest_first[0].revisions[-1].time_s),
            "entry": [_entry(one, folder_url, is_signed) for one in newest_first],
        }
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def distribution(folder_url: str) -> dict[str, Any]:
    """Return the entry of the feed in the provider's metadata."""
    summary = "All security advisories."
    return {"rolie": {"feeds": [{"summary": summary, "tlp_label": "WHITE", "url": f"{folder_url}{ROLIE}"}]}}


def _entry(one: Advisory, folder_url: str, is_signed: bool) -> dict[str, Any]:
    address = folder_url + csaf.document_path(one)
    links = [{"rel": "self", "href": address}, {"rel": "hash", "href": f"{address}.sha512"}]
    if is_signed:
        links.append({"rel": "signature", "href": address + SIGNATURE})
    return {
        "id": one.id,
        "title": one.title,
        "link": links,
        "published": csaf.time_text(one.revisions[0].time_s),
        "updated": csaf.time_text(one.revisions[-1].time_s),
        "summary": {"content": one.text.description},
        "content": {"type": "application/json", "src": address},
        "format": _FORMAT,
    }
