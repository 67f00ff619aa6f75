"""The owner's forms in headless Chromium: no input is lost, and the page never contradicts the device."""

from __future__ import annotations

import random
import unicodedata
from typing import Any

import pytest

from device.errors import PasswordError
from device.owner import passwords, setup_code
from device.owner.common_passwords import WORDS
from tests.browser.conftest import SCREENSHOTS
from tests.browser.look import Watch, axe_violations, until_focused
from tests.running import PASSWORD, FactoryUnit

COMMON = "correct horse battery staple"
OTHER = "seven green bottles on the wall"


def printed(unit: FactoryUnit) -> str:
    return setup_code.grouped(unit.world.unit.setup_code)


def submit(page: Any, button: str = "button[type=submit]") -> None:
    with page.expect_navigation():
        page.click(button)


def choose(page: Any, password: str, again: str | None = None) -> None:
    page.fill("#password", password)
    page.fill("#again", password if again is None else again)


def set_up(page: Any, unit: FactoryUnit) -> None:
    page.goto(f"{unit.url}/setup#code={printed(unit)}")
    choose(page, PASSWORD)
    submit(page)


def sign_in(page: Any, unit: FactoryUnit) -> None:
    page.goto(unit.url + "/login")
    page.fill("#password", PASSWORD)
    submit(page)


# the owner's input is kept -------------------------------------------------------------------------------------


def test_a_refused_password_keeps_the_code_of_the_label(page: Any, fresh: FactoryUnit) -> None:
    page.goto(f"{fresh.url}/setup#code={printed(fresh)}")
    choose(page, COMMON)
    submit(page)
    assert "many people use" in page.inner_text("#password-error")
    assert page.input_value("#code") == printed(fresh)
    choose(page, PASSWORD)
    submit(page)
    assert page.url == fresh.url + "/login"


def test_a_mistyped_code_is_shown_again_to_compare_it_with_the_label(page: Any, fresh: FactoryUnit) -> None:
    typed = printed(fresh)[:-1] + ("2" if printed(fresh)[-1] != "2" else "3")
    page.goto(fresh.url + "/setup")
    page.fill("#code", typed.lower())
    choose(page, PASSWORD)
    submit(page)
    assert "typing mistake" in page.inner_text("#code-error") and page.input_value("#code") == typed


@pytest.mark.parametrize("mark", ["\u2014", "\u00a0", "\u200b", "\u2212", "\u3000", "\u2060"])
def test_a_typed_code_may_have_any_separators(page: Any, fresh: FactoryUnit, mark: str) -> None:
    page.goto(fresh.url + "/setup")
    page.fill("#code", printed(fresh).replace("-", mark))
    choose(page, PASSWORD)
    submit(page)
    assert page.url == fresh.url + "/login"


def test_both_fields_are_compared_in_one_form(page: Any, fresh: FactoryUnit) -> None:
    page.goto(f"{fresh.url}/setup#code={printed(fresh)}")
    choose(page, "caf\u00e9 on the corner of main", "cafe\u0301 on the corner of main")
    submit(page)
    assert page.url == fresh.url + "/login"


# the label is scanned while the page is open --------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/setup", "/"])
def test_a_scan_while_the_page_is_open_fills_the_code_and_clears_the_address(
    page: Any, fresh: FactoryUnit, path: str
) -> None:
    page.goto(fresh.url + path)
    page.evaluate("code => { location.hash = 'code=' + code }", printed(fresh))
    page.wait_for_function("location.hash === ''")
    assert page.url == fresh.url + path
    if path == "/":
        page.click("#start")
        page.wait_for_url(fresh.url + "/setup")
    assert page.input_value("#code") == printed(fresh)


def test_a_second_scan_after_set_up_leads_to_sign_in_and_clears_the_address(
    page: Any, fresh: FactoryUnit
) -> None:
    set_up(page, fresh)
    page.goto(f"{fresh.url}/setup#code={printed(fresh)}")
    assert "already set up" in page.inner_text("main") and page.url == fresh.url + "/setup"
    page.click("a.button")
    page.wait_for_url(fresh.url + "/login")


# success is shown ------------------------------------------------------------------------------------------------


def test_set_up_ends_with_a_word_of_success_that_sign_in_ends(page: Any, fresh: FactoryUnit) -> None:
    set_up(page, fresh)
    assert page.url == fresh.url + "/login"
    assert "device is set up" in page.inner_text("[role=status]")
    page.fill("#password", PASSWORD)
    submit(page)
    submit(page, "text=Sign out")
    assert "You are signed out" in page.inner_text("[role=status]")
    page.goto(fresh.url + "/login")
    assert page.query_selector("main [role=status]") is None


def test_a_change_of_password_ends_with_a_word_of_success(page: Any, owned: FactoryUnit) -> None:
    sign_in(page, owned)
    page.goto(owned.url + "/password")
    page.fill("#current", PASSWORD)
    choose(page, OTHER)
    submit(page)
    assert page.url == owned.url + "/login" and "new password is saved" in page.inner_text("[role=status]")


def test_back_and_a_second_tab_after_set_up_give_a_page_that_leads_on(
    page: Any, context: Any, fresh: FactoryUnit
) -> None:
    second = context.new_page()
    second.goto(f"{fresh.url}/setup#code={printed(fresh)}")
    set_up(page, fresh)
    page.go_back()
    assert "already set up" in page.inner_text("main")
    choose(second, PASSWORD)
    submit(second)
    assert "already set up" in second.inner_text("main") and not axe_violations(second)


def test_a_form_sent_after_the_session_ended_says_that_nothing_was_changed(
    page: Any, context: Any, owned: FactoryUnit
) -> None:
    sign_in(page, owned)
    page.goto(owned.url + "/updates")
    context.clear_cookies()
    submit(page, "text=Switch off")
    assert page.url == owned.url + "/login" and "nothing was changed" in page.inner_text("[role=status]")


# an error is at its field ---------------------------------------------------------------------------------------


def test_an_error_is_at_its_field_which_has_the_focus(page: Any, owned: FactoryUnit) -> None:
    sign_in(page, owned)
    for path, fill, wrong in (
        ("/password", {"current": "wrong password of mine", "password": OTHER, "again": OTHER}, "current"),
        ("/password", {"current": PASSWORD, "password": COMMON, "again": COMMON}, "password"),
        ("/reset", {"password": "wrong password of mine"}, "password"),
    ):
        owned.machine.press_button()
        page.goto(owned.url + path)
        for name, value in fill.items():
            page.fill(f"#{name}", value)
        if path == "/reset":
            page.check("#confirm")
        submit(page, "main button[type=submit]")
        field = page.locator(f"#{wrong}")
        assert field.get_attribute("aria-invalid") == "true", path
        assert f"{wrong}-error" in (field.get_attribute("aria-describedby") or "").split()
        assert page.inner_text(f"#{wrong}-error")
        until_focused(page, f"#{wrong}")
        assert page.title().startswith("Error: ")
        assert not axe_violations(page)


def test_an_error_of_the_whole_form_has_the_focus(page: Any, owned: FactoryUnit) -> None:
    watch = Watch(page)
    for _ in range(12):
        page.goto(owned.url + "/login")
        page.fill("#password", "wrong password of mine")
        submit(page)
        if watch.last_status == 429:
            break
    until_focused(page, "[role=alert]")
    assert "Too many wrong attempts" in page.inner_text("[role=alert]")


@pytest.mark.parametrize("width", [360, 1280])
def test_a_pause_that_is_refused_has_its_error_at_the_field(
    page: Any, owned: FactoryUnit, width: int
) -> None:
    owned.machine.press_button()
    page.set_viewport_size({"width": width, "height": 800})
    sign_in(page, owned)
    page.goto(owned.url + "/updates")
    page.evaluate("document.querySelector('#days option').value = '99'")
    submit(page, "form:has(#days) button")
    assert "1 to 30 days" in page.inner_text("#days-error")
    until_focused(page, "#days")
    assert page.title().startswith("Error: ") and not axe_violations(page)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"updates-refused-{width}.png", full_page=True)
    submit(page, "form:has(input[value=off]) button")
    assert "Automatic updates are off." in page.inner_text("[role=status]")


# a slow device --------------------------------------------------------------------------------------------------


def test_a_sent_form_is_busy_and_a_second_click_sends_nothing(page: Any, fresh: FactoryUnit) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    page.goto(f"{fresh.url}/setup#code={printed(fresh)}")
    choose(page, PASSWORD)
    with page.expect_navigation():
        state = page.evaluate(
            "() => { const button = document.querySelector('button[type=submit]'); button.click();"
            " const state = [button.disabled, button.form.getAttribute('aria-busy'), button.textContent];"
            " button.click(); button.form.requestSubmit(); return state; }"
        )
    assert state == [True, "true", "Please wait\u2026"]
    assert page.url == fresh.url + "/login" and sent.count("POST") == 1


# the meter is the device's rule ---------------------------------------------------------------------------------

_REASONS = """passwords => passwords.map(password => {
  const field = document.getElementById("password");
  field.value = password;
  field.dispatchEvent(new Event("input"));
  return document.getElementById("strength").dataset.reason;
})"""
KNOWN = [
    COMMON,
    PASSWORD,
    "kettle on the hob at six",
    "P@ssw0rd12345678",
    "abcd efgh 1234 5678",
    "zaq12wsxcde34rfv",
    "x7#kQ9!x7#kQ9!x7",
    "q v x t z m w k",
    "kettle on the hob\u200b",
    "kettle on the hob \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\U0001f98a\U0001f419\U0001f335\U0001f6b2\U0001f3b7\U0001f9e6\U0001fa81\U0001f34b\U0001f3b2\U0001f40c\U0001f9ed"
    "\U0001fa97\U0001f989\U0001f344\U0001f6f6",
    "\u043b\u0430\u043c\u043f\u0430 \u043d\u0430 \u043e\u043a\u043d\u0435!!",
    "x" * 65,
    "caf\u00e9\u2014on\u00a0the corner of main",
]


def device_reason(password: str, words: list[str]) -> str:
    try:
        passwords.check(unicodedata.normalize("NFKC", password), words, True)
    except PasswordError as error:
        return str(error.fields["reason"])
    return ""


def samples(unit: FactoryUnit, words: list[str]) -> list[str]:
    """Return passwords for every rule: pieces of common words, walks, words of the device and rare characters."""
    chance = random.Random(9)
    pieces = [word for group in WORDS.values() for word in group.split()]
    pieces += [walk[at : at + 5] for walk in passwords.WALKS for at in range(0, len(walk) - 5, 3)]
    pieces += [word for word in words if word] + [
        printed(unit)[3:14],
        *(printed(unit).replace("-", mark) for mark in "\u2013\u30fb\u00b7"),
        *(unicodedata.normalize("NFC", "\u0307".join(word)) for word in words if word),
    ]
    pieces += [
        *"abcxyzQKX0179@$!-_., ",
        "\u00e9",
        "e\u0301",
        "\uff21",
        "\u00a0",
        "\u2060",
        "\u2014",
        "\u30fb",
        "\u00df",
        "\U0001f98a",
    ]
    made = [
        "".join(chance.choices(pieces, k=chance.randint(2, 9)))[: chance.randint(12, 70)] for _ in range(1500)
    ]
    made += [one[::-1] for one in made[:100]] + [(one[:4] * 9)[:20] for one in made[:50]]
    return [*KNOWN, *made]


def test_the_meter_and_the_device_agree_on_every_password(page: Any, fresh: FactoryUnit) -> None:
    page.goto(f"{fresh.url}/setup#code={printed(fresh)}")
    shown = page.evaluate("document.getElementById('strength').dataset.words").split("\n")
    words = [*shown, page.evaluate("location.hostname"), printed(fresh)]
    assert fresh.world.unit.model in shown if hasattr(fresh.world.unit, "model") else len(shown) == 2
    tried = samples(fresh, shown)
    found = page.evaluate(_REASONS, tried)
    expected = [device_reason(password, words) for password in tried]
    differ = [row for row in zip(tried, found, expected, strict=True) if row[1] != row[2]]
    assert not differ, differ[:5]
    assert set(expected) == {
        "", "length-min", "length-max", "character", "context", "repeated", "common", "sequence"
    }  # fmt: skip


def test_the_meter_says_the_devices_sentence_and_calls_no_refused_password_strong(
    page: Any, fresh: FactoryUnit
) -> None:
    page.goto(fresh.url + "/setup")
    page.fill("#password", COMMON)
    assert "many people use" in page.inner_text("#strength")
    page.fill("#password", "kettle")
    assert page.inner_text("#strength") == "Characters still missing: 9"
    page.fill("#password", PASSWORD)
    assert page.inner_text("#strength").startswith("Strong")
