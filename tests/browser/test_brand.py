"""The pages with the brand of examples/product in headless Chromium: what an owner of that product sees.

Nothing in device/ was changed for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import SCREENSHOTS
from tests.browser.look import Watch, check
from tests.running import PASSWORD, FactoryUnit, owned_unit_of

PRODUCT = Path(__file__).parents[2] / "examples" / "product" / "product.toml"


@pytest.fixture(scope="module")
def branded() -> Iterator[FactoryUnit]:
    """A unit of the example product, set up."""
    yield from owned_unit_of(PRODUCT)


def sign_in(page: Any, unit: FactoryUnit) -> None:
    page.goto(unit.url + "/login")
    page.fill("#password", PASSWORD)
    with page.expect_navigation():
        page.click("button[type=submit]")


def look(page: Any, watch: Watch, name: str) -> None:
    """Check the shown page at every width, in both schemes. The pictures are for people."""
    check(page, watch, name, SCREENSHOTS / "brand")


def test_the_makers_colours_and_logo_are_shown_in_both_schemes(page: Any, branded: FactoryUnit) -> None:
    watch = Watch(page)
    page.goto(branded.url + "/")
    for scheme, ground, stroke in (
        ("light", "rgb(31, 107, 69)", "1f6b45"),
        ("dark", "rgb(143, 214, 173)", "8fd6ad"),
    ):
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("getComputedStyle(document.querySelector('.button')).backgroundColor") == ground
        shown = page.evaluate(
            "(() => { const s = getComputedStyle(document.querySelector('header'), '::before');"
            " return [s.width, s.height, atob(s.backgroundImage.split(',')[1].split('\"')[0])]; })()"
        )
        assert shown[:2] == ["120px", "40px"] and stroke in shown[2]
    page.emulate_media(color_scheme="light")
    look(page, watch, "start")
    assert all(
        request.startswith(branded.url) for request in watch.requests if not request.startswith("data:")
    )


@pytest.mark.parametrize("path", ["/login", "/status", "/reset"])
def test_the_pages_of_a_brand_suit_every_owner(page: Any, branded: FactoryUnit, path: str) -> None:
    if path != "/login":
        sign_in(page, branded)
    watch = Watch(page)
    page.goto(branded.url + path)
    look(page, watch, path[1:])
