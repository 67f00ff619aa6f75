"""The public side of the advisories as files: a CSAF provider's folder, pages for buyers, and a feed (RP-09).

Rules:
1. Only `advisory.public` decides what is written, so a case under embargo appears in no file.
2. The folder is replaced as a whole, after every file was made. A reader never sees half of a build.
3. An advisory that was published stays: a build that would remove one or take back a revision is refused.
4. Layout (CSAF 2.0 section 7.1): documents in one folder for each year, each with SHA-256 and SHA-512, index.txt,
   changes.csv, the ROLIE feed and provider-metadata.json under /.well-known/csaf/. With an OpenPGP key each
   document also has a signature (`signatures.py`), and the role is "csaf_trusted_provider" instead of
   "csaf_provider". Documents of the draft of CSAF 2.1 lie beside the pages (`csaf_draft.py`).
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

from provisioning.csaf_names import FOLDER, KEYS, METADATA, PAGES, PROVIDER, ROLIE, SIGNATURE, TRUSTED
from provisioning.disclosure import csaf, csaf_draft, rolie, signatures
from provisioning.disclosure.advisory import Advisory
from provisioning.disclosure.csaf import Publisher
from provisioning.disclosure.errors import CaseInputError
from provisioning.disclosure.signatures import Published, Signing
from provisioning.file_system import paths_in, replace_folder
from provisioning.html_templates import environment
from provisioning.keys.openpgp import PublicKey
from provisioning.product.periods import date_words
from provisioning.product.product import Product

FEED: Final = f"{PAGES}/feed.xml"
_TEMPLATES: Final = Path(__file__).parent / "templates"
_TITLE: Final = "Advisories for programs (CSAF 2.0)"
_TITLE_OF_KEYS: Final = "The OpenPGP keys of our advisories"
_ALGORITHMS: Final = ("sha256", "sha512")


@dataclass(frozen=True)
class Site:
    """The sources of a build. `now_s`: unix seconds, the time of the metadata while nothing is published.

    `signing` is None for a maker without an OpenPGP key.
    """

    advisories: Sequence[Advisory]
    product: Product
    publisher: Publisher
    now_s: int
    signing: Signing | None = None

    @property
    def folder_url(self) -> str:
        """Return the address of the provider's folder."""
        return f"{self.publisher.base_url}{FOLDER}/"


def build(site: Site, out: Path) -> int:
    """Replace the folder `out` by a new build. Return the number of files. Raises CaseInputError, OSError."""
    _require_ours(out)
    signatures.require_signed(out, site.signing)
    files = contents(site, Published() if site.signing is None else signatures.published_in(out))
    _require_forward(out, files)
    replace_folder(out, files)
    return len(files)


def contents(site: Site, published: Published = Published()) -> dict[str, bytes]:  # noqa: B008 - it is frozen
    """Return every file by its path below the site's folder. `published`: signatures and keys that may stay."""
    documents = {
        csaf.document_path(one): csaf.written(one, site.product, site.publisher, site.folder_url)
        for one in site.advisories
    }
    files = _documents(documents)
    for one in site.advisories:
        files[csaf_draft.path(one)] = csaf_draft.written(one, site.product, site.publisher, site.folder_url)
    listed = [(one.revisions[-1].time_s, csaf.document_path(one)) for one in site.advisories]
    listed.sort(key=lambda pair: (-pair[0], pair[1]))
    files[f"{FOLDER}/index.txt"] = "".join(
        f"{path}\n" for path in sorted(path for _, path in listed)
    ).encode()
    lines = [f'"{path}","{csaf.time_text(time_s)}"\n' for time_s, path in listed]
    files[f"{FOLDER}/changes.csv"] = "".join(lines).encode()
    keys = signatures.keys_of(site.signing, published)
    files[METADATA] = _metadata(site, keys, listed[0][0] if listed else site.now_s)
    files[FEED] = _feed(site)
    if site.advisories:
        files[f"{FOLDER}/{ROLIE}"] = rolie.feed(
            site.advisories, site.publisher.name, site.folder_url, site.signing is not None
        )
    if site.signing is not None:
        signed = signatures.files_of(site.signing, published, documents, site.now_s)
        files |= {f"{FOLDER}/{path}": data for path, data in signed.items()}
    return files | _pages(site, keys)


def _documents(documents: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return documents with their hashes, by the paths below the site's folder."""
    files = {f"{FOLDER}/{path}": data for path, data in documents.items()}
    for path, data in documents.items():
        for algorithm in _ALGORITHMS:
            digest, name = hashlib.new(algorithm, data).hexdigest(), path.rpartition("/")[2]
            files[f"{FOLDER}/{path}.{algorithm}"] = f"{digest}  {name}\n".encode()
    return files


def _metadata(site: Site, keys: Sequence[PublicKey], updated_s: int) -> bytes:
    feeds = [rolie.distribution(site.folder_url)] if site.advisories else []
    document = {
        "canonical_url": site.publisher.base_url + METADATA,
        "distributions": [{"directory_url": site.folder_url.rstrip("/")}, *feeds],
        "last_updated": csaf.time_text(updated_s),
        "list_on_CSAF_aggregators": True,
        "metadata_version": csaf.VERSION,
        "mirror_on_CSAF_aggregators": True,
        "public_openpgp_keys": [
            {"fingerprint": key.fingerprint, "url": site.folder_url + signatures.key_path(key)}
            for key in keys
        ],
        "publisher": site.publisher.document(),
        "role": TRUSTED if keys else PROVIDER,
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
        ElementTree.SubElement(item, "description").text = _news(one)
        ElementTree.SubElement(
            item, "guid", {"isPermaLink": "false"}
        ).text = f"{link}#revision-{newest.number}"
        at = dt.datetime.fromtimestamp(newest.time_s, dt.UTC)
        ElementTree.SubElement(item, "pubDate").text = format_datetime(at, usegmt=True)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _news(one: Advisory) -> str:
    thanks = f"\n\nReported by {', '.join(one.thanked)}." if one.thanked else ""
    return one.text.action + thanks


# Pages ------------------------------------------------------------------------------------------------------------


def _pages(site: Site, keys: Sequence[PublicKey]) -> dict[str, bytes]:
    templates = environment(_TEMPLATES)
    common = {"maker": site.publisher.name, "policy": site.product.contact.policy}
    newest_first = sorted(site.advisories, key=lambda one: one.revisions[-1].time_s, reverse=True)
    facts = [_facts(one, site) for one in newest_first]
    pages = {
        f"{PAGES}/index.html": templates.get_template("advisories.html").render(common, advisories=facts)
    }
    for one, values in zip(newest_first, facts, strict=True):
        pages[csaf.page_path(one)] = templates.get_template("advisory.html").render(common, one=values)
    for folder, names in _listings(site.advisories, keys).items():
        pages[f"{folder}/index.html"] = templates.get_template("listing.html").render(
            common,
            title=_TITLE_OF_KEYS if folder.endswith(f"/{KEYS}") else _TITLE,
            names=names,
            up="../" * (folder.count("/") + 1),
        )
    found = {path: text.encode() for path, text in pages.items()}
    found[f"{PAGES}/style.css"] = (_TEMPLATES / "form.css").read_bytes()
    return found


def _listings(advisories: Sequence[Advisory], keys: Sequence[PublicKey]) -> dict[str, list[str]]:
    """Return the names in each folder of documents: a reader without a program sees them (7.1.14)."""
    feeds = [ROLIE] if advisories else []
    listed = {FOLDER: ["changes.csv", *feeds, "index.txt", "provider-metadata.json"]}
    for one in advisories:
        year, _, name = csaf.document_path(one).partition("/")
        names = listed.setdefault(f"{FOLDER}/{year}", [])
        names += [name, *(f"{name}.{algorithm}" for algorithm in _ALGORITHMS)]
        names += [name + SIGNATURE] if keys else []
    for key in keys:
        folder, _, name = signatures.key_path(key).partition("/")
        listed.setdefault(f"{FOLDER}/{folder}", []).append(name)
    listed[FOLDER] += [f"{folder.rpartition('/')[2]}/index.html" for folder in listed if folder != FOLDER]
    return listed


def _facts(one: Advisory, site: Site) -> dict[str, Any]:
    triage = one.case.triage
    return {
        "id": one.id,
        "title": one.title,
        "page": csaf.page_path(one).rpartition("/")[2],
        "document": f"../{FOLDER}/{csaf.document_path(one)}",
        "signature": f"../{FOLDER}/{csaf.document_path(one)}{SIGNATURE}" if site.signing else "",
        "key_page": f"../{FOLDER}/{KEYS}/index.html",
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
        "cwe": triage.get("cwe") or {},
        "thanked": " and ".join(one.thanked) if len(one.thanked) < 3 else ", ".join(one.thanked),
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
