"""The page about Wi-Fi: one flow from code to network, no passphrase in an answer, nothing without a session."""

from __future__ import annotations

import json

import pytest

from device.errors import WifiError
from device.net import wifi
from device.owner import lifecycle
from device.web import network, network_page
from tests.unit.device.web.web_fake import CODE, PASSWORD, Browser, FakeDevice, FakeWifi, signed_in

KEY = "correct horse 7"
HOME = "486f6d65/WPA2"


def with_radio(**facts: object) -> Browser:
    radio = FakeWifi()
    for name, value in facts.items():
        setattr(radio, name, value)
    return signed_in(radio)


def set_up(radio: FakeWifi) -> Browser:
    device = FakeDevice()
    device.wifi = radio
    browser = Browser(device)
    browser.post("/setup", {"code": CODE, "password": PASSWORD, "again": PASSWORD})
    return browser


# from set-up to the network -------------------------------------------------------------------------------------
def test_set_up_leads_straight_to_the_network_with_a_session() -> None:
    browser = set_up(FakeWifi())
    assert browser.cookie.startswith("session=")
    assert "Choose your network" in browser.get("/network").text


def test_a_refused_set_up_opens_no_session() -> None:
    device = FakeDevice()
    device.wifi = FakeWifi()
    browser = Browser(device)
    answer = browser.post("/setup", {"code": "wrong", "password": PASSWORD, "again": PASSWORD})
    assert answer.status == 403 and browser.cookie == ""


def test_a_unit_that_is_on_a_network_asks_for_sign_in_after_set_up_as_before() -> None:
    radio = FakeWifi()
    radio.joined = True
    browser = set_up(radio)
    assert browser.cookie == ""


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_a_session_the_page_answers_nobody(method: str) -> None:
    device = FakeDevice(lifecycle.INITIALISED)
    device.wifi = FakeWifi()
    browser = Browser(device)
    form = {"action": "join", "network": HOME, "passphrase": KEY}
    answer = browser.get("/network") if method == "GET" else browser.post("/network", form)
    assert (answer.status, answer.headers["location"]) == (303, "/login") and device.wifi.calls == []


@pytest.mark.parametrize("state", [lifecycle.FACTORY_DEFAULT, lifecycle.INITIALISED])
def test_a_unit_without_a_radio_has_no_such_page(state: str) -> None:
    assert Browser(FakeDevice(state)).get("/network").status == 404
    assert signed_in().get("/network").status == 404


def test_the_page_does_not_exist_in_factory_default() -> None:
    device = FakeDevice()
    device.wifi = FakeWifi()
    assert Browser(device).get("/network").status == 404


# the choice -----------------------------------------------------------------------------------------------------
def test_a_network_of_the_list_is_joined_with_its_kind_of_security() -> None:
    browser = with_radio()
    assert browser.post("/network", {"action": "join", "network": HOME, "passphrase": KEY}).status == 303
    assert browser.device.wifi.calls == [("choose", b"Home", KEY.encode(), "WPA2")]


def test_a_typed_name_is_joined_and_a_passphrase_is_not_sent_to_an_open_network() -> None:
    browser = with_radio()
    browser.post("/network", {"action": "join", "network": "other", "name": "Hidden", "passphrase": KEY})
    browser.post("/network", {"action": "join", "network": "4775657374/open", "passphrase": KEY})
    assert browser.device.wifi.calls == [
        ("choose", b"Hidden", KEY.encode(), ""),
        ("choose", b"Guest", b"", "open"),
    ]


@pytest.mark.parametrize("network", ["48 6f/WPA2", "xx/WPA2", "4/WPA2", "\u0664\u0668/WPA2"])
def test_a_network_that_the_page_did_not_offer_is_refused(network: str) -> None:
    browser = with_radio()
    assert browser.post("/network", {"action": "join", "network": network}).status == 400
    assert browser.device.wifi.calls == []


@pytest.mark.parametrize("form", [{}, {"action": "format"}, {"action": "join"}])
def test_another_action_or_no_network_is_refused(form: dict[str, str]) -> None:
    browser = with_radio()
    assert browser.post("/network", form).status == 400 and browser.device.wifi.calls == []


@pytest.mark.parametrize("joined", [False, True])
def test_signing_in_leads_to_the_network_until_the_unit_is_on_one(joined: bool) -> None:
    device = FakeDevice(lifecycle.INITIALISED)
    device.wifi = FakeWifi()
    device.wifi.joined = joined
    answer = Browser(device).post("/login", {"password": PASSWORD})
    assert answer.headers["location"] == ("/status" if joined else "/network")


@pytest.mark.parametrize("form", [{"passphrase": KEY}, {"passphrase": "secret77" * 9}])
def test_a_choice_during_a_try_is_refused_with_a_sentence_on_the_page_of_the_try(
    form: dict[str, str],
) -> None:
    """Two phones at once: the second learns that its choice was not taken, and how the first one's goes."""
    browser = with_radio(attempt={"network": "Guest", "result": wifi.JOINING})
    browser.device.wifi.refuse_with = WifiError(reason="busy")
    answer = browser.post("/network", {"action": "join", "network": HOME, **form})
    assert (answer.status, answer.headers["refresh"]) == (422, "3")
    assert answer.text.count('role="alert"') == 1 and "Connecting to Guest" in answer.text
    assert ("trying another network" if form["passphrase"] == KEY else "8 to 63 characters") in answer.text


def test_a_passphrase_that_is_too_long_is_refused_at_its_field_and_never_shown() -> None:
    browser = with_radio()
    answer = browser.post("/network", {"action": "join", "network": HOME, "passphrase": "secret77" * 9})
    assert answer.status == 422 and 'id="passphrase-error"' in answer.text and "secret77" not in answer.text


def test_a_refused_form_keeps_the_typed_name() -> None:
    browser = with_radio()
    browser.device.wifi.refuse_with = WifiError(reason="passphrase length")
    form = {"action": "join", "network": "other", "name": 'My "<net>', "passphrase": "short"}
    answer = browser.post("/network", form)
    assert answer.status == 422 and "My &quot;&lt;net&gt;" in answer.text and ">short<" not in answer.text


@pytest.mark.parametrize("reason", sorted(network_page._REFUSALS))
def test_every_reason_has_a_sentence_that_a_program_gets_too(reason: str) -> None:
    browser = with_radio()
    browser.accept = "application/json"
    browser.device.wifi.refuse_with = WifiError(reason=reason)
    answer = browser.post("/network", {"action": "join", "network": HOME, "passphrase": KEY})
    error = json.loads(answer.body)["error"]
    assert answer.status == 422 and error["reason"] == reason and error["text"].endswith(".")


def test_an_empty_list_is_renewed_before_the_page_is_shown() -> None:
    browser = with_radio(networks=[], found_next=[wifi.Seen(b"Home", wifi.WPA2, -50)])
    assert f'<option value="{HOME}">' in browser.get("/network").text
    assert browser.device.wifi.calls == [("scan",)]


def test_a_list_with_networks_is_shown_at_once() -> None:
    browser = with_radio()
    browser.get("/network")
    assert browser.device.wifi.calls == []


def test_no_search_begins_while_the_owners_choice_is_tried() -> None:
    browser = with_radio(networks=[], attempt={"network": "Home", "result": wifi.JOINING})
    browser.get("/network")
    assert browser.device.wifi.calls == []


def test_the_answer_to_a_search_comes_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = with_radio(found_next=[wifi.Seen(b"New", wifi.WPA2, -50)])
    looks = iter((True, True, False))
    monkeypatch.setattr(browser.device.wifi, "is_looking", lambda: next(looks))
    monkeypatch.setattr(network, "_LOOK_S", 0)
    assert browser.post("/network", {"action": "scan"}).status == 303
    assert next(looks, None) is None
    assert '<option value="4e6577/WPA2">New' in browser.get("/network").text


def test_a_search_without_an_end_does_not_keep_the_owner_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = with_radio()
    monkeypatch.setattr(browser.device.wifi, "is_looking", lambda: True)
    monkeypatch.setattr(network, "_LOOK_S", 0)
    assert browser.post("/network", {"action": "scan"}).status == 303


# how it went ----------------------------------------------------------------------------------------------------
def test_while_a_try_runs_the_page_loads_itself_again_without_a_script() -> None:
    browser = with_radio(attempt={"network": "Home", "result": wifi.JOINING})
    answer = browser.get("/network")
    assert answer.headers["refresh"] == "3" and "Connecting to Home" in answer.text
    assert "<form" not in answer.text.split("<main>")[1].split("<footer>")[0]


@pytest.mark.parametrize("cause", [*wifi.CAUSES, wifi.WEAK, "storage"])
def test_a_failed_try_says_why_and_offers_the_next_one(cause: str) -> None:
    browser = with_radio(attempt={"network": "Home", "result": cause})
    text = browser.get("/network").text
    assert network_page.escape(network_page.refusal(cause).text) in text
    assert ("Try again: Home" in text) == (cause not in (wifi.PASSPHRASE, wifi.SECURITY))
    assert f'value="{HOME}" selected' in text


def test_one_button_tries_again_without_the_passphrase() -> None:
    browser = with_radio(attempt={"network": "Home", "result": wifi.NO_ADDRESS})
    assert browser.post("/network", {"action": "again"}).status == 303
    assert browser.device.wifi.calls == [("again",)]


def test_a_join_says_so_and_leads_the_phone_back() -> None:
    browser = with_radio(joined=True, stored="Home", attempt={"network": "Home", "result": wifi.JOINED})
    text = browser.get("/network").text
    assert "The device is connected to Home." in text and "https://fb-0a1b2c3d.local/" in text
    finished = browser.post("/network", {"action": "finish"})
    assert finished.status == 200 and "You are done" in finished.text
    assert browser.device.wifi.calls == [("finish",)]


def test_a_network_without_the_internet_is_explained() -> None:
    browser = with_radio(joined=True, stored="Hotel", is_open=False)
    browser.device.found["last_contact"] = None
    text = browser.get("/network").text
    assert "not reached yet" in text and "as hotels do" in text


def test_a_contact_over_an_earlier_network_does_not_count_for_this_one() -> None:
    browser = with_radio(joined=True, stored="Hotel", is_open=False)
    contact = browser.device.found["last_contact"]
    assert ">reached<" in browser.get("/network").text
    browser.device.wifi.earlier_contact = (contact["source"], contact["time"])
    text = browser.get("/network").text
    assert "not reached yet" in text and "as hotels do" in text


def test_a_changed_passphrase_is_named_on_the_page() -> None:
    browser = with_radio(stored="Home", lost_for=wifi.PASSPHRASE)
    assert "no longer accepts the saved passphrase" in browser.get("/network").text


def test_the_network_that_was_lost_is_chosen_already_though_another_one_is_stronger() -> None:
    browser = with_radio(stored="Guest", lost_for=wifi.PASSPHRASE)
    assert 'value="4775657374/open" selected' in browser.get("/network").text
    hidden = with_radio(stored="Hidden", lost_for=wifi.PASSPHRASE).get("/network").text
    assert 'value="other" selected' in hidden and 'value="Hidden"' in hidden


def test_a_network_that_cannot_be_used_is_shown_and_cannot_be_chosen() -> None:
    browser = with_radio(networks=[wifi.Seen(b"Old", wifi.OLD, -40), wifi.Seen(b"\xff\xfe", wifi.WPA2, -85)])
    text = browser.get("/network").text
    assert 'value="4f6c64/WEP or WPA" disabled' in text and ">fffe - weak<" in text


def test_a_hostile_name_is_text() -> None:
    browser = with_radio(networks=[wifi.Seen(b"<script>alert(1)", wifi.WPA2, -40)])
    text = browser.get("/network").text
    assert "<script>alert" not in text and "&lt;script&gt;alert(1)" in text


def test_the_navigation_leads_to_the_page_only_on_a_unit_with_a_radio() -> None:
    assert 'href="/network"' in with_radio().get("/status").text
    assert 'href="/network"' not in signed_in().get("/status").text
