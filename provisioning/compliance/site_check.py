"""Read a finished site as a stranger's browser would, and return every problem.

The check runs before a site is put in place, and in `firstboot site check` on a copy of the online site. A page must
be in English and must need no account, no script, no form and nothing from another host. Every link inside the site
must lead to a file. security.txt must be valid for thirty more days (RFC 9116), and its Policy must be a page that
states both times with number and unit.
"""

from __future__ import annotations

import datetime as dt
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urldefrag

from provisioning.compliance.check import REGISTER, SECURITY_TXT, STATEMENTS
from provisioning.compliance.ledger import Ledger, LedgerError
from provisioning.compliance.security_txt import ALARM_DAYS, SecurityTxtError, check_security_txt
from provisioning.compliance.support_register import RegisterError, current
from provisioning.file_system import paths_below, paths_in
from provisioning.product.public_texts import acknowledgement_time, status_update_time

FORBIDDEN: Final = ("script", "form", "iframe", "object", "embed", "base")
FRAGMENT: Final = "block.html"  # a part of other pages, not a page itself
LOADED: Final = {"link": "href", "img": "src", "source": "src", "video": "src", "audio": "src"}


class _Page(HTMLParser):
    """The parts of a page that the checks need."""

    def __init__(self) -> None:
        super().__init__()
        self.language = ""
        self.forbidden: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.texts: dict[str, str] = {}
        self._class = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "html":
            self.language = values.get("lang", "")
        if tag in FORBIDDEN or any(name.startswith("on") for name in values):
            self.forbidden.append(tag)
        if tag == "meta" and values.get("http-equiv", "").lower() == "refresh":
            self.forbidden.append("meta refresh")
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag in LOADED and LOADED[tag] in values:
            self.loaded.append(values[LOADED[tag]])
        self._class = values.get("class", "")

    def handle_data(self, data: str) -> None:
        if self._class:
            self.texts[self._class] = self.texts.get(self._class, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._class = ""


def check_site(root: Path, base_url: str, today: dt.date) -> list[str]:
    """Return every problem of the site in `root`, one sentence each; empty if it has none. Raises OSError."""
    found: list[str] = []
    for path in paths_below(root, "*.html"):
        found += _check_page(path, root)
    found += _check_security_txt(root, base_url, today)
    try:
        published = current(Ledger(root / REGISTER).lines())
    except (LedgerError, RegisterError) as error:
        return [*found, cited(f"{REGISTER}: {error}", "SP-02")]
    if not published:
        found.append(f"{REGISTER} has no support period (SP-01)")
    for each in published.values():
        pages = [
            path
            for path in paths_in(root / "support", "*.html")
            if each.end_date.isoformat() in path.read_text()
        ]
        if not pages:
            found.append(f"no page says that {each.model} is supported until {each.end_date} (SP-01)")
    return found


def cited(text: str, requirement: str) -> str:
    """Return the text with a requirement's id at its end; once only, if the text has it already."""
    return text if f"({requirement})" in text else f"{text} ({requirement})"


def _parsed(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _check_page(path: Path, root: Path) -> list[str]:
    name, page = path.relative_to(root), _parsed(path)
    is_statement = name.parts[0] == STATEMENTS and len(name.parts) > 2
    found = []
    if page.language != "en" and path.name != FRAGMENT:
        found.append(f'{name}: the attribute lang="en" is missing (RP-04)')
    if page.forbidden:
        found.append(
            f"{name} contains {', '.join(sorted(set(page.forbidden)))}, which is not allowed (RP-04)"
        )
    for target in page.loaded:
        if "//" in target or target.startswith("data:"):
            found.append(f"{name} loads {target} from outside the site (RP-04)")
    if path.name == FRAGMENT or is_statement:
        return found
    for target in [*page.links, *page.loaded]:
        plain, _ = urldefrag(target)
        if plain and ":" not in plain and not (path.parent / unquote(plain)).is_file():
            found.append(f"{name} links to {target}, which does not exist")
    return found


def _check_security_txt(root: Path, base_url: str, today: dt.date) -> list[str]:
    path = root / SECURITY_TXT
    if not path.is_file():
        return [f"{SECURITY_TXT} is missing (RP-06)"]
    try:
        fields = check_security_txt(path.read_bytes(), today, alarm_days=ALARM_DAYS)
    except SecurityTxtError as error:
        return [cited(str(error), "RP-06")]
    if fields.canonical != base_url + SECURITY_TXT:
        return [f"Canonical of security.txt is {fields.canonical}, not {base_url + SECURITY_TXT} (RP-06)"]
    policy = root / fields.policy.removeprefix(base_url).strip("/") / "index.html"
    if not fields.policy.startswith(base_url) or not policy.is_file():
        return [f"Policy of security.txt, {fields.policy}, is not a page of this site (RP-06)"]
    page = _parsed(policy)
    found = []
    if not set(page.links) & set(fields.contacts):
        found.append("the reporting page has no link to the Contact of security.txt (RP-01)")
    for name, read, requirement in (
        ("acknowledgement", acknowledgement_time, "RP-02"),
        ("status-updates", status_update_time, "RP-03"),
    ):
        try:
            read(page.texts.get(name, "").strip())
        except ValueError:
            found.append(f"the reporting page states no time with number and unit for {name} ({requirement})")
    return found
