"""The page about the broker in the owner's home: behind the session, every field checked, no password in an answer."""

from __future__ import annotations

import json
import ssl

import pytest

from device.crypto import der
from device.limits import HOME_AUTHORITY_BYTES
from device.net import home_assistant
from device.owner import lifecycle
from device.web import home_page
from tests.unit.device.web.home_fake import CERTIFICATE
from tests.unit.device.web.web_fake import Browser, FakeDevice, signed_in

PASSWORD = "fish & chips <b>"
SAVE = {
    "action": "save",
    "address": "192.168.1.7",
    "port": "8883",
    "name": "",
    "user": "lamp",
    "password": PASSWORD,
    "authority": CERTIFICATE,
}


def saved(**facts: object) -> Browser:
    browser = signed_in()
    browser.post("/home", SAVE)
    for name, value in facts.items():
        setattr(browser.device.linked, name, value)
    return browser


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("state", [lifecycle.FACTORY_DEFAULT, lifecycle.INITIALISED])
def test_without_a_session_the_page_answers_nobody(method: str, state: str) -> None:
    device = FakeDevice(state)
    browser = Browser(device)
    answer = browser.get("/home") if method == "GET" else browser.post("/home", SAVE)
    assert answer.status == (404 if state == lifecycle.FACTORY_DEFAULT else 303)
    assert device.linked.calls == []


def test_a_form_of_another_site_changes_nothing() -> None:
    browser = signed_in()
    answer = browser.post("/home", SAVE, **{"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 403 and browser.device.linked.calls == []


def test_what_the_owner_saves_reaches_the_link() -> None:
    browser = signed_in()
    answer = browser.post("/home", SAVE | {"install": "yes", "address": " HOME.example ", "port": " 1234 "})
    assert (answer.status, answer.headers["location"]) == (303, "/home")
    broker = browser.device.linked.broker
    assert broker is not None and broker.is_on and broker.may_install
    assert (broker.address, broker.port, broker.user, broker.password) == (
        "home.example",
        1234,
        "lamp",
        PASSWORD,
    )


def test_the_password_is_on_no_page_and_in_no_json() -> None:
    browser = saved()
    for path in ("/home", "/status", "/status.json"):
        for accept in ("text/html", "application/json"):
            browser.accept = accept
            assert "chips" not in browser.get(path).text
    browser.accept = "text/html"
    answer = browser.post("/home", SAVE | {"port": "x"})
    assert answer.status == 422 and "chips" not in answer.text
    browser.accept = "application/json"
    assert "chips" not in browser.post("/home", SAVE | {"port": "x"}).text


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("address", "mqtt://home"),
        ("address", ""),
        ("port", "0"),
        ("port", "8883x"),
        ("port", "\u0668"),
        ("port", "70000"),
        ("name", "a b"),
        ("user", ""),
        ("password", ""),
        ("authority", ""),
        ("authority", "hello"),
        ("authority", CERTIFICATE + CERTIFICATE),
    ],
)
def test_a_wrong_field_is_refused_at_its_place_and_the_others_stay(name: str, typed: str) -> None:
    browser = signed_in()
    answer = browser.post("/home", SAVE | {"install": "yes", "user": "lamp-7"} | {name: typed})
    assert answer.status == 422 and browser.device.linked.broker is None
    assert f'id="{name}-error"' in answer.text and 'value="yes" checked' in answer.text
    for kept in {"address", "user"} - {name}:
        assert (SAVE | {"user": "lamp-7"})[kept] in answer.text


def test_a_pasted_private_key_is_neither_kept_nor_shown_again() -> None:
    browser = signed_in()
    key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBM\n-----END PRIVATE KEY-----"
    answer = browser.post("/home", SAVE | {"authority": key})
    assert answer.status == 422 and "MIGHAgEAMBM" not in answer.text
    assert "You pasted a private key" in answer.text and browser.device.linked.broker is None


def test_a_saved_password_is_not_sent_to_another_broker() -> None:
    browser = saved()
    answer = browser.post("/home", SAVE | {"password": "", "authority": "", "address": "evil.example"})
    assert answer.status == 422 and "type it again" in answer.text
    browser.post("/home", SAVE | {"password": "", "authority": "", "install": "yes"})
    broker = browser.device.linked.broker
    assert broker is not None and broker.password == PASSWORD and broker.may_install


def test_the_owner_switches_tests_and_erases() -> None:
    browser = saved()
    for action in ("off", "on", "test", "forget"):
        assert browser.post("/home", {"action": action}).status == 303
        assert home_page.DONE[action] in browser.get("/home").text
    assert [call[0] for call in browser.device.linked.calls[1:]] == ["switch", "switch", "test", "forget"]


def test_without_a_saved_broker_there_is_nothing_to_switch() -> None:
    browser = signed_in()
    for action in ("on", "off", "test", "forget"):
        answer = browser.post("/home", {"action": action})
        assert answer.status == 422 and "Save a broker first." in answer.text


def test_a_second_click_on_erase_is_no_mistake() -> None:
    browser = saved()
    for _ in range(2):
        assert browser.post("/home", {"action": "forget"}).status == 303
        assert home_page.DONE["forget"] in browser.get("/home").text


def test_an_unknown_action_is_refused() -> None:
    assert signed_in().post("/home", SAVE | {"action": "install"}).status == 400


@pytest.mark.parametrize(
    "reason", ["certificate", "refused", "no answer", "protocol", "memory", "unreachable", "left"]
)
def test_every_failure_has_a_sentence(reason: str) -> None:
    text = saved(reason=reason, link_state="waiting").get("/home").text
    assert 'role="alert"' in text and home_page._REASONS[reason].split("'")[0][:40] in text


@pytest.mark.parametrize("state", ["connecting", "connected", "aside", "waiting"])
def test_a_page_loads_itself_again_until_its_state_is_known_and_has_no_form_meanwhile(state: str) -> None:
    answer = saved(link_state=state).get("/home")
    assert home_page._STATES[state] in answer.text
    assert ("refresh" in answer.headers) == (state in ("connecting", "aside"))
    assert ("Change the broker" in answer.text) == (state in ("connected", "waiting"))


def test_a_link_that_is_off_and_says_goodbye_is_not_shown_as_one_that_is_being_made() -> None:
    browser = saved()
    browser.post("/home", {"action": "off"})
    browser.device.linked.state_off = "connecting"
    text = browser.get("/home").text
    assert "Switched off." in text and "Off. The device connects to the broker once more." in text
    assert "The device connects to the broker now." not in text


def test_what_an_action_said_gives_way_to_its_result() -> None:
    browser = saved()
    browser.post("/home", {"action": "off"})
    for result in ({"was_tested": True}, {"reason": "refused"}):
        browser.post("/home", {"action": "test"})
        for name, value in result.items():
            setattr(browser.device.linked, name, value)
        assert "The test has begun." not in browser.get("/home").text


def test_a_password_that_a_refused_form_lost_is_asked_for_again() -> None:
    browser = saved()
    text = browser.post("/home", SAVE | {"password": "porridge", "authority": "hello"}).text
    field = text[text.index('id="password"') :].partition(">")[0]
    assert "Type it again." in text and " required" in field and "porridge" not in text
    text = browser.post("/home", SAVE | {"password": "", "authority": "hello"}).text
    field = text[text.index('id="password"') :].partition(">")[0]
    assert "Type it again." not in text and " required" not in field


def test_a_program_gets_the_choice_and_nothing_if_nothing_is_saved() -> None:
    browser = signed_in()
    browser.accept = "application/json"
    assert json.loads(browser.get("/home").body) == {}
    browser.post("/home", SAVE)
    assert json.loads(browser.get("/home").body)["address"] == "192.168.1.7"
    assert json.loads(browser.get("/status.json").body)["home"]["user"] == "lamp"
    browser.post("/home", {"action": "off"})
    assert json.loads(browser.get("/status.json").body)["home"] is None


def test_the_largest_certificate_fits_into_a_form() -> None:
    inside = der.encode(der.SEQUENCE, bytes(HOME_AUTHORITY_BYTES - 13)) + der.encode(der.SEQUENCE, b"")
    largest = der.encode(der.SEQUENCE, inside + der.encode(der.BIT_STRING, b"\0"))
    assert len(largest) == HOME_AUTHORITY_BYTES
    pasted = ssl.DER_cert_to_PEM_cert(largest).replace("\n", "\r\n")
    browser = signed_in()
    assert browser.post("/home", SAVE | {"authority": pasted, "address": "a" * 40}).status == 303
    broker = browser.device.linked.broker
    assert broker is not None and broker.authority == largest


def test_a_device_name_of_the_label_can_be_a_topic() -> None:
    unit = home_assistant.Unit("fb-0a1b2c3d", "b", "m", "1")
    assert set(home_assistant.base(unit)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-/")
