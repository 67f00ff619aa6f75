"""The application's page: only behind the session, every text escaped, every value checked before the application."""

from __future__ import annotations

import json

import pytest

from device.errors import SettingsError
from device.owner import lifecycle
from tests.unit.device.web.web_fake import Browser, FakeDevice, signed_in

SAVE = {"action": "save", "set_dim": "5", "set_night": "on", "set_tone": "cold"}


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in SAVE.items() if key != name}


def test_the_page_shows_settings_readings_and_actions() -> None:
    text = signed_in().get("/application").text
    for part in (
        "<h1>Lamp</h1>",
        'min="0" max="100" value="80"',
        'name="set_night" value="on" checked',
        '<option value="warm" selected>warm</option>',
        "<dd>40 %</dd>",
        "<dt>Lit</dt><dd>yes</dd>",
        "<dt>Last fault</dt><dd>not known yet</dd>",
        "Switch on or off</button>",
    ):
        assert part in text, part


def test_saved_settings_reach_the_application_as_values() -> None:
    browser = signed_in()
    answer = browser.post("/application", SAVE)
    assert (answer.status, answer.headers["location"]) == (303, "/application")
    browser.post("/application", without("set_night"))
    assert browser.device.calls == [
        ("settings", {"dim": 5, "night": True, "tone": "cold"}),
        ("settings", {"dim": 5, "night": False, "tone": "cold"}),
    ]
    assert "The settings are saved." in browser.get("/application").text


@pytest.mark.parametrize(
    "typed", ["", " 5", "5 ", "+5", "5.0", "0x5", "5_0", "\u0665", "101", "-1", "9" * 11, "--1", "-"]
)
def test_a_number_that_does_not_fit_is_refused_at_its_field_and_stays(typed: str) -> None:
    browser = signed_in()
    answer = browser.post("/application", SAVE | {"set_dim": typed})
    assert answer.status == 422 and browser.device.calls == []
    assert 'id="set_dim-error">Type a whole number from 0 to 100.</p>' in answer.text
    assert f'value="{typed}" id="set_dim"' in answer.text
    assert '<option value="cold" selected>cold</option>' in answer.text


def test_a_choice_that_is_none_is_refused() -> None:
    browser = signed_in()
    answer = browser.post("/application", SAVE | {"set_tone": "<b>"})
    assert answer.status == 422 and browser.device.calls == [] and "<b>" not in answer.text
    assert 'id="set_tone-error"' in answer.text


def test_an_action_is_asked_for_by_its_name() -> None:
    browser = signed_in()
    assert browser.post("/application", {"action": "do", "name": "toggle"}).status == 303
    assert browser.device.calls == [("act", "toggle")]
    answer = browser.post("/application", {"action": "do", "name": "explode"})
    assert answer.status == 422 and "no such action" in answer.text and len(browser.device.calls) == 1


@pytest.mark.parametrize(
    "form",
    [{}, {"action": "x"}, {"action": "do"}, without("set_dim"), without("set_tone"), {"name": "toggle"}],
)
def test_a_form_of_another_shape_is_400(form: dict[str, str]) -> None:
    browser = signed_in()
    assert browser.post("/application", form).status == 400 and browser.device.calls == []


def test_an_application_that_does_not_run_says_so() -> None:
    browser = signed_in()
    browser.device.refuse_with = SettingsError(reason="app stopped")
    answer = browser.post("/application", {"action": "do", "name": "toggle"})
    assert answer.status == 422 and "does not run at the moment" in answer.text


def test_every_text_of_an_application_is_escaped() -> None:
    browser = signed_in()
    evil = "<script>&\"'"
    page = browser.device.found["application"]["page"]
    page["title"] = evil
    for part in page["settings"] + page["readings"] + page["actions"]:
        part["label"] = evil
        if "unit" in part:
            part["unit"] = evil
    page["settings"][2]["choices"] = [evil]
    page["readings"][0]["value"] = evil
    for path in ("/application", "/status"):
        text = browser.get(path).text
        assert evil not in text and "<script>&" not in text and "&lt;script&gt;&amp;&quot;&#39;" in text


@pytest.mark.parametrize(
    "application", [None, {"release": 1, "state": "running", "failures": 0, "says": "", "page": None}]
)
def test_without_a_page_of_the_application_there_is_none(application: dict[str, object] | None) -> None:
    browser = signed_in()
    browser.device.found["application"] = application
    assert browser.get("/application").status == 404
    assert browser.post("/application", SAVE).status == 404 and browser.device.calls == []
    assert "/application" not in browser.get("/status").text


def test_before_set_up_the_path_does_not_exist() -> None:
    browser = Browser(FakeDevice(lifecycle.FACTORY_DEFAULT))
    assert browser.get("/application").status == browser.post("/application", SAVE).status == 404
    assert browser.device.calls == []


def test_a_program_gets_the_page_as_data() -> None:
    browser = signed_in()
    browser.accept = "application/json"
    found = json.loads(browser.get("/application").body)
    assert found == browser.device.found["application"]["page"]
    answer = browser.post("/application", SAVE | {"set_dim": "101"})
    assert answer.status == 422 and json.loads(answer.body)["error"]["reason"] == "app value"
