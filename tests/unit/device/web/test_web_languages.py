"""The owner's pages in another language: every text, the choice of a browser, what stays English and why."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from device.errors import ThrottledError
from device.net import wifi
from device.owner import lifecycle
from device.web import brand, words
from device.web.server import serve_client
from provisioning.brand.folder import Brand, brand_of
from provisioning.brand.languages import SHIPPED, Language, read
from provisioning.brand.texts import texts
from provisioning.compliance.statement import ISSUED, KIND, build_statement
from provisioning.product.product import load_product
from simulator.looks import in_this_process
from tests.languages import CODE, NAME, pseudo, pseudo_brand
from tests.unit.device.web.web_fake import (
    CODE as SETUP_CODE,
)
from tests.unit.device.web.web_fake import (
    PASSWORD,
    Answer,
    Browser,
    FakeDevice,
    FakeWifi,
    ScriptedStream,
    signed_in,
)

EXAMPLE = Path(__file__).parents[4] / "examples" / "product" / "product.toml"
LANGUAGES = {"ar": "العربية", "fr": "Français"}  # those that Firstboot ships
ARABIC = {"Accept-Language": "ar"}
HEBREW = {"Accept-Language": "he-IL,en;q=0.8"}
# What the tests' unit, its application and its network say of themselves, the law's text, and what is a name.
DATA = re.compile(
    r"Lamp One|Firstboot|Example Ltd|https?://\S+|example\.com/\w+|within 3 working days|every 14 days|1\.2\.3\+0|"
    r"fb-0a1b2c3d(\.local)?|Home|Guest|WPA2?|UTC|all lamps lit|running|\w+Error \w+=\w+( \w+=\w+)*|"
    r"Lamp|Brightness( now)?|Dim at night|Colour|warm|cold|Lit|Last fault|Switch on or off|English"
)
PATHS = [
    "/status",
    "/updates",
    "/application",
    "/support",
    "/contact",
    "/statement",
    "/password",
    "/reset",
    "/licences",
    "/network",
]


@pytest.fixture
def spoken() -> Iterator[None]:
    """The pages have English and the made-up language."""
    with in_this_process(pseudo_brand()):
        yield


@pytest.fixture(scope="module")
def french() -> Language:
    return read(Path("none"), {"fr": "Français"})[0]


@pytest.fixture(scope="module")
def arabic() -> Language:
    return read(Path("none"), {"ar": "العربية"})[0]


def english_left(text: str) -> list[str]:
    """Return the Latin words of a page outside of what is marked as English, and outside of data."""
    text = re.sub(r"<(script|style|code)\b.*?</\1>", " ", text, flags=re.S)
    text = re.sub(r'<(\w+)[^>]* lang="en".*?</\1>', " ", text, flags=re.S)
    shown = re.sub(r"<[^>]*>", "\n", text) + "\n".join(
        re.findall(r'(?:aria-label|data-wait|data-differ)="([^"]*)"', text)
    )
    return re.findall(r"[A-Za-z]{2,}", DATA.sub(" ", re.sub(r"&#?\w+;|[\u2068\u2069]", "", shown)))


@pytest.mark.usefixtures("spoken")
@pytest.mark.parametrize("path", PATHS)
def test_a_page_of_the_owner_is_wholly_in_the_language(path: str) -> None:
    browser = signed_in(FakeWifi())
    answer = browser.get(path, **HEBREW)
    assert answer.status == 200 and '<html lang="he" dir="rtl">' in answer.text
    assert english_left(answer.text) == []


@pytest.mark.usefixtures("spoken")
@pytest.mark.parametrize(
    "change",
    [
        {"is_stale": True},
        {"automatic": False},
        {"postponed_until": 1_900_000_000},
        {"offered": {"sequence": 4, "version": "", "mitigates": "", "interrupts": ""}},
        {"news": {"sequence": 4, "version": "", "mitigates": "", "interrupts": ""}},
        {"withheld": ["release", "key set"]},
        {"state": "downloading", "progress": 40},
        {"up_to_date": 1_900_000_000, "next_check_s": 5000},
        {"next_check_s": 60},
        {"next_check_s": 600_000},
    ],
)
def test_a_state_of_the_updates_is_wholly_in_the_language(change: dict[str, Any]) -> None:
    browser = signed_in()
    browser.device.found["update"].update(change)
    for path in ("/status", "/updates"):
        assert english_left(browser.get(path, **HEBREW).text) == []


@pytest.mark.usefixtures("spoken")
@pytest.mark.parametrize("result", [wifi.JOINING, wifi.JOINED, wifi.PASSPHRASE, wifi.WEAK, wifi.NO_ADDRESS])
def test_a_try_of_a_network_is_wholly_in_the_language(result: str) -> None:
    radio = FakeWifi()
    radio.attempt = {"network": "Home", "result": result}
    radio.joined = result == wifi.JOINED
    radio.stored = "Home" if radio.joined else None
    assert english_left(signed_in(radio).get("/network", **HEBREW).text) == []


@pytest.mark.usefixtures("spoken")
def test_the_pages_before_sign_in_and_their_refusals_are_wholly_in_the_language() -> None:
    new = Browser(FakeDevice())
    assert english_left(new.get("/", **HEBREW).text) == english_left(new.get("/setup", **HEBREW).text) == []
    assert english_left(new.get("/login", **HEBREW).text) == []
    assert english_left(new.get("/nowhere", **HEBREW).text) == []
    refused = new.post("/setup", {"code": "x", "password": PASSWORD}, **HEBREW)
    assert refused.status == 403 and english_left(refused.text) == []
    new.device.refuse_with = ThrottledError(wait_s=1)
    assert pseudo("second") in new.post("/setup", {"code": SETUP_CODE, "password": PASSWORD}, **HEBREW).text


@pytest.mark.usefixtures("spoken")
def test_a_browser_keeps_the_language_that_it_chose() -> None:
    browser = Browser(FakeDevice())
    assert '<html lang="en" dir="ltr">' in browser.get("/").text
    answer = browser.post("/language", {"language": CODE, "page": "/setup"})
    assert (answer.status, answer.headers["location"]) == (303, "/setup")
    assert "Secure; HttpOnly; SameSite=Strict" in answer.headers["set-cookie"]
    assert '<html lang="he" dir="rtl">' in browser.get("/").text
    browser.post("/language", {"language": "en"})
    assert '<html lang="en" dir="ltr">' in browser.get("/", **HEBREW).text
    assert browser.device.calls == [] and browser.device.current == lifecycle.FACTORY_DEFAULT


@pytest.mark.usefixtures("spoken")
@pytest.mark.parametrize(
    "page", ["https://evil.example/", "//evil.example", "/nowhere", "/login\r\nX: y", "", "/language"]
)
def test_a_choice_leads_only_to_a_page_of_the_device(page: str) -> None:
    answer = Browser(FakeDevice()).post("/language", {"language": CODE, "page": page})
    assert (answer.status, answer.headers["location"]) == (303, "/")


@pytest.mark.usefixtures("spoken")
@pytest.mark.parametrize("code", ["xx", "", "HE", "he; Path=/x"])
def test_an_unknown_language_is_refused(code: str) -> None:
    answer = Browser(FakeDevice()).post("/language", {"language": code})
    assert answer.status == 400 and "set-cookie" not in answer.headers


@pytest.mark.usefixtures("spoken")
def test_another_site_cannot_choose_a_language() -> None:
    answer = Browser(FakeDevice()).post("/language", {"language": CODE}, **{"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403 and "set-cookie" not in answer.headers


@pytest.mark.usefixtures("spoken")
def test_each_page_offers_the_other_language_in_that_language() -> None:
    text = Browser(FakeDevice()).get("/setup").text
    assert f'<button class="plain" lang="he">{NAME}</button>' in text
    assert '<input type="hidden" name="page" value="/setup">' in text


def test_a_product_with_one_language_has_no_choice_and_no_route() -> None:
    browser = Browser(FakeDevice())
    assert "/language" not in browser.get("/", **HEBREW).text
    assert browser.post("/language", {"language": "en"}).status == 404
    assert brand.LANGUAGES == () and brand.TEXTS == ()


@pytest.mark.usefixtures("spoken")
def test_what_the_law_wants_in_english_stands_on_the_page_in_english_too() -> None:
    for path in ("/", "/contact"):
        text = Browser(FakeDevice()).get(path, **HEBREW).text
        marked = re.findall(r'<div lang="en" dir="ltr">.*?</div>', text, re.S)
        assert len(marked) == 1 and "https://example.com/security" in marked[0]
    assert (
        "We will provide security updates for Lamp One until 31 March 2031." in marked[0]
        or path == "/contact"
    )
    start = Browser(FakeDevice()).get("/", **HEBREW).text
    assert "We will provide security updates for Lamp One until 31 March 2031." in start


@pytest.mark.usefixtures("spoken")
def test_a_value_cannot_turn_the_sentence_around_it() -> None:
    start = Browser(FakeDevice()).get("/", **HEBREW).text
    assert "\u2068Lamp One\u2069" in start and "\u2068" not in Browser(FakeDevice()).get("/").text
    assert f"\u206831 {pseudo('March')} 2031\u2069" in start, "a date has the direction of its month"


@pytest.mark.usefixtures("spoken")
def test_two_clients_at_once_read_their_own_languages() -> None:
    browser = Browser(FakeDevice(lifecycle.INITIALISED))

    async def slow_login(password: str) -> None:
        await asyncio.sleep(0.01)
        raise ThrottledError(wait_s=5)

    browser.device.login = slow_login  # type: ignore[method-assign]

    def request(head: str, body: str = "") -> ScriptedStream:
        text = f"{head} HTTP/1.1\r\nHost: device.local\r\nContent-Length: {len(body)}\r\n"
        text += "Content-Type: application/x-www-form-urlencoded\r\n"
        if body:
            text += "Accept-Language: he\r\n"
        return ScriptedStream([f"{text}\r\n{body}".encode()])

    first, second = request("POST /login", "password=x"), request("GET /login")

    async def both() -> None:
        await asyncio.gather(serve_client(browser.app, first), serve_client(browser.app, second))

    asyncio.run(both())
    assert '<html lang="he"' in Answer(first.written).text and pseudo("seconds") in Answer(first.written).text
    assert '<html lang="en"' in Answer(second.written).text


@pytest.mark.usefixtures("spoken")
def test_the_meter_speaks_the_language_of_its_page() -> None:
    browser = Browser(FakeDevice())
    assert '<script src="/meter.js?he" defer>' in browser.get("/setup", **HEBREW).text
    assert '<script src="/meter.js" defer>' in browser.get("/setup").text
    left = json.dumps(pseudo("Characters still missing: {}"))
    assert f'"left": {left}' in browser.get("/meter.js?he", **HEBREW).text
    assert '"left": "Characters still missing: {}"' in browser.get("/meter.js").text


@pytest.mark.usefixtures("spoken")
def test_a_request_that_cannot_be_read_is_answered_in_english_after_a_page_in_another_language() -> None:
    browser = Browser(FakeDevice())
    browser.get("/", **HEBREW)
    assert '<html lang="en" dir="ltr">' in browser.raw(b"BREW / HTTP/1.1\r\nHost: device.local\r\n\r\n").text


def test_a_text_that_a_catalogue_lacks_stays_english(french: Language) -> None:
    entries = {text: form for text, form in french.catalogue.entries.items() if text != "Set up your device"}
    part = Language("fr", "Français", type(french.catalogue)(entries, french.catalogue.forms))
    with in_this_process(Brand(languages=(part,))):
        text = Browser(FakeDevice()).get("/", **{"Accept-Language": "fr"}).text
    assert "<h2>Set up your device</h2>" in text and "Commencer" in text


@pytest.mark.parametrize(("code", "name"), sorted(LANGUAGES.items()))
def test_a_shipped_language_is_complete_and_has_no_text_of_an_earlier_version(code: str, name: str) -> None:
    assert {path.name for path in SHIPPED.iterdir() if path.is_dir()} == set(LANGUAGES)
    (found,) = read(Path("none"), {code: name})
    assert found.missing(texts()) == [] and found.others(texts()) == []


@pytest.mark.parametrize(
    ("days", "shown"), [(0, "Encore 0 jour."), (1, "Encore 1 jour."), (400, "Encore 400 jours.")]
)
def test_a_number_takes_the_plural_form_of_the_language(french: Language, days: int, shown: str) -> None:
    with in_this_process(Brand(languages=(french,))):
        browser = signed_in()
        browser.device.found["support"]["days_left"] = days
        assert shown in browser.get("/support", **{"Accept-Language": "fr"}).text


@pytest.mark.parametrize(
    ("days", "shown"),
    [
        (1, "بقي يوم واحد."),
        (2, "بقي يومان."),
        (3, "بقيت \u20683\u2069 أيام."),
        (11, "بقي \u206811\u2069 يومًا."),
        (100, "بقي \u2068100\u2069 يوم."),
        (1857, "بقي \u20681857\u2069 يومًا."),
    ],
)
def test_arabic_has_its_six_forms_and_each_number_is_isolated(
    arabic: Language, days: int, shown: str
) -> None:
    with in_this_process(Brand(languages=(arabic,))):
        browser = signed_in()
        browser.device.found["support"]["days_left"] = days
        assert shown in browser.get("/support", **ARABIC).text


def test_a_version_an_address_and_a_network_keep_their_order_in_arabic(arabic: Language) -> None:
    radio = FakeWifi()
    with in_this_process(Brand(languages=(arabic,))):
        browser = signed_in(radio)
        assert "<dd><bdi>1.2.3+0</bdi></dd>" in browser.get("/status", **ARABIC).text
        assert ">\u2068Home\u2069 - \u2068قوية\u2069</option>" in browser.get("/network", **ARABIC).text
        for path in ("/password", "/network", "/home"):
            fields = re.findall('<input type="(?:text|password)"[^>]*>', browser.get(path, **ARABIC).text)
            assert fields and all('dir="auto"' in field for field in fields), path
    assert "<bdi>" not in signed_in().get("/status").text


def test_the_example_product_has_two_languages_and_its_applications_texts() -> None:
    with in_this_process(brand_of(EXAMPLE)):
        browser = signed_in()
        page = browser.device.found["application"]["page"]
        page["title"] = "Sensor"
        page["settings"][2].update(label="Measure", value="every minute", choices=["every minute"])
        text = browser.get("/application", **{"Accept-Language": "fr"}).text
    assert "<h1>Capteur</h1>" in text and "Enregistrer" in text
    assert '<option value="every minute" selected>chaque minute</option>' in text


def signed_text(page: str) -> list[str]:
    """Return the paragraphs of the statement on a page: those of its cards, or those marked as English."""
    marked = re.findall(r'<div lang="en" dir="ltr"><h3>.*?</div>', page, re.S)
    cards = marked or re.findall(r"<section><h2>(?!Fingerprint).*?</section>", page, re.S)
    return [text for card in cards for text in re.findall("<p>(.*?)</p>", card, re.S)]


def declared(**changes: Any) -> FakeDevice:
    """Return a unit with a whole statement, of which the members in `changes` are others."""
    document = build_statement(load_product(EXAMPLE), date(2026, 12, 1))
    device = FakeDevice()
    device.statement_payload = json.dumps({**document, **changes}).encode()
    return device


def test_the_signed_text_is_the_same_on_a_page_in_another_language() -> None:
    english = Browser(declared()).get("/statement").text
    assert '<div lang="en"' not in english
    with in_this_process(pseudo_brand()):
        framed = Browser(declared()).get("/statement", **HEBREW).text
    assert len(signed_text(english)) > 8 and signed_text(framed) == signed_text(english)


def test_the_frame_of_a_statement_says_the_same_whatever_was_declared() -> None:
    """A translation that follows the content could say more than the maker signed."""

    def frame(opinion: str) -> str:
        device = declared(declaration={"opinion": opinion, "requirements": {}})
        page = Browser(device).get("/statement", **HEBREW).text
        return re.sub(r'<div lang="en".*?</div>', "", page, flags=re.S)

    with in_this_process(pseudo_brand()):
        assert frame("We have complied.") == frame("We have complied with nothing.")
        assert pseudo("Who signed the statement.") in frame("")


def test_a_demonstration_is_called_one_in_the_owners_language() -> None:
    specimen = pseudo("This is only a demonstration of the form. It is not a statement of compliance.")
    with in_this_process(pseudo_brand()):
        assert specimen in Browser(declared(kind=KIND)).get("/statement", **HEBREW).text
        assert specimen not in Browser(declared(kind=ISSUED)).get("/statement", **HEBREW).text


def test_the_pages_are_english_again_after_a_brand() -> None:
    with in_this_process(pseudo_brand()):
        Browser(FakeDevice()).get("/", **HEBREW)
    assert '<html lang="en" dir="ltr">' in Browser(FakeDevice()).get("/", **HEBREW).text
    assert words.direction() == "ltr"
