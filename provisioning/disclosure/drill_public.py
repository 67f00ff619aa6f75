"""The public side of a drill: the folder of the advisories, built each day, and what a visitor finds in it.

Rules:
1. Until the case is published, no file has a word of the advisory or its number. No file ever has a word or an address
   of a reporter, or the case that was not confirmed.
2. From the publication on, page, news feed (RSS), feed for programs (ROLIE), index and document are there and agree,
   and the hashes beside the document are those of its bytes. They stay after the case was closed. With an OpenPGP key
   the signature beside the document is one of that key, and the feed leads to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from provisioning.csaf_names import FOLDER, PAGES, ROLIE, SIGNATURE
from provisioning.disclosure import advisory, provider
from provisioning.disclosure.advisory import Text
from provisioning.disclosure.case import Case
from provisioning.disclosure.csaf import Publisher
from provisioning.disclosure.signatures import Signing
from provisioning.file_system import paths_below
from provisioning.keys.openpgp import signed_by
from provisioning.product.product import Product

BASE_URL: Final = "https://maker.example/"
TITLE: Final = "A factory reset keeps the password"
TEXT: Final = Text("After a factory reset the old password still opens the lamp.", "Install version 1.0.1.")
_HASHES: Final = ("sha256", "sha512")


def build(
    folder: Path, product: Product, cases: Iterable[Case], now_s: int, signing: Signing | None = None
) -> None:
    """Replace the folder of the advisories by what is public now. Raises CaseInputError, OSError."""
    publisher = Publisher(product.manufacturer.name, BASE_URL, product.contact.report)
    provider.build(provider.Site(advisory.public(cases), product, publisher, now_s, signing), folder)


def problems(
    folder: Path, case: Case, is_published: bool, private: Sequence[str], signing: Signing | None = None
) -> Iterator[str]:
    """Yield what is wrong with the folder. `private`: words that no file ever has."""
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in paths_below(folder)
        if path.is_file()
    }
    number = f"SA-{case.code.partition('-')[2]}"
    hidden = [*private] if is_published else [*private, TITLE, TEXT.description, TEXT.action, number]
    for path, data in files.items():
        shown = f"{path}\n{data.decode('utf-8', 'replace')}".lower()
        yield from (f"{path} shows {word!r}" for word in hidden if word.lower() in shown)
    if is_published:
        yield from _missing(files, number, signing)


def _missing(files: dict[str, bytes], number: str, signing: Signing | None) -> Iterator[str]:
    """Yield what a visitor or a program does not find (rule 2)."""
    name = f"{number.lower()}.json"
    page = files.get(f"{PAGES}/{number.lower()}.html", b"").decode()
    if not all(words in page for words in (TITLE, TEXT.description, TEXT.action)):
        yield "the page of the advisory is not there, or has another text"
    if TITLE not in files[f"{PAGES}/index.html"].decode():
        yield "the list of advisories does not have the advisory"
    items = ElementTree.fromstring(files[provider.FEED]).iter("item")  # noqa: S314 - a file of our own
    if [item.findtext("title") for item in items] != [TITLE]:
        yield "the news feed does not have the advisory"
    paths = [path for path in files if path.startswith(f"{FOLDER}/") and path.endswith(f"/{name}")]
    if len(paths) != 1:
        yield "there is not one document of the advisory"
        return
    data = files[paths[0]]
    entry = _entry(files)
    if entry.get("content", {}).get("src") != BASE_URL + paths[0]:
        yield "the feed for programs does not lead to the document"
    if files[f"{FOLDER}/index.txt"].decode().split() != [paths[0].removeprefix(f"{FOLDER}/")]:
        yield "the index does not have the document"
    if json.loads(data)["document"]["tracking"]["status"] != "final":
        yield "the document is a draft"
    for kind in _HASHES:
        if not files[f"{paths[0]}.{kind}"].startswith(hashlib.new(kind, data).hexdigest().encode()):
            yield f"the {kind} beside the document is not its own"
    yield from _unsigned(files, paths[0], entry, signing)


def _unsigned(
    files: dict[str, bytes], path: str, entry: dict[str, Any], signing: Signing | None
) -> Iterator[str]:
    """Yield what is wrong with the signature of a document; nothing for a maker without an OpenPGP key."""
    if signing is None:
        return
    links = {one["rel"]: one["href"] for one in entry.get("link", [])}
    signature = path + SIGNATURE
    if signed_by(files[path], files.get(signature, b""), [signing.signer.public]) is None:
        yield "the document does not have the signature of the OpenPGP key"
    if links.get("signature") != BASE_URL + signature:
        yield "the feed for programs does not lead to the signature"


def _entry(files: dict[str, bytes]) -> dict[str, Any]:
    """Return the only entry of the feed for programs; {} if there is not one."""
    entries = json.loads(files.get(f"{FOLDER}/{ROLIE}", b'{"feed": {"entry": []}}'))["feed"]["entry"]
    return dict(entries[0]) if len(entries) == 1 else {}
