"""The leaflet in the box: from the label to a working device, one page for each language of the brand.

Rules:
1. A leaflet is the same for every unit of a product. It has no code, no name of a unit and no fingerprint.
2. It prepares the owner for the browser's warning before they meet it, and says how to tell their own device from
   another one.
3. It leads an owner who lost the password, or who passes the device on, to the reset, and says what to do if no page
   comes.
4. What the law wants in English (support period, contact) is in English on the page of every language too.
5. The texts below are the keys of the catalogues `leaflet.po`, which are checked as those of the pages are. The
   firmware has none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from device.records import support
from provisioning import html_templates
from provisioning.brand import colours
from provisioning.brand.catalogue import Catalogue
from provisioning.brand.languages import ENGLISH, Language, catalogue_of
from provisioning.brand.texts import Text

DOMAIN: Final = "leaflet"
_TEMPLATES: Final = Path(__file__).parent / "templates"

TITLE: Final = "Set up your device"
TIME: Final = "You need the label, a phone or computer, and about two minutes."
LABEL: Final = "The label is on the device or in this box. Keep it: after a reset you need it again."
POWER: Final = "Connect the device to power."
JOIN: Final = (
    "On your phone, open the Wi-Fi settings and join the network whose name and passphrase are on the label. If the"
    " phone says that this network has no internet, stay connected."
)
OPEN: Final = (
    "Scan the QR code on the label, or type the address on the label into a browser. A phone that joined the device's"
    " network may show a page by itself: tap Continue there."
)
OPEN_CABLE: Final = (
    "Connect the device to your network. Then scan the QR code on the label, or type the address on the label into a"
    " browser. If the address does not work, use the device's address that your router shows."
)
WARNING: Final = (
    "Your browser will warn you, for example: Your connection is not private. This is expected: the device made its own"
    " certificate, and your browser cannot know it."
)
COMPARE: Final = (
    "To be sure that it is your device, open the certificate in the warning and compare its SHA-256 fingerprint with"
    " the one on the label. If they differ, stop: it is another device."
)
GO_ON: Final = "Then choose Advanced or Show details, and the link that goes on to the page."
CHOOSE: Final = (
    "Check the set-up code, or type it from the label. Choose a password of at least 15 characters: four or five words"
    " that have nothing to do with each other. Write it down or save it in a password manager."
)
NO_PAGE: Final = (
    "If the browser shows an error page of its own, for example: This site can't be reached, check that your phone is"
    " in the same network as the device, and load the page again. If the browser asks whether to send the form again,"
    " agree: you need not type anything twice."
)
NETWORK: Final = (
    "Choose your own Wi-Fi network and type its passphrase. If something is wrong, the page says what, and you try"
    " again."
)
DONE: Final = (
    "You are done. From now on the device looks for security updates by itself. Keep its page as a bookmark."
)
DONE_NETWORK: Final = "Its own network closes, and your phone goes back to yours."
AFTERWARDS: Final = "If something changes"
LOST: Final = (
    "You forgot the password: nobody can tell it to you. Hold the button of the device for five seconds while you"
    " connect it to power. This erases your password and your settings. Then set it up again with the label."
)
GIVE_AWAY: Final = (
    "You sell or give away the device: reset it in the same way, or on its page Factory reset. Pass on the"
    " label."
)
NEW_ROUTER: Final = (
    "Your router or its passphrase is new: press the button of the device once. Join the device's own network again,"
    " sign in, and choose your network on the page Wi-Fi. Nothing is erased."
)
SUPPORT: Final = "Security"
REPORT: Final = "Report a security problem, free of charge and without giving a name:"
STATEMENT: Final = "The device shows its statement of compliance on its own page, without sign-in."
ALL: Final = (
    TITLE,
    TIME,
    LABEL,
    POWER,
    JOIN,
    OPEN,
    OPEN_CABLE,
    WARNING,
    COMPARE,
    GO_ON,
    CHOOSE,
    NO_PAGE,
    NETWORK,
    DONE,
    DONE_NETWORK,
    AFTERWARDS,
    LOST,
    GIVE_AWAY,
    NEW_ROUTER,
    SUPPORT,
    REPORT,
    STATEMENT,
    support.SENTENCE,
    *support.MONTHS,
)


class Facts(NamedTuple):
    """The facts of a product on its leaflet. `end_day`: last day of support, counted from 1970-01-01."""

    brand: str
    model: str
    end_day: int
    report: str  # the address for reports
    acknowledgement: str
    status_updates: str
    has_access_point: bool


@dataclass(frozen=True)
class Page:
    """The leaflet in one language. `steps`: each a list of paragraphs."""

    code: str
    direction: str
    title: str
    intro: tuple[str, ...]
    steps: tuple[tuple[str, ...], ...]
    after: str
    changes: tuple[str, ...]
    support: str
    security: tuple[str, ...]


def texts() -> dict[str, Text]:
    """Return {English text: Text} of the leaflet."""
    return {text: Text(text) for text in ALL}


def missing(folder: Path | None, language: Language) -> list[str]:
    """Return the texts that the leaflet has in English only. Raises BrandError."""
    found = catalogue_of(folder, language.code, DOMAIN, texts())
    return [text for text in ALL if found is None or text not in found.entries]


def pages(facts: Facts, languages: tuple[Language, ...], folder: Path | None) -> list[Page]:
    """Return the leaflet in English, then in each language that has a catalogue of it. Raises BrandError."""
    found = [_page(facts, ENGLISH, False, {})]
    for language in languages:
        catalogue = catalogue_of(folder, language.code, DOMAIN, texts())
        if catalogue is not None and language.code != ENGLISH:
            found.append(_page(facts, language.code, language.is_right_to_left, _singles(catalogue)))
    return found


def _singles(catalogue: Catalogue) -> dict[str, str]:
    return {key: text for key, text in catalogue.entries.items() if isinstance(text, str)}


def _page(facts: Facts, code: str, is_right_to_left: bool, entries: Mapping[str, str]) -> Page:
    def said(text: str) -> str:
        return entries.get(text, text)

    has_radio = facts.has_access_point
    year, month, day = support.civil_from_days(facts.end_day)
    date = f"{day} {said(support.MONTHS[month - 1])} {year}"
    steps = [[POWER], [JOIN]] if has_radio else [[POWER]]
    steps += [[OPEN if has_radio else OPEN_CABLE], [WARNING, COMPARE, GO_ON], [CHOOSE, NO_PAGE]]
    steps += [[NETWORK], [DONE, DONE_NETWORK]] if has_radio else [[DONE]]
    changes = (LOST, GIVE_AWAY, NEW_ROUTER) if has_radio else (LOST, GIVE_AWAY)
    return Page(
        code,
        "rtl" if is_right_to_left else "ltr",
        said(TITLE),
        (said(TIME), said(LABEL)),
        tuple(tuple(said(text) for text in step) for step in steps),
        said(AFTERWARDS),
        tuple(said(text) for text in changes),
        said(SUPPORT),
        (said(support.SENTENCE).format(facts.model, date), said(REPORT), said(STATEMENT)),
    )


def html(facts: Facts, found: list[Page], chosen: dict[str, dict[str, str]]) -> str:
    """Return the leaflet as one HTML file that needs nothing else and prints on A5. `chosen`: the brand's colours."""
    values: dict[str, Any] = {
        "facts": facts,
        "pages": found,
        "colours": {**colours.defaults()["light"], **chosen.get("light", {})},
        "address": facts.report.removeprefix("mailto:").removeprefix("tel:"),
        "end": support.SENTENCE.format(facts.model, support.long_date_text(facts.end_day)),
    }
    return html_templates.environment(_TEMPLATES).get_template("leaflet.html").render(values)
