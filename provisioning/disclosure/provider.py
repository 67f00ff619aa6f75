"""The public side of the advisories as files: a CSAF provider's folder, pages for buyers, and a feed (RP-09).

Rules:
1. Only `advisory.public` decides what is written, so a case under embargo appears in no file.
2. The folder is replaced as a whole, after every file was made. A reader never sees half of a build.
3. An advisory that was published stays: a build that would remove one or take back a revision is refused.
4. Layout (CSAF 2.0 section 7.1): documents in one folder for each year, each with SHA-256 and SHA-512, index.txt,
   changes.csv, the ROLIE feed and provider-metadata.json under /.well-known/csaf/. There are no OpenPGP signatures,
   so the role is "csaf_provider" and not "csaf_trusted_provider". Documents of the draft of CSAF 2.1 lie beside the
   pages (`csaf_draft.py`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from provisioning.csaf_names import FOLDER, METADATA, PAGES, ROLIE
from provisioning.disclosure import csaf, csaf_draft, rolie
from provisioning.disclosure.advisory import Advisory
from provisioning.disclosure.csaf import Publisher
from provisioning.disclosure.errors import CaseInputError
from provisioning.file_system import paths_in, replace_folder
from provisioning.html_templates import environment
from provisioning.product.periods import date_words
from provisioning.product.product import Product

FEED: Final = f"{PAGES}/feed.xml"
_TEMPLATES: Final = Path(__file__).parent / "templates"
_ALGORITHMS: Final = ("sha256", "sha512")


@dataclass(frozen=True)
class Site:
    """The sources of a build. `now_s`: the time of the metadata while nothing is published."""

    advisories: Sequence[Advisory]
    product: Product
    publisher: Publisher
    now_s: int

    @property
    def folder_url(self) -> str:
        """Return the address of the provider's folder."""
        return f"{self.publisher.base_url}{FOLDER}/"


def build(site: Site, out: Path) -> int:
    """Replace the folder `out` by a new build. Return the number of files. Raises CaseInputError, OSError."""
    files = contents(site)
    _require_ours(out)
    _require_forward(out, files)
    replace_folder(out, files)
    return len(files)


def contents(site: Site) -> dict[str, bytes]:
    """Return every file by its path below the site's folder."""
    files: dict[str, bytes] = {}
    listed: list[tuple[int, str]] = []
    for one in site.advisories:
        path = csaf.document_path(one)
        data = csaf.written(one, site.product, site.publisher, site.folder_url)
        files[f"{FOLDER}/{path}"] = data
        for algorithm in _ALGORITHMS:
            digest = hashlib.new(algorithm, data).hexdigest()
            name = path.rpartition("/")[2]
            files[f"{FOLDER}/{path}.{algorithm}"] = f"{digest}  {name}\n".encode()
        files[csaf_draft.path(one)] = csaf_draft.written(one, site.product, site.publisher, site.folder_url)
        listed.append((one.revisions[-1].time_s, path))
    listed.sort(key=lambda pair: (-pair[0], pair[1]))
    files[f"{FOLDER}/index.txt"] = "".join(
        f"{path}\n" for path in sorted(path for _, path in listed)
    ).encode()
    lines = [f'"{path}","{csaf.time_text(time_s)}"\n' for time_s, path in listed]
    files[f"{FOLDER}/changes.csv"] = "".join(lines).encode()
    files[METADATA] = _metadata(site, listed[0][0] if listed else site.now_s)
    files[FEED] = _feed(site)
    if site.advisories:
        files[f"{FOLDER}/{ROLIE}"] = rolie.feed(site.advisories, site.publisher.name, site.folder_url)
    return files | _pages(site)


def _metadata(site: Site, updated_s: int) -> bytes:
    feeds = [rolie.distribution(site.folder_url)] if site.advisories else []
    document = {
        "canonical_url": site.publisher.base_url + METADATA,
        "distributions": [{"directory_url": site.folder_url.rstrip("/")}, *feeds],
        "last_updated": csaf.time_text(updated_s),
        "list_on_CSAF_aggregators": True,
        "metadata_version": csaf.VERSION,
        "mirror_on_CSAF_aggregators": True,
        "public_openpgp_keys": [],
        "publisher": site.publisher.document(),
        "role": "csaf_provider",
    }
    return (json.dumps(document, indent=2, sort_keys=True) + "\n").encode()


def _feed(site: Site) -> bytes:
    """Return the feed (RSS 2.0), the newest change first."""
    root = ElementTree.Element("rss", {"version": "2.0"})
    channel = ElementTree.SubElement(root, "channel")
    address = f"{site.publisher.base_url}{PAGES}/index.html"
    for name, value in (
        ("title", f"Security advisories of {site.publisher.name}"),
        ("link", address),
        ("description", "Security problems of our products, and what to do about them."),
        ("language", "en"),
    ):
        ElementTree.SubElement(channel, name).text = value
    for one in sorted(site.advisories, key=lambda each: -each.revisions[-1].time_s):
        item = ElementTree.SubElement(channel, "item")
        link, newest = site.publisher.base_url + csaf.page_path(one), one.revisions[-1]
        ElementTree.SubElement(item, "title").text = one.title
        ElementTree.SubElement(item, "link").text = link
        ElementTree.SubElement(item, "description").text = one.text.action
        ElementTree.SubElement(
            item, "guid", {"isPermaLink": "false"}
        ).text = f"{link}#revision-{newest.number}"
        at = dt.datetime.fromtimestamp(newest.time_s, dt.UTC)
        ElementTree.SubElement(item, "pubDate").text = format_datetime(at, usegmt=True)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


# Pages ------------------------------------------------------------------------------------------------------------


def _pages(site: Site) -> dict[str, bytes]:
    templates = environment(_TEMPLATES)
    common = {"maker": site.publisher.name, "policy": site.product.contact.policy}
    newest_first = sorted(site.advisories, key=lambda one: one.revisions[-1].time_s, reverse=True)
    facts = [_facts(one, site) for one in newest_first]
    pages = {
        f"{PAGES}/index.html": templates.get_template("advisories.html").render(common, advisories=facts)
    }
    for one, values in zip(newest_first, facts, strict=True):
        pages[csaf.page_path(one)] = templates.get_template("advisory.html").render(common, one=values)
    for folder, names in _listings(site.advisories).items():
        pages[f"{folder}/index.html"] = templates.get_template("listing.html").render(
            common, names=names, up="../" * (folder.count("/") + 1)
        )
    found = {path: text.encode() for path, text in pages.items()}
    found[f"{PAGES}/style.css"] = (_TEMPLATES / "form.css").read_bytes()
    return found


def _listings(advisories: Sequence[Advisory]) -> dict[str, list[str]]:
    """Return the names in each folder of documents: a reader without a program sees them (7.1.14)."""
    feeds = [ROLIE] if advisories else []
    listed = {FOLDER: ["changes.csv", *feeds, "index.txt", "provider-metadata.json"]}
    for one in advisories:
        year, _, name = csaf.document_path(one).partition("/")
        names = listed.setdefault(f"{FOLDER}/{year}", [])
        names += [name, *(f"{name}.{algorithm}" for algorithm in _ALGORITHMS)]
    listed[FOLDER] += [f"{folder.rpartition('/')[2]}/index.html" for folder in listed if folder != FOLDER]
    return listed


def _facts(one: Advisory, site: Site) -> dict[str, Any]:
    triage = one.case.triage
    return {
        "id": one.id,
        "title": one.title,
        "page": csaf.page_path(one).rpartition("/")[2],
        "document": f"../{FOLDER}/{csaf.document_path(one)}",
        "draft": csaf_draft.path(one).removeprefix(f"{PAGES}/"),
        "product": f"{site.product.brand} {site.product.model}",
        "versions": csaf.versions_in_words(one, site.product),
        "batches": ", ".join(triage.get("batches") or []),
        "fix": "" if one.text.not_affected else one.case.fix.get("release", ""),
        "is_affected": not one.text.not_affected,
        "is_confirmed": bool(one.case.is_confirmed),
        "rating": triage.get("rating", ""),
        "cvss": triage.get("cvss", ""),
        "cve": one.text.cve,
        "description": one.text.description,
        "action": one.text.action,
        "published": _day(one.revisions[0].time_s),
        "changed": _day(one.revisions[-1].time_s),
        "revisions": [
            {"number": each.number, "day": _day(each.time_s), "summary": each.summary}
            for each in reversed(one.revisions)
        ],
    }


def _day(time_s: int) -> str:
    return date_words(csaf.time_text(time_s)[:10])


# What is there already --------------------------------------------------------------------------------------------


def _require_ours(out: Path) -> None:
    if out.exists() and not (out / METADATA).is_file():
        raise CaseInputError(
            f"{out} exists and has no {METADATA}: it is not a folder that this command built"
        )


def _require_forward(out: Path, files: Mapping[str, bytes]) -> None:
    """Raise CaseInputError if an advisory would vanish or go back to an older revision (rule 3)."""
    years = paths_in(out / FOLDER, "[0-9]*")
    for path in (one for year in years for one in paths_in(year, "*.json")):
        name = path.relative_to(out).as_posix()
        if name not in files:
            raise CaseInputError(f"{name} was published and this store does not have it: is it an old copy?")
        before, now = revision_of(path.read_bytes()), revision_of(files[name])
        if now < before:
            raise CaseInputError(f"{name} was published with revision {before}; this store has {now}")


def revision_of(data: bytes) -> int:
    """Return the revision of a document. Raises CaseInputError if it is not one of ours."""
    try:
        return int(json.loads(data)["document"]["tracking"]["version"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CaseInputError(
            "a published document is damaged: it is not a CSAF document of this program"
        ) from None
