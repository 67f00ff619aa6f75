"""The operator's page with sixteen boards: every verdict is visible from two metres, on a desk and a tablet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from provisioning.station import labels
from tests.browser.conftest import SCREENSHOTS
from tests.browser.look import axe_violations, overflows, squeezed, until_focused
from tests.unit.provisioning.station.operator_bench import PASSWORD, OperatorBench, until
from tests.unit.provisioning.station.station_bench import MemoryUnit

PLACES = 16
SIZES = {"desk": (1280, 800), "tablet": (820, 1180), "tablet-landscape": (1180, 820)}
CAPITAL = 0.7 * 0.265  # millimetres of a capital letter for each CSS pixel of its font


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[Any]:
    """Sixteen places: fourteen boards passed, one failed, one place has no board."""
    patch = pytest.MonkeyPatch()
    patch.setattr(labels, "read_back", lambda label, path: "plain")
    bench = OperatorBench(tmp_path_factory.mktemp("line"), places=PLACES)
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(bench.address)
    until_focused(page, "[type=password]")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#tiles")
    for number in range(1, PLACES):
        unit = bench.units[f"port {number}"] = MemoryUnit()
        unit.entropy.is_seeded = number != 7
    page.locator("#start").click()
    done = ("passed", "failed")
    until(lambda: all(bench.state(f"port {number}") in done for number in range(1, PLACES)))
    until(lambda: (page.locator(".tile.passed").count(), page.locator(".tile.failed").count()) == (14, 1))
    yield page
    context.close()
    bench.close()
    patch.undo()


@pytest.mark.parametrize("size", SIZES)
def test_sixteen_verdicts_are_large_and_seen_without_scrolling(size: str, line: Any) -> None:
    width, height = SIZES[size]
    line.set_viewport_size({"width": width, "height": height})
    line.evaluate("scrollTo(0, 0)")
    (SCREENSHOTS / "operator").mkdir(parents=True, exist_ok=True)
    line.screenshot(path=SCREENSHOTS / "operator" / f"sixteen-{size}.png")
    words = line.locator(".tile .word").all()
    assert sorted(word.inner_text().strip() for word in words) == ["FAIL", "NO PORT", *["PASS"] * 14]
    for word in words:
        box, text = word.bounding_box(), word.inner_text().strip()
        assert box["y"] + box["height"] <= height and box["x"] + box["width"] <= width, (text, box)
        size_px = word.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
        if text in ("PASS", "FAIL"):  # 20 arc minutes from two metres
            assert size_px * CAPITAL >= 12 and box["height"] < 1.5 * size_px  # and not hyphenated
    assert not overflows(line) and not squeezed(line)


def test_a_long_reason_is_shown_whole_when_its_tile_is_touched(line: Any) -> None:
    width, height = SIZES["tablet-landscape"]
    line.set_viewport_size({"width": width, "height": height})
    reason = line.locator(".tile.failed .reason")
    line.mouse.move(0, 0)
    assert reason.evaluate("e => e.scrollHeight > e.clientHeight")
    reason.hover()
    assert reason.evaluate("e => e.scrollHeight <= e.clientHeight")
    line.mouse.move(0, 0)


def test_the_page_with_sixteen_tiles_breaks_no_rule_of_wcag(line: Any) -> None:
    assert axe_violations(line) == []
