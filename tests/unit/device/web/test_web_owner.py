"""The owner's pages: updates, support period, password, reset, licences; accepted Host headers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from device.errors import CredentialError, PasswordError, PressError, SettingsError, ThrottledError
from device.owner import lifecycle
from device.records import support
from device.web import licences, owner_pages
from device.web.routes import ROUTES
from tests.unit.device.web.web_fake import CODE, PASSWORD, Browser, FakeDevice, signed_in

OTHER = "seven green bottles on the wall"
OWNER_PAGES = sorted(
    route.path
    for route in ROUTES
    if route.needs_session and route.method == "GET" and not route.path.endswith(".json")
)
SESSION_ROUTES = sorted((route.method, route.path) for route in ROUTES if route.needs_session)
FORMS = {
    "/password": {"current": PASSWORD, "password": OTHER},
    "/reset": {"password": PASSWORD, "confirm": "yes"},
    "/updates": {"action": "off"},
    "/application": {"action": "do", "name": "toggle"},
    "/home": {"action": "off"},
    "/logout": {},
}
OFFER = {
    "sequence": 9,
    "version": "2.0.0",
    "mitigates": "A stranger could read the lamp's name.",
    "interrupts": "The light goes out for a minute.",
}


@pytest.mark.parametrize(("method", "path"), SESSION_ROUTES)
def test_se_04_without_a_session_no_owner_page_answers_and_nothing_changes(method: str, path: str) -> None:
    for cookie in ("", "session=" + "0" * 64):
        browser = Browser(FakeDevice(lifecycle.INITIALISED))
        browser.cookie = cookie
        answer = browser.get(path) if method == "GET" else browser.post(path, FORMS[path])
        assert (answer.status, answer.headers.get("location")) in ((303, "/login"), (403, None))
        assert browser.device.calls == [] and browser.device.password == PASSWORD
        assert browser.device.current == lifecycle.INITIALISED


@pytest.mark.parametrize(("method", "path"), SESSION_ROUTES)
def test_se_04_a_program_without_a_session_gets_403(method: str, path: str) -> None:
    browser = Browser(FakeDevice(lifecycle.INITIALISED))
    browser.accept = "application/json"
    answer = browser.get(path) if method == "GET" else browser.post(path, FORMS[path])
    assert answer.status == 403 and json.loads(answer.body)["error"]["status"] == 403


def test_every_owner_page_has_the_navigation_and_names_where_it_is() -> None:
    browser = signed_in()
    for path in [*OWNER_PAGES, "/contact", "/statement"]:
        text = browser.get(path).text
        for address, _ in owner_pages.LINKS:
            assert f'href="{address}"' in text, path
        assert f'href="{path}" aria-current="page"' in text


def test_se_06_without_a_session_public_pages_have_neither_navigation_nor_state() -> None:
    browser = Browser(FakeDevice(lifecycle.INITIALISED))
    browser.device.found["support"]["state"] = support.ENDED
    for path in ("/", "/contact", "/statement", "/login"):
        text = browser.get(path).text
        assert "<nav" not in text and owner_pages._ENDED not in text, path


def test_every_link_of_the_navigation_leads_to_a_page() -> None:
    browser = signed_in()
    for address, _ in owner_pages.LINKS:
        assert browser.get(address).status == 200, address


@pytest.mark.parametrize("path", [*OWNER_PAGES, "/contact", "/statement"])
def test_sp_08_once_support_has_ended_every_page_after_sign_in_says_so(path: str) -> None:
    browser = signed_in()
    assert owner_pages._ENDED not in browser.get(path).text
    browser.device.found["support"]["state"] = support.ENDED
    assert owner_pages._ENDED in browser.get(path).text


@pytest.mark.parametrize(
    ("state", "days", "words"),
    [
        (support.SUPPORTED, 400, "400 days left."),
        (support.ENDING, 90, "90 days left."),
        (support.ENDING, 1, "1 day left."),
        (support.ENDED, 0, "The device still works"),
        (support.UNKNOWN, None, "it has not reached the server since it was switched on"),
    ],
)
def test_sp_08_sp_10_the_support_page_says_what_is_known_and_why_not(
    state: str, days: int | None, words: str
) -> None:
    browser = signed_in()
    browser.device.found["support"].update(state=state, days_left=days)
    text = browser.get("/support").text
    assert "We will provide security updates for Lamp One until 31 March 2031." in text
    assert words in text
    assert ("left." in text) == (state in (support.SUPPORTED, support.ENDING))


def test_up_07_an_offered_release_is_shown_with_its_fixes_and_one_action_installs_it() -> None:
    browser = signed_in()
    browser.device.found["update"].update(offered=OFFER, automatic=False)
    text = browser.get("/updates").text
    assert "The light goes out for a minute." in text and "A stranger could read the lamp&#39;s name." in text
    assert browser.post("/updates", {"action": "install"}).headers["location"] == "/updates"
    assert browser.device.calls == [("install",)]


def test_up_07_the_latest_release_is_shown_after_it_was_installed() -> None:
    browser = signed_in()
    browser.device.found["update"]["news"] = OFFER
    assert "A stranger could read the lamp&#39;s name." in browser.get("/updates").text


def test_a_release_that_says_nothing_of_itself_is_shown_as_such() -> None:
    browser = signed_in()
    browser.device.found["update"]["offered"] = {
        "sequence": 9,
        "version": "",
        "mitigates": "",
        "interrupts": "",
    }
    text = browser.get("/updates").text
    assert text.count("The manufacturer does not say.") == 2 and "<dd>9</dd>" in text


@pytest.mark.parametrize(
    ("fields", "call"),
    [
        ({"action": "on"}, ("automatic", True)),
        ({"action": "off"}, ("automatic", False)),
        ({"action": "postpone", "days": "7"}, ("postpone", 7)),
    ],
)
def test_up_06_updates_are_switched_and_put_off(fields: dict[str, str], call: tuple[object, ...]) -> None:
    browser = signed_in()
    assert browser.post("/updates", fields).status == 303
    assert browser.device.calls == [call]


def test_up_06_the_page_offers_what_can_be_done() -> None:
    browser = signed_in()
    update = browser.device.found["update"]
    text = browser.get("/updates").text
    assert 'value="off"' in text and 'value="postpone"' in text and 'value="on"' not in text
    update["postponed_until"] = 1_900_000_000
    text = browser.get("/updates").text
    assert 'value="on"' in text and "paused until 17 March 2030, 17:46 UTC" in text
    update.update(automatic=False, postponed_until=None)
    text = browser.get("/updates").text
    assert 'value="on"' in text and 'value="off"' not in text and 'value="postpone"' not in text


@pytest.mark.parametrize("days", ["", "x", "-1", "+1", " 1", "1_0", "\u0661", "\u00b2", "999"])
def test_days_that_are_no_number_are_refused_in_words(days: str) -> None:
    browser = signed_in()
    answer = browser.post("/updates", {"action": "postpone", "days": days})
    assert answer.status == 422 and "1 to 30 days" in answer.text
    assert browser.device.calls == []


@pytest.mark.parametrize("fields", [{}, {"action": ""}, {"action": "sell"}, {"days": "1"}])
def test_an_action_that_does_not_exist_is_refused(fields: dict[str, str]) -> None:
    browser = signed_in()
    assert browser.post("/updates", fields).status == 400
    assert browser.device.calls == []


def test_a_setting_that_cannot_be_has_words_of_its_own() -> None:
    browser = signed_in()
    browser.accept = "application/json"
    for reason in ("no time", "off", "no offer", "days"):
        browser.device.refuse_with = SettingsError(reason=reason)
        answer = browser.post("/updates", {"action": "install"})
        told = json.loads(answer.body)["error"]
        assert (answer.status, told["reason"]) == (422, reason) and "If it fails again" not in told["text"]


def test_pw_12_a_change_of_password_ends_every_session() -> None:
    browser = signed_in()
    here = browser.cookie
    browser.cookie = ""
    browser.post("/login", {"password": PASSWORD})
    elsewhere = browser.cookie
    answer = browser.post("/password", {"current": PASSWORD, "password": OTHER, "again": OTHER})
    assert (answer.status, answer.headers["location"]) == (303, "/login")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    for cookie in (here, elsewhere):
        browser.cookie = cookie
        assert browser.get("/status.json").status == 403
    browser.cookie = ""
    assert browser.post("/login", {"password": PASSWORD}).status == 403
    assert browser.post("/login", {"password": OTHER}).status == 303


@pytest.mark.parametrize(
    ("error", "status"),
    [(CredentialError(), 403), (PasswordError(reason="unchanged"), 422), (ThrottledError(wait_s=9), 429)],
)
def test_a_refused_change_keeps_password_and_session(error: Exception, status: int) -> None:
    browser = signed_in()
    browser.device.refuse_with = error  # type: ignore[assignment]
    answer = browser.post("/password", {"current": "canary one", "password": "canary two"})
    assert answer.status == status and "canary" not in answer.text and "alert" in answer.text
    assert browser.device.password == PASSWORD and browser.get("/status.json").status == 200


def test_a_new_password_that_is_too_short_is_not_sent_by_the_browser() -> None:
    """The owner sees the problem at once, and need not type another password again."""
    for text in (Browser(FakeDevice()).get("/setup").text, signed_in().get("/password").text):
        fields = re.findall('<input type="password"[^>]*>', text)
        fresh = [field for field in fields if "new-password" in field]
        assert len(fresh) == 2 and all('minlength="15"' in field for field in fresh)
        assert all("minlength" not in field for field in fields if "current-password" in field)


def test_two_different_new_passwords_change_nothing() -> None:
    browser = signed_in()
    answer = browser.post("/password", {"current": PASSWORD, "password": OTHER, "again": OTHER + "x"})
    assert answer.status == 422 and browser.device.password == PASSWORD


def test_pw_03_a_reset_ends_every_session_and_every_page() -> None:
    browser = signed_in()
    cookie = browser.cookie
    answer = browser.post("/reset", {"password": PASSWORD, "confirm": "yes"})
    assert answer.status == 200 and "erases everything" in answer.text
    browser.cookie = cookie
    assert {browser.get(route.path).status for route in ROUTES} == {404}


@pytest.mark.parametrize("fields", [{"password": PASSWORD}, {"password": PASSWORD, "confirm": "on"}])
def test_se_11_a_reset_without_the_ticked_box_does_nothing(fields: dict[str, str]) -> None:
    browser = signed_in()
    answer = browser.post("/reset", fields)
    assert answer.status == 422 and "Tick the box" in answer.text
    assert browser.device.current == lifecycle.INITIALISED and browser.get("/status.json").status == 200


def test_se_11_a_reset_with_a_wrong_password_does_nothing() -> None:
    browser = signed_in()
    assert browser.post("/reset", {"password": "wrong", "confirm": "yes"}).status == 403
    assert browser.device.current == lifecycle.INITIALISED


def test_pw_18_set_up_after_a_reset_asks_for_the_button() -> None:
    browser = Browser(FakeDevice())
    assert "Press the button" not in browser.get("/setup").text
    browser.device.press_needed = True
    assert "Press the button" in browser.get("/setup").text
    browser.accept = "application/json"
    assert json.loads(browser.get("/setup").body) == {"press_needed": True}
    browser.device.refuse_with = PressError()
    answer = browser.post("/setup", {"code": CODE, "password": PASSWORD})
    assert answer.status == 403 and json.loads(answer.body)["error"]["code"] == 514


def test_rp_10_the_contact_is_shown_without_sign_in_with_both_times() -> None:
    for state in (lifecycle.FACTORY_DEFAULT, lifecycle.INITIALISED):
        browser = Browser(FakeDevice(state))
        text = browser.get("/contact").text
        for part in ("https://example.com/security", "within 3 working days", "every 14 days"):
            assert part in text, (state, part)
        browser.accept = "application/json"
        assert json.loads(browser.get("/contact").body)["acknowledgement"] == "within 3 working days"


def test_sc_05_the_statement_is_readable_without_sign_in_and_shows_its_hash() -> None:
    for state in (lifecycle.FACTORY_DEFAULT, lifecycle.INITIALISED):
        browser = Browser(FakeDevice(state))
        assert browser.device.public_info()["statement_sha256"] in browser.get("/statement").text


def test_a_form_that_was_carried_out_answers_a_program_with_where_to_go() -> None:
    browser = signed_in()
    browser.accept = "application/json"
    for path, fields, after in (
        ("/updates", {"action": "on"}, "/updates"),
        ("/password", FORMS["/password"], "/login"),
        ("/login", {"password": OTHER}, "/status"),
        ("/logout", {}, "/"),
        ("/login", {"password": OTHER}, "/status"),
        ("/reset", {"password": OTHER, "confirm": "yes"}, "/"),
    ):
        answer = browser.post(path, fields)
        assert (answer.status, json.loads(answer.body)) == (200, {"next": after}), path


def test_each_page_of_the_owner_gives_its_part_of_the_status_to_a_program() -> None:
    browser = signed_in()
    browser.accept = "application/json"
    found = json.loads(browser.get("/status.json").body)
    assert json.loads(browser.get("/status").body) == found
    assert json.loads(browser.get("/updates").body) == found["update"]
    assert json.loads(browser.get("/support").body) == found["support"]


# Host header ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    [
        "device.local",
        "DEVICE.local",
        "device.local:443",
        "device.local.",
        "192.0.2.7:8443",
        "[2001:db8::7]:443",
    ],
)
def test_a_host_header_of_the_device_is_answered(host: str) -> None:
    assert Browser(FakeDevice()).get("/", Host=host).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "device.local.evil.example", "192.0.2.8", "[2001:db8::8]", "", ":443", "[", "localhost"],
)
def test_any_other_host_header_gets_421_on_every_path(host: str) -> None:
    browser = signed_in()
    for path in ("/", "/status", "/setup", "/nothing"):
        answer = browser.get(path, Host=host)
        assert answer.status == 421 and "1.2.3" not in answer.text, path
    assert browser.post("/updates", {"action": "off"}, Host=host).status == 421
    assert browser.device.calls == []


def test_a_request_without_a_host_header_gets_421() -> None:
    assert Browser(FakeDevice()).raw(b"GET / HTTP/1.0\r\n\r\n").status == 421


# licences ---------------------------------------------------------------------------------------------------


def test_the_licence_texts_are_those_of_the_repository_and_need_no_escaping() -> None:
    repository = Path(licences.__file__).parents[2]
    assert licences.APACHE_2.strip() == (repository / "LICENSE").read_text().strip()
    for _, text in licences.TEXTS:
        assert not re.search("[<>&]", text)


def test_every_part_names_a_licence_whose_text_is_there() -> None:
    names = {name for name, _ in licences.TEXTS}
    for _, licence, holder in licences.PARTS:
        assert licence.split(" ")[0] in names and holder


# weight -----------------------------------------------------------------------------------------------------


def test_no_page_weighs_more_than_the_documents_say() -> None:
    """docs/reference/local-pages.md, in KiB with headers."""
    for route in ROUTES:
        if route.method != "GET" or route.path == "/statement":
            continue
        browser = signed_in() if route.needs_session else Browser(FakeDevice(route.states[0]))
        others = {"/licences": 19, "/style.css": 5, "/meter.js": 11, "/home": 8}
        limit = others.get(str(route.path), 6) * 1024
        assert len(browser.get(route.path).raw) <= limit, route.path


def test_up_13_the_status_page_says_in_a_sentence_what_is_withheld() -> None:
    browser = signed_in()
    assert "did not receive it" not in browser.get("/status").text
    browser.device.found["update"].update(withheld=["release", "key set"], state="withheld")
    page = browser.get("/status").text
    assert (
        "The manufacturer has published a newer version of the software and newer keys for checking updates, but in"
        " 72 hours of running time this device did not receive it." in page
    )
    assert "Something newer is published, but the device does not receive it" in page
