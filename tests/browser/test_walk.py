"""An owner's use of every page in headless Chromium, on the simulator and on the emulated board.

Pictures of every page at 1280 and 360 pixels, and dark at 320, are kept in build/screenshots.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.conftest import SCREENSHOTS
from tests.browser.walk import PAGES, Walk
from tests.running import PASSWORD

MACHINES = [
    pytest.param("simulated", id="simulator"),
    pytest.param("emulated", id="qemu", marks=pytest.mark.emulated),
]


@pytest.fixture(scope="module", params=MACHINES)
def walk(request: pytest.FixtureRequest) -> Iterator[Walk]:
    unit = request.getfixturevalue(request.param).fresh()
    chromium = request.getfixturevalue("chromium")
    walked = Walk(unit, chromium, SCREENSHOTS / request.param)
    walked.go()
    yield walked
    walked.context.close()


def test_the_label_fills_in_the_code_and_leaves_no_trace_in_the_address(walk: Walk) -> None:
    assert walk.seen["code from the label"] == walk.unit.world.unit.setup_code
    assert walk.seen["address after the label"] == walk.unit.url + "/setup"


def test_strength_is_shown_while_it_is_typed(walk: Walk) -> None:
    assert "repeats" in walk.seen["strength of a weak one"]
    assert walk.seen["strength of a good one"].startswith("Strong")


def test_a_password_can_be_shown(walk: Walk) -> None:
    assert walk.seen["type when shown"] == "text"


def test_a_weak_password_is_refused_with_the_reason(walk: Walk) -> None:
    seen = walk.views["weak-password"]
    assert seen.status == 422 and "repeats the same characters" in seen.text


def test_a_wrong_code_is_refused(walk: Walk) -> None:
    seen = walk.views["wrong-code"]
    assert seen.status == 403 and "not the set-up code" in seen.text


def test_set_up_leads_to_sign_in_and_sign_in_to_the_status(walk: Walk) -> None:
    assert walk.views["login"].path == "/login"
    assert "1.0.0" in walk.views["owner-status"].text


def test_guessing_is_throttled_in_words(walk: Walk) -> None:
    """PW-14."""
    assert walk.views["wrong-password"].status == 403
    assert walk.seen["throttled"] == 429 and "Too many wrong attempts" in walk.views["throttled"].text


def test_the_session_cookie_is_closed_to_scripts_and_to_other_sites(walk: Walk) -> None:
    assert walk.seen["cookie"] == {"httpOnly": True, "secure": True, "sameSite": "Strict"}
    assert walk.seen["document.cookie"] == ""


def test_the_navigation_reaches_every_page(walk: Walk) -> None:
    assert set(walk.seen["navigation"]) >= {f"/{name}" for name in PAGES}
    assert all(walk.views[f"owner-{name}"].status == 200 for name in PAGES)


def test_rp_10_the_security_contact_and_both_times_are_public(walk: Walk) -> None:
    text = walk.views["public-contact"].text
    assert "security@example.com" in text and "3 working days" in text and "14 days" in text


def test_sc_05_the_statement_reads_as_a_page_with_its_fingerprint(walk: Walk) -> None:
    text = walk.views["public-statement"].text
    assert "Example Devices Ltd" in text and "SHA-256" in text


def test_sp_08_after_the_end_every_page_of_the_owner_says_so(walk: Walk) -> None:
    assert walk.seen["pages that say so"] == set(PAGES)


def test_a_reset_with_a_wrong_password_is_refused(walk: Walk) -> None:
    assert walk.views["reset-refused"].status == 403


def test_after_a_reset_the_unit_waits_for_set_up_and_its_button(walk: Walk) -> None:
    assert walk.seen["reset"] == 200
    assert "Press the button" in walk.views["setup-after-reset"].text
    assert walk.seen["cookies after reset"] == []


def test_every_page_meets_wcag_2_2_aa_by_axe_in_light_and_dark(walk: Walk) -> None:
    found = {name: view.violations for name, view in walk.views.items() if view.violations}
    assert not found, "\n".join(f"{name}: {'; '.join(what)}" for name, what in found.items())


def test_no_page_scrolls_sideways_from_320_pixels_on(walk: Walk) -> None:
    assert not {name: view.overflows for name, view in walk.views.items() if view.overflows}


def test_no_text_is_squeezed_into_a_column_of_letters(walk: Walk) -> None:
    assert not {name: view.squeezed for name, view in walk.views.items() if view.squeezed}


def test_no_page_asks_for_anything_but_the_device(walk: Walk) -> None:
    assert len(walk.watch.requests) > len(walk.views)
    foreign = [url for url in walk.watch.requests if not url.startswith((walk.unit.url + "/", "data:,"))]
    assert not foreign


def test_no_request_carries_a_secret_in_its_address(walk: Walk) -> None:
    for url in walk.watch.requests:
        assert walk.unit.world.unit.setup_code not in url.replace("-", "") and PASSWORD not in url


def test_the_browser_has_nothing_to_complain_about(walk: Walk) -> None:
    assert not walk.watch.complaints
