"""Our pages in a browser under attack: injected markup, foreign pages, no script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.look import Watch, axe_violations
from tests.running import PASSWORD, FactoryUnit

DECOMPOSED = "cafe\u0301 on the corner of main"


@pytest.fixture
def foreign(chromium: Any) -> Iterator[Any]:
    """A page that is not the device's, in a profile without a session."""
    context = chromium.new_context(ignore_https_errors=True)
    yield context.new_page()
    context.close()


def click(page: Any, target: str) -> None:
    """Click on what leads to another page, and wait for it: a click itself waits for no page."""
    with page.expect_navigation():
        page.click(target)


def sign_in(page: Any, unit: FactoryUnit) -> None:
    page.goto(unit.url + "/login")
    page.fill("#password", PASSWORD)
    click(page, "button[type=submit]")
    assert page.url == unit.url + "/status"


ATTACKS = {
    "script-src-elem": "let s = document.createElement('script'); s.textContent = 'window.pwned = 1';"
    " document.body.append(s)",
    "script-src-attr": "document.body.insertAdjacentHTML('beforeend', '<p id=x onclick=\"window.pwned = 1\">x</p>');"
    " document.getElementById('x').click()",
    "img-src": "document.body.insertAdjacentHTML('beforeend', '<img src=\"/status.json\">')",
    "connect-src": "fetch('/status.json').catch(() => 0)",
    "style-src-elem": "document.body.insertAdjacentHTML('beforeend', '<style>body{display:none}</style>')",
    "frame-src": "document.body.insertAdjacentHTML('beforeend', '<iframe src=\"/\"></iframe>')",
    "base-uri": "document.head.insertAdjacentHTML('beforeend', '<base href=\"https://127.0.0.1:1/\">')",
    "form-action": "document.body.insertAdjacentHTML('beforeend',"
    " '<form id=f action=\"https://127.0.0.1:1/\" method=post></form>'); document.getElementById('f').submit()",
}


@pytest.mark.parametrize("directive", sorted(ATTACKS))
def test_markup_that_is_injected_can_do_nothing(fresh: FactoryUnit, page: Any, directive: str) -> None:
    """The test tries each attack, and the browser names the directive that stopped it."""
    page.goto(fresh.url + "/setup")
    script = f"""() => new Promise(done => {{
        document.addEventListener("securitypolicyviolation", event => done(event.effectiveDirective));
        setTimeout(() => done("nothing stopped it"), 5000);
        {ATTACKS[directive]};
    }})"""
    assert page.evaluate(script) == directive
    assert page.evaluate("window.pwned") is None


def test_a_foreign_page_cannot_frame_the_device(fresh: FactoryUnit, foreign: Any) -> None:
    foreign.set_content(f'<iframe src="{fresh.url}/setup"></iframe>')
    frame = foreign.frames[1]
    frame.wait_for_load_state()
    assert "Set-up code" not in frame.content()


def test_a_foreign_page_cannot_send_our_forms(owned: FactoryUnit, page: Any) -> None:
    """Also in the signed-in profile the cookie is not sent and the form is refused."""
    sign_in(page, owned)
    elsewhere = page.context.new_page()
    watch = Watch(elsewhere)
    elsewhere.set_content(
        f'<form method="post" action="{owned.url}/updates"><input name="action" value="off">'
        '<button type="submit">Win a prize</button></form>'
    )
    with elsewhere.expect_navigation():
        elsewhere.click("button")
    assert watch.last_status == 403
    page.goto(owned.url + "/status.json")
    assert json.loads(page.inner_text("body"))["update"]["automatic"] is True


def test_set_up_and_sign_in_work_without_script(fresh: FactoryUnit, chromium: Any) -> None:
    context = chromium.new_context(ignore_https_errors=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(fresh.url + "/")
    click(page, "text=Start")
    assert not page.is_visible("#show") and not page.is_visible("#strength")
    page.fill("#code", fresh.world.unit.setup_code)
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    click(page, "button[type=submit]")
    assert page.url == fresh.url + "/login"
    page.fill("#password", PASSWORD)
    click(page, "button[type=submit]")
    assert page.url == fresh.url + "/status"
    click(page, "text=Updates")
    click(page, "text=Switch off")
    assert "wait until you install them" in page.inner_text("main")
    context.close()


def test_without_script_a_password_that_can_be_written_in_two_ways_is_refused(
    fresh: FactoryUnit, chromium: Any
) -> None:
    """PW-15: a browser that runs the script would send another password."""
    context = chromium.new_context(ignore_https_errors=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(fresh.url + "/setup")
    page.fill("#code", fresh.world.unit.setup_code)
    page.fill("#password", DECOMPOSED)
    page.fill("#again", DECOMPOSED)
    click(page, "button[type=submit]")
    assert "Other characters may not work" in page.inner_text("main")
    context.close()


def test_with_script_both_ways_of_writing_are_one_password(fresh: FactoryUnit, page: Any) -> None:
    """PW-15."""
    page.goto(fresh.url + f"/setup#code={fresh.world.unit.setup_code}")
    page.fill("#password", DECOMPOSED)
    page.fill("#again", DECOMPOSED)
    click(page, "button[type=submit]")
    assert page.url == fresh.url + "/login"
    assert fresh.world.owner.sign_in("caf\u00e9 on the corner of main")


def test_set_up_needs_no_mouse(fresh: FactoryUnit, page: Any) -> None:
    page.goto(fresh.url + "/setup")
    for text in (fresh.world.unit.setup_code, PASSWORD, PASSWORD):
        page.keyboard.press("Tab")
        page.keyboard.insert_text(text)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url == fresh.url + "/login"


def test_a_password_can_be_pasted(fresh: FactoryUnit, page: Any) -> None:
    """No page may prevent a paste, because password managers need it."""
    page.goto(fresh.url + "/setup")
    stopped = page.evaluate("""() => ["#code", "#password", "#again"].filter(name => {
        const event = new ClipboardEvent("paste", {cancelable: true, bubbles: true});
        return !document.querySelector(name).dispatchEvent(event);
    })""")
    assert stopped == []


def test_the_back_button_shows_nothing_after_sign_out(owned: FactoryUnit, page: Any) -> None:
    sign_in(page, owned)
    click(page, "text=Sign out")
    page.go_back()
    assert "1.0.0" not in page.inner_text("body") and page.url == owned.url + "/login"


def test_the_check_of_accessibility_finds_a_field_without_a_label(fresh: FactoryUnit, page: Any) -> None:
    """The check can fail: it finds a mutant of our own page."""
    page.goto(fresh.url + "/setup")
    assert axe_violations(page) == []
    page.evaluate("document.querySelector('label[for=code]').remove()")
    assert any(found.startswith("label") for found in axe_violations(page))
