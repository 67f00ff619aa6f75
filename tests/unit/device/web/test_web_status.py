"""The status page in words, the navigation, and the statement as a text (SC-05, UP-07)."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest

from device.owner import lifecycle
from device.web import owner_pages, status_page, texts
from device.web.html import escape
from provisioning.compliance.forms import paragraphs
from provisioning.compliance.statement import build_statement
from provisioning.product.product import load_product
from tests.unit.device.web.web_fake import CODE, PASSWORD, Browser, FakeDevice, signed_in

CHECKED_S = 1_900_000_000
EXAMPLE = Path(__file__).parents[4] / "examples" / "product" / "product.toml"


def shown(is_trial: bool = False, **update: Any) -> str:
    """Return the status page of a unit without an error whose update status has these members."""
    browser = signed_in()
    browser.device.found["is_trial"] = is_trial
    browser.device.found["update"].update(last_error=None, events=[], **update)
    return browser.get("/status").text


def heading(text: str) -> str:
    found = re.search(r"<h2 class=\"state [a-z]+\">([^<]*)</h2>", text)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(
    ("update", "expected"),
    [
        ({}, "Not known yet whether it is up to date"),
        ({"up_to_date": CHECKED_S}, "Up to date"),
        ({"up_to_date": CHECKED_S, "state": "checking"}, "Up to date"),
        ({"state": "checking"}, "The device looks for an update"),
        ({"up_to_date": CHECKED_S, "state": "downloading"}, "An update is being downloaded"),
        ({"up_to_date": CHECKED_S, "state": "restarting"}, "The device restarts now"),
        ({"up_to_date": CHECKED_S, "is_trial": True}, "A new version is being tested"),
        ({"up_to_date": CHECKED_S, "is_stale": True}, "Not known whether it is up to date"),
        ({"up_to_date": CHECKED_S, "withheld": ["release"]}, "Perhaps not up to date"),
        ({"up_to_date": CHECKED_S, "offered": {"sequence": 9}}, "An update is ready"),
    ],
)
def test_the_status_page_says_in_words_whether_the_device_is_up_to_date(
    update: dict[str, Any], expected: str
) -> None:
    assert heading(shown(**update)) == expected


def test_a_failed_check_is_never_shown_as_up_to_date() -> None:
    browser = signed_in()
    browser.device.found["update"]["up_to_date"] = None
    assert heading(browser.get("/status").text) == "Not known whether it is up to date"


def test_every_standing_has_its_place_on_the_page() -> None:
    assert len({standing.text for standing in status_page._STANDINGS.values()}) == 9  # two are "not known"


def test_the_page_says_since_when_and_the_installed_version() -> None:
    text = shown(up_to_date=CHECKED_S)
    assert "On 17 March 2030, 17:46 UTC the device found no newer version." in text
    assert "<dt>Installed version</dt><dd>1.2.3+0</dd>" in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "soon"),
        (0, "in less than two minutes"),
        (119, "in less than two minutes"),
        (120, "in about 2 minutes"),
        (7199, "in about 119 minutes"),
        (7200, "in about 2 hours"),
        (172_799, "in about 47 hours"),
        (30 * 86400, "in about 30 days"),
    ],
)
def test_the_page_says_when_the_device_checks_next(seconds: int | None, words: str) -> None:
    assert f"The device checks for updates {words}." in shown(next_check_s=seconds)


def test_the_page_says_who_installs_what_is_found() -> None:
    assert "It installs what it finds by itself." in shown()
    for update in ({"automatic": False}, {"postponed_until": CHECKED_S}):
        text = shown(**update)
        assert "by itself" not in text and "Automatic updates: O" in text


def test_check_now_begins_a_check_and_comes_back_with_a_word() -> None:
    browser = signed_in()
    assert 'name="action" value="check"' in browser.get("/status").text
    answer = browser.post("/updates", {"action": "check"})
    assert (answer.status, answer.headers["location"]) == (303, "/status")
    assert browser.device.calls == [("check",)]
    assert "looks for an update now" in browser.get("/status").text


@pytest.mark.parametrize("state", ["checking", "downloading", "restarting"])
def test_while_a_check_is_under_way_there_is_nothing_to_check(state: str) -> None:
    text = shown(state=state)
    assert 'value="check"' not in text and "Look again" in text


def test_numbers_and_times_are_behind_a_disclosure() -> None:
    text = shown(up_to_date=CHECKED_S)
    before, details = text.split("<details><summary>Details</summary>")
    for name in ("Release number", "Last verified contact", "Date and time"):
        assert name in details and name not in before


def test_the_navigation_shows_two_links_and_the_others_behind_one_word() -> None:
    browser = signed_in()
    browser.device.found["application"]["page"] = None
    text = browser.get("/status").text
    nav = text[text.index("<nav") : text.index("</nav>")]
    visible, more = nav.split("<details><summary>More</summary>")
    assert visible.count("<a ") == owner_pages.SHOWN == 2
    assert more.count("<a ") == len(owner_pages.LINKS) - 2


# the statement ------------------------------------------------------------------------------------------------


def statement_of(document: object) -> str:
    browser = Browser(FakeDevice(lifecycle.FACTORY_DEFAULT))
    browser.device.statement_payload = json.dumps(document).encode()
    return browser.get("/statement").text


def test_sc_05_the_page_has_every_line_of_the_printed_statement() -> None:
    document = build_statement(load_product(EXAMPLE), dt.date(2026, 1, 2))
    text = statement_of(document)
    for _, title, lines in paragraphs(document):
        assert f"<h2>{escape(title)}</h2>" in text
        for line in lines:
            assert f"<p>{escape(line)}</p>" in text, line


def test_what_the_text_does_not_say_is_behind_a_disclosure() -> None:
    document = build_statement(load_product(EXAMPLE), dt.date(2026, 1, 2)) | {
        "id": "FB-1_x",
        "evidence": ["one"],
    }
    _, details = statement_of(document).split("<summary>Other particulars of the signed statement</summary>")
    assert (
        "FB-1_x" in details and "Evidence" in details and document["open_points"][0].split(" ")[0] in details
    )


@pytest.mark.parametrize(
    "change",
    [
        {"product": 7},
        {"manufacturers": None},
        {"issue": {"place": "here", "date": "2026-13-40"}},
        {"issue": {"place": "here", "date": "tomorrow"}},
        {"declaration": {"opinion": "yes", "requirements": {"other": {"route": "schedule-1"}}}},
    ],
)
def test_a_statement_of_another_form_is_shown_item_by_item(change: dict[str, Any]) -> None:
    document = build_statement(load_product(EXAMPLE), dt.date(2026, 1, 2)) | change
    text = statement_of(document)
    assert "<dt>Prepared by</dt>" in text and "Other particulars" not in text


# the end of set-up ---------------------------------------------------------------------------------------------


def test_set_up_ends_with_what_happens_now_and_how_to_come_back() -> None:
    browser = Browser(FakeDevice())
    browser.post("/setup", {"code": CODE, "password": PASSWORD})
    text = browser.get("/login").text
    assert texts.SET_UP in text
    for line in texts.SET_UP_NEXT:
        assert escape(line) in text
    for part in ("until 31 March 2031", "https://example.com/security"):  # support period, where to report
        assert part in text
    browser.post("/login", {"password": PASSWORD})
    browser.cookie = ""
    assert "What happens now" not in browser.get("/login").text, "once is enough"


def test_an_owner_who_cannot_sign_in_is_led_to_the_reset() -> None:
    browser = Browser(FakeDevice(lifecycle.INITIALISED))
    for text in (browser.get("/login").text, browser.post("/login", {"password": "wrong"}).text):
        assert "You forgot the password" in text
        for line in texts.FORGOTTEN:
            assert escape(line) in text
