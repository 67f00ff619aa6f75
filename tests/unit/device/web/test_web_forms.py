"""Answers to a form without a script: the set-up code, the field of the error, the message of success."""

from __future__ import annotations

import json
import re

import pytest

from device.errors import (
    CredentialError,
    LifecycleError,
    PasswordError,
    PressError,
    SettingsError,
    SetupCodeError,
    ThrottledError,
)
from device.owner import lifecycle
from device.web import texts
from tests.unit.device.web.web_fake import CODE, PASSWORD, Browser, FakeDevice, signed_in

TYPED = "abcd efgh-jklm npqr stuv2"
SHOWN = 'value="ABCDEFG-HJKLMNP-QRSTUV2"'
OTHER = "seven green bottles on the wall"


@pytest.mark.parametrize(
    "error",
    [
        PasswordError(reason="common"),
        SetupCodeError(reason="check"),
        PressError(),
        ThrottledError(wait_s=3),
    ],
)
def test_a_refused_set_up_keeps_the_code_whatever_was_refused(error: Exception) -> None:
    browser = Browser(FakeDevice())
    browser.device.refuse_with = error  # type: ignore[assignment]
    answer = browser.post("/setup", {"code": TYPED, "password": PASSWORD})
    assert SHOWN in answer.text and PASSWORD not in answer.text


def test_two_different_passwords_keep_the_code_too() -> None:
    answer = Browser(FakeDevice()).post("/setup", {"code": TYPED, "password": PASSWORD, "again": OTHER})
    assert answer.status == 422 and SHOWN in answer.text


def test_a_refused_reset_keeps_the_tick_that_was_set_and_sets_none() -> None:
    browser = signed_in()
    for fields, is_ticked in (({"confirm": "yes"}, True), ({}, False)):
        text = browser.post("/reset", {"password": OTHER, **fields}).text
        box = next(tag for tag in re.findall("<input[^>]*>", text) if 'id="confirm"' in tag)
        assert (" checked" in box) == is_ticked


def test_a_code_that_is_shown_again_is_letters_digits_and_dashes_only() -> None:
    for code in ('"><script>x</script>', "\u202e\u2066" + "A" * 200, "&quot;", "\u00e9\u4e2d"):
        answer = Browser(FakeDevice()).post("/setup", {"code": code, "password": PASSWORD})
        found = re.findall('id="code"|value="([^"]*)"', answer.text)
        assert all(re.fullmatch("[0-9A-Z-]{0,40}", value) for value in found), code


@pytest.mark.parametrize(
    ("path", "fields", "error", "wrong"),
    [
        ("/setup", {"code": CODE, "password": PASSWORD}, PasswordError(reason="common"), "password"),
        ("/setup", {"code": CODE, "password": PASSWORD}, SetupCodeError(reason="wrong"), "code"),
        ("/setup", {"code": CODE, "password": PASSWORD, "again": OTHER}, None, "again"),
        ("/login", {"password": OTHER}, CredentialError(), "password"),
        ("/password", {"current": OTHER, "password": PASSWORD}, CredentialError(), "current"),
        (
            "/password",
            {"current": PASSWORD, "password": OTHER},
            PasswordError(reason="unchanged"),
            "password",
        ),
        ("/reset", {"password": OTHER, "confirm": "yes"}, CredentialError(), "password"),
        ("/reset", {"password": PASSWORD}, None, "confirm"),
    ],
)
def test_the_error_is_at_its_field(
    path: str, fields: dict[str, str], error: Exception | None, wrong: str
) -> None:
    browser = Browser(FakeDevice(lifecycle.INITIALISED if path == "/login" else lifecycle.FACTORY_DEFAULT))
    if path in ("/password", "/reset"):
        browser = signed_in()
    browser.device.refuse_with = error  # type: ignore[assignment]
    text = browser.post(path, fields).text
    field = next(tag for tag in re.findall("<input[^>]*>", text) if f'id="{wrong}"' in tag)
    assert 'aria-invalid="true"' in field and " autofocus" in field
    described = re.search('aria-describedby="([^"]*)"', field)
    assert described and f"{wrong}-error" in described[1].split(" ")
    assert f'role="alert" id="{wrong}-error"' in text and text.count("aria-invalid") == 1
    assert "<title>Error: " in text


def test_without_script_two_encodings_of_one_text_are_not_called_different() -> None:
    fields = {"code": CODE, "password": "caf\u00e9 on the corner", "again": "cafe\u0301 on the corner"}
    browser = Browser(FakeDevice())
    browser.accept = "application/json"
    assert json.loads(browser.post("/setup", fields).body)["error"]["reason"] == "not-normalised"


# success --------------------------------------------------------------------------------------------------------


def test_sign_in_says_for_a_minute_that_set_up_succeeded() -> None:
    browser = Browser(FakeDevice())
    browser.post("/setup", {"code": CODE, "password": PASSWORD})
    assert texts.SET_UP in browser.get("/login").text and texts.SET_UP in browser.get("/login").text
    browser.device.clock.advance_ms(61_000)
    assert texts.SET_UP not in browser.get("/login").text


def test_a_change_of_password_says_that_it_succeeded_until_the_next_sign_in() -> None:
    browser = signed_in()
    browser.post("/password", {"current": PASSWORD, "password": OTHER, "again": OTHER})
    assert texts.PASSWORD_CHANGED in browser.get("/login").text
    browser.post("/login", {"password": OTHER})
    assert texts.PASSWORD_CHANGED not in browser.get("/login").text


def test_a_refused_change_says_nothing_of_success() -> None:
    browser = signed_in()
    browser.post("/password", {"current": OTHER, "password": OTHER})
    assert texts.PASSWORD_CHANGED not in browser.get("/login").text


def test_the_start_of_an_installation_and_the_end_of_a_session_are_shown() -> None:
    browser = signed_in()
    browser.post("/updates", {"action": "install"})
    assert texts.INSTALLING in browser.get("/updates").text
    browser.post("/logout", {})
    assert texts.SIGNED_OUT in browser.get("/").text


@pytest.mark.parametrize(
    "fields",
    [{"action": "on"}, {"action": "off"}, {"action": "postpone", "days": "7"}],
    ids=lambda one: one["action"],
)
def test_each_choice_about_updates_ends_with_a_word_of_success(fields: dict[str, str]) -> None:
    browser = signed_in()
    browser.post("/updates", fields)
    assert texts.UPDATES_DONE[fields["action"]] in browser.get("/updates").text


def test_a_second_click_on_install_is_no_mistake_and_a_first_one_without_an_offer_is() -> None:
    browser = signed_in()
    browser.post("/updates", {"action": "install"})
    browser.device.refuse_with = SettingsError(reason="no offer")
    assert browser.post("/updates", {"action": "install"}).status == 303
    assert texts.INSTALLING in browser.get("/updates").text
    browser.device.clock.advance_ms(61_000)
    assert browser.post("/updates", {"action": "install"}).status == 422


@pytest.mark.parametrize("reason", ["no time", "days"])
def test_a_refused_pause_keeps_the_days_and_says_why_at_the_field(reason: str) -> None:
    browser = signed_in()
    browser.device.refuse_with = SettingsError(reason=reason)
    text = browser.post("/updates", {"action": "postpone", "days": "7"}).text
    assert '<option value="7" selected>' in text and text.count("selected") == 1
    assert 'aria-invalid="true" aria-describedby="days-error" autofocus' in text and 'id="days-error"' in text


def test_a_refused_pause_without_the_field_is_a_problem_of_the_page() -> None:
    browser = signed_in()
    browser.device.found["update"]["automatic"] = False
    browser.device.refuse_with = SettingsError(reason="days")
    text = browser.post("/updates", {"action": "postpone", "days": "7"}).text
    assert "days-error" not in text and "1 to 30 days" in text


def test_a_form_without_a_session_says_that_nothing_was_changed() -> None:
    browser = Browser(FakeDevice(lifecycle.INITIALISED))
    assert browser.post("/updates", {"action": "off"}).status == 303
    assert texts.NOT_SENT in browser.get("/login").text


def test_a_double_click_on_the_change_of_password_still_ends_with_success() -> None:
    browser = signed_in()
    cookie = browser.cookie
    for _ in range(2):
        browser.cookie = cookie
        browser.post("/password", {"current": PASSWORD, "password": OTHER, "again": OTHER})
    assert texts.PASSWORD_CHANGED in browser.get("/login").text


# pages of another state -----------------------------------------------------------------------------------------


def test_set_up_of_a_device_with_an_owner_is_404_and_leads_to_sign_in() -> None:
    browser = Browser(FakeDevice(lifecycle.INITIALISED))
    for answer in (browser.get("/setup"), browser.post("/setup", {"code": CODE, "password": PASSWORD})):
        assert answer.status == 404 and "already set up" in answer.text and 'href="/login"' in answer.text


def test_a_client_that_loses_the_race_of_set_up_gets_the_same_page() -> None:
    browser = Browser(FakeDevice())
    device = browser.device

    async def lose(code: str, password: str, is_normalised: bool) -> None:
        device.current = lifecycle.INITIALISED
        raise LifecycleError(state=lifecycle.INITIALISED, event=lifecycle.SETUP)

    device.setup = lose  # type: ignore[method-assign]
    answer = browser.post("/setup", {"code": CODE, "password": PASSWORD})
    assert answer.status == 404 and "already set up" in answer.text


@pytest.mark.parametrize("path", ["/login", "/status", "/updates", "/password"])
def test_an_owners_page_of_a_device_without_an_owner_leads_to_set_up(path: str) -> None:
    answer = Browser(FakeDevice()).get(path)
    assert answer.status == 404 and "no password yet" in answer.text and 'href="/setup"' in answer.text


def test_a_device_that_is_being_reset_says_so_on_every_page_and_a_failed_one_nothing() -> None:
    browser = signed_in()
    browser.post("/reset", {"password": PASSWORD, "confirm": "yes"})
    answer = browser.get("/status")
    assert answer.status == 404 and "restarts now" in answer.text
    assert "restarts now" not in Browser(FakeDevice(lifecycle.FAILED)).get("/status").text
