"""The pages of advisories in a real browser, on a phone and on a desk (RP-09)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

from provisioning.csaf_names import FOLDER, PAGES
from provisioning.disclosure import csaf, provider
from provisioning.disclosure.advisory import Justification, Text
from provisioning.disclosure.severity import severity
from provisioning.disclosure.states import Step
from tests.browser.conftest import SCREENSHOTS
from tests.browser.files import served_files
from tests.browser.look import axe_violations, overflows, squeezed
from tests.unit.provisioning.disclosure.cases_bench import Cases
from tests.unit.provisioning.disclosure.test_advisory import VECTOR, Desk

WIDTHS = (360, 1280)
NOT_AFFECTED = Text(
    "The parser of the library is not in our firmware.",
    "Do nothing.",
    "CVE-2026-54321",
    Justification.COMPONENT,
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """The address of a built site, and its pages by name."""
    folder = tmp_path_factory.mktemp("advisories")
    maker = Desk(Cases(folder / "reports.db"))
    found = severity(VECTOR)
    maker.published(
        cvss=found.vector, score=found.score, rating=found.rating, batches=["2026-001", "2026-002"]
    )
    refuted = maker.triaged(title="A library in the news")
    maker.cases.decide(refuted, Step.REJECT)
    maker.write(refuted, NOT_AFFECTED)
    maker.lift(refuted)
    site = maker.site()
    provider.build(site, folder / "site")
    year = dt.datetime.fromtimestamp(site.now_s, dt.UTC).year
    pages = {
        "list": f"{PAGES}/index.html",
        "folder": f"{FOLDER}/index.html",
        "year": f"{FOLDER}/{year}/index.html",
    }
    for one in site.advisories:
        name = "not-affected" if one.text.not_affected else "affected"
        pages[name] = csaf.page_path(one)
    with served_files(folder / "site") as address:
        yield address, pages


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["list", "affected", "not-affected", "folder", "year"])
def test_a_page_of_advisories_fits_its_window_and_breaks_no_rule_of_wcag(
    name: str, width: int, built: tuple[str, dict[str, str]], chromium: Any
) -> None:
    address, pages = built
    context = chromium.new_context(viewport={"width": width, "height": 800})
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    response = page.goto(address + pages[name])
    (SCREENSHOTS / "advisories").mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "advisories" / f"{name}-{width}.png", full_page=True)
    assert response.status == 200 and page.locator("h1").is_visible()
    assert not overflows(page) and not squeezed(page)
    assert axe_violations(page) == []
    context.close()
    assert asked and all(url.startswith(address) for url in asked)


def test_a_buyer_reads_in_words_what_to_do(built: tuple[str, dict[str, str]], chromium: Any) -> None:
    address, pages = built
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address + pages["list"])
    page.get_by_role("link", name="Factory reset leaves data").click()
    text = page.locator("main").inner_text()
    assert "Install version 1.2.1." in text and "2026-001" in text
    context.close()
