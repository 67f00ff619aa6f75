"""The maker's site in a real browser, on a phone and on a desk (SP-04, SP-05, RP-04)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from provisioning.compliance.issue import draw_key
from provisioning.compliance.site import Site, build_site
from tests.browser.conftest import SCREENSHOTS
from tests.browser.files import served_files
from tests.browser.look import axe_violations, overflows, squeezed
from tests.unit.provisioning.compliance.statement_bench import PASSPHRASE, PRODUCT, TODAY, issue_one

WIDTHS = (360, 1280)
STATEMENT = "statements/FB-1_2026-001_v1/statement.html"
PAGES = {
    "home": "index.html",
    "product": "products/FB-1/index.html",
    "sales": "products/FB-1/sales-example.html",
    "reporting": "security/policy/index.html",
    "register": "support/index.html",
    "statements": "statements/index.html",
    "statement": STATEMENT,
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a built site on loopback."""
    folder = tmp_path_factory.mktemp("site")
    issue_one(folder / "archive", draw_key(folder / "me.pem", PASSPHRASE))
    build_site(
        Site(
            [PRODUCT],
            "https://tallowgate-lighting.co.uk/",
            folder / "register.jsonl",
            folder / "archive",
            folder / "site",
            TODAY,
        )
    )
    with served_files(folder / "site") as address:
        yield address


@pytest.fixture(scope="module", params=WIDTHS)
def page(request: pytest.FixtureRequest, chromium: Any) -> Iterator[Any]:
    """A page as wide as a phone or a desk."""
    context = chromium.new_context(viewport={"width": request.param, "height": 800})
    yield context.new_page()
    context.close()


def test_every_page_is_readable_without_script_and_asks_no_other_host(served: str, chromium: Any) -> None:
    context = chromium.new_context(java_script_enabled=False)
    shown, asked = context.new_page(), []
    shown.on("request", lambda request: asked.append(request.url))
    for path in PAGES.values():
        response = shown.goto(served + path)
        assert response.status == 200 and shown.locator("html").get_attribute("lang") == "en"
        assert shown.locator("h1").is_visible()
    context.close()
    assert len(asked) >= len(PAGES) and all(url.startswith(served) for url in asked)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_its_window_and_breaks_no_rule_of_wcag(name: str, served: str, page: Any) -> None:
    page.goto(served + PAGES[name])
    (SCREENSHOTS / "site").mkdir(parents=True, exist_ok=True)
    width = page.viewport_size["width"]
    page.screenshot(path=SCREENSHOTS / "site" / f"{name}-{width}.png", full_page=True)
    assert not overflows(page) and not squeezed(page)
    assert axe_violations(page) == []


# Luminance and contrast as WCAG 2.2 defines them; each list item with the text that a reader sees.
PROMINENCE = """() => [...document.querySelectorAll('.main-characteristics li')].map(item => {
  const style = getComputedStyle(item), box = item.getBoundingClientRect();
  const levels = text => text.match(/[\\d.]+/g).slice(0, 3).map(Number).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const luminance = text => { const [r, g, b] = levels(text); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  let behind = item;
  while (behind && getComputedStyle(behind).backgroundColor === 'rgba(0, 0, 0, 0)') behind = behind.parentElement;
  const ground = behind ? luminance(getComputedStyle(behind).backgroundColor) : 1, ink = luminance(style.color);
  return {
    support: item.classList.contains('security-updates'), text: item.innerText,
    size: parseFloat(style.fontSize), weight: Number(style.fontWeight),
    contrast: (Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05),
    visible: box.width > 0 && box.height > 0 && style.visibility === 'visible' && Number(style.opacity) === 1,
  };
})"""


@pytest.mark.parametrize("name", ["product", "sales"])
def test_the_support_period_is_as_prominent_as_the_main_characteristics(
    name: str, served: str, page: Any
) -> None:
    page.goto(served + PAGES[name])
    items = page.evaluate(PROMINENCE)
    support = [item for item in items if item["support"]]
    others = [item for item in items if not item["support"]]
    assert len(support) == 1 and len(others) == 3
    assert "until 31 December 2031" in support[0]["text"] and support[0]["visible"]
    for field in ("size", "weight", "contrast"):
        assert support[0][field] >= max(item[field] for item in others)
    assert support[0]["contrast"] >= 4.5
