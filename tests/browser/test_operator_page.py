"""The operator's page in a real browser over simulated boards: keyboard, scanner, two metres, tablet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.conftest import SCREENSHOTS
from tests.browser.look import axe_violations, overflows, squeezed, until_focused
from tests.unit.provisioning.station.operator_bench import PASSWORD, OperatorBench, until
from tests.unit.provisioning.station.station_bench import MemoryUnit

SIZES = {"desk": (1280, 800), "tablet": (820, 1180), "phone": (360, 740)}


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorBench]:
    """A line of six places that waits for scans: one board passed, one failed, one waits, three places are empty."""
    bench = OperatorBench(tmp_path_factory.mktemp("operator"), places=6, start_on_scan=True)
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def shift(operator: OperatorBench, chromium: Any) -> Iterator[Any]:
    """A browser whose operator has only a keyboard and a scanner, which types text and Enter."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(operator.address)
    until_focused(page, "[type=password]")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#tiles")
    page.locator("#start").focus()
    page.keyboard.press("Enter")
    until(lambda: operator.line.is_running)
    good, bad = MemoryUnit(), MemoryUnit()
    bad.entropy.is_seeded = False
    operator.units |= {"port 1": good, "port 2": bad, "port 3": MemoryUnit()}
    for place, unit in (("port 1", good), ("port 2", bad)):
        until(lambda place=place: operator.state(place) == "ready")
        page.wait_for_selector(".tile.ready")
        page.locator("h1").click()  # the scanner's keys reach their field from any focus
        page.keyboard.type(unit.hardware_id.hex())
        page.keyboard.press("Enter")
        until(lambda place=place: operator.state(place) in ("passed", "failed"))
    yield page
    context.close()


def tile(page: Any, name: str) -> Any:
    return page.locator("section.tile", has=page.get_by_role("heading", name=name, exact=True))


def test_tiles_come_fresh_without_a_reload_and_say_pass_or_fail(shift: Any) -> None:
    passed, failed = tile(shift, "port 1"), tile(shift, "port 2")
    passed.get_by_text("PASS", exact=True).wait_for()
    failed.get_by_text("FAIL", exact=True).wait_for()
    assert "FB1-000001" in passed.inner_text() and "NOT FOR SALE" in passed.inner_text()
    assert "no entropy" in failed.inner_text() and "Put it aside" in failed.inner_text()
    assert "READY" in tile(shift, "port 3").inner_text()


def test_the_verdict_is_large_enough_to_read_from_two_metres(shift: Any) -> None:
    # Capitals seen from 2 m need about 12 mm (20 arc minutes); a CSS pixel is 0.265 mm, a capital 0.7 of its size.
    # Found and measured in one step: the page replaces its tiles, and an element that was replaced has no size.
    size = shift.wait_for_function(
        """() => {
            const tiles = [...document.querySelectorAll("section.tile")];
            const tile = tiles.find(e => e.querySelector("h2, h3").textContent.trim() === "port 1");
            return parseFloat(getComputedStyle(tile.querySelector(".word")).fontSize);
        }"""
    ).json_value()
    assert size * 0.7 * 0.265 >= 12


def test_the_verdict_does_not_depend_only_on_colour(shift: Any) -> None:
    words = [word.strip() for word in shift.locator(".word").all_inner_texts()]
    assert {"PASS", "FAIL", "READY", "NO PORT"} <= set(words)


@pytest.mark.parametrize("size", SIZES)
def test_the_page_fits_each_screen_and_breaks_no_rule_of_wcag(
    size: str, shift: Any, operator: OperatorBench
) -> None:
    shift.set_viewport_size({"width": SIZES[size][0], "height": SIZES[size][1]})
    shift.wait_for_selector(".chart")
    (SCREENSHOTS / "operator").mkdir(parents=True, exist_ok=True)
    shift.screenshot(path=SCREENSHOTS / "operator" / f"line-{size}.png", full_page=True)
    assert not overflows(shift) and not squeezed(shift)
    assert axe_violations(shift) == []


def test_every_control_is_large_enough_for_a_finger(shift: Any) -> None:
    shift.set_viewport_size({"width": 820, "height": 1180})
    # Measured in one step: the page replaces its tiles, and an element that was replaced has no size.
    boxes = shift.locator("button:visible, input:visible").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).map(box => [box.width, box.height])"
    )
    assert len(boxes) >= 6 and all(width >= 44 and height >= 44 for width, height in boxes)


def test_a_failed_board_is_tried_again_by_keyboard(shift: Any, operator: OperatorBench) -> None:
    unit = operator.units["port 2"]
    assert unit is not None
    unit.entropy.is_seeded = True
    retry = tile(shift, "port 2").get_by_role("button", name="Try again")
    retry.focus()
    shift.keyboard.press("Enter")
    shift.wait_for_selector("#tiles")
    until(lambda: operator.state("port 2") in ("ready", "running", "passed"))


def test_a_unit_is_found_and_its_phases_are_shown(shift: Any) -> None:
    shift.locator("#q").fill("000001")
    shift.keyboard.press("Enter")
    shift.get_by_role("heading", name="FB1-000001").wait_for()
    shift.screenshot(path=SCREENSHOTS / "operator" / "unit.png", full_page=True)
    assert "cannot be printed again" in shift.locator(".unit").inner_text()
    assert axe_violations(shift) == [] and not overflows(shift)
    shift.get_by_role("link", name="Back to the line").click()
    shift.wait_for_selector("#tiles")


def test_the_page_asks_nothing_of_another_host(operator: OperatorBench, chromium: Any) -> None:
    context = chromium.new_context()
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(operator.address + "/login")
    assert axe_violations(page) == []
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#tiles")
    context.close()
    assert len(asked) >= 4 and all(url.startswith(operator.address) for url in asked)
