"""The pages of an evidence folder in a real browser, on a phone and on a desk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import SCREENSHOTS
from tests.browser.look import axe_violations, overflows, squeezed
from tests.unit.provisioning.evidence.evidence_bench import make_folder, make_run

WIDTHS = (360, 1280)
PAGES = ("index.html", "ics.html", "ixit.html", "leads.html")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a red row."""
    root = tmp_path_factory.mktemp("evidence")
    make_folder(root, make_run(root / "run", {"test_the_code_is_invalid_after_set_up": "failure"}))
    return root / "evidence"


@pytest.fixture(scope="module", params=WIDTHS)
def page(request: pytest.FixtureRequest, chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": request.param, "height": 800})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_evidence_fits_its_window_and_breaks_no_rule_of_wcag(
    name: str, folder: Path, page: Any
) -> None:
    page.goto((folder / name).as_uri())
    page.evaluate("document.querySelectorAll('details').forEach((one, at) => { one.open = at < 2; })")
    (SCREENSHOTS / "evidence").mkdir(parents=True, exist_ok=True)
    width = page.viewport_size["width"]
    page.screenshot(path=SCREENSHOTS / "evidence" / f"{name}-{width}.png")
    assert not overflows(page) and not squeezed(page)
    assert axe_violations(page) == []


def test_a_red_row_is_named_and_leads_to_the_log(folder: Path, page: Any) -> None:
    page.goto((folder / "index.html").as_uri())
    assert page.locator(".row.fail h3").all_inner_texts() == ["PW-01 fail", "PW-19 fail"]
    link = page.locator("#PW-19 .tests li.fail a").first.get_attribute("href")
    assert (folder / link).is_file()
