"""The owner's pages in other languages in headless Chromium: Arabic, French, and the application's page.

The unit is that of examples/product with the application examples/sensor. Nothing in device/ was changed for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from device.agent.facade import Facade
from device.web import brand
from provisioning.brand.folder import brand_of
from provisioning.brand.languages import constants
from tests.browser.conftest import SCREENSHOTS
from tests.browser.look import Watch, check
from tests.browser.test_brand import PRODUCT, sign_in
from tests.languages import NAME, pseudo, pseudo_language
from tests.running import FactoryUnit, owned_unit_of

BOUNDS: dict[str, Any] = {"lowest": 0, "highest": 0, "choices": [], "unit": ""}
SENSOR: dict[str, Any] = {  # what examples/sensor declares
    "title": "Sensor",
    "settings": [
        {
            **BOUNDS,
            "name": "limit",
            "label": "Warn above",
            "kind": "number",
            "value": 30,
            "lowest": -20,
            "highest": 60,
            "unit": "°C",
        },
        {
            **BOUNDS,
            "name": "period",
            "label": "Measure",
            "kind": "choice",
            "value": "every minute",
            "choices": ["every 10 minutes", "every minute"],
        },
    ],
    "readings": [
        {"name": "now", "label": "Temperature", "unit": "°C", "value": 21},
        {"name": "warm", "label": "Above the limit", "unit": "", "value": False},
    ],
    "actions": [{"name": "measure", "label": "Measure now"}],
}


@pytest.fixture(scope="module")
def unit() -> Iterator[FactoryUnit]:
    """A unit of the example product, set up."""
    yield from owned_unit_of(PRODUCT)


@pytest.fixture
def spoken(unit: FactoryUnit, monkeypatch: pytest.MonkeyPatch) -> FactoryUnit:
    """The unit, whose product has the made-up language too, and whose application has a page."""
    status = Facade.status

    def with_application(facade: Any) -> dict[str, Any]:
        found: dict[str, Any] = status(facade)
        found["application"] = {"release": 1, "state": "running", "failures": 0, "says": "", "page": SENSOR}
        return found

    found = brand_of(PRODUCT)
    assert found is not None
    for name, value in constants((*found.languages, pseudo_language())).items():
        monkeypatch.setattr(brand, name, value)
    monkeypatch.setattr(Facade, "status", with_application)
    return unit


def choose(page: Any, name: str) -> None:
    with page.expect_navigation():
        page.click(f"button.plain:text-is('{name}')")


def look(page: Any, watch: Watch, name: str) -> None:
    """Check the shown page at every width, in both schemes. The pictures are for people."""
    check(page, watch, name, SCREENSHOTS / "languages")


def test_the_application_page_suits_every_owner(page: Any, spoken: FactoryUnit) -> None:
    sign_in(page, spoken)
    watch = Watch(page)
    page.goto(spoken.url + "/application")
    assert "Measure now" in page.inner_text("main")
    look(page, watch, "application-en")
    page.fill("#set_limit", "99")
    page.eval_on_selector("#set_limit", "field => field.form.noValidate = true")
    with page.expect_navigation():
        page.click("button:text-is('Save')")
    assert page.locator("[role=alert]").count() == 1
    look(page, watch, "application-refused")


@pytest.mark.parametrize(
    "path", ["/", "/login", "/status", "/updates", "/application", "/password", "/statement"]
)
def test_a_page_in_arabic_is_turned_around_and_suits_every_owner(
    page: Any, spoken: FactoryUnit, path: str
) -> None:
    if path not in ("/", "/login"):
        sign_in(page, spoken)
    page.goto(spoken.url + path)
    watch = Watch(page)
    choose(page, "العربية")
    assert page.url == spoken.url + path
    assert page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == ["ar", "rtl"]
    left = page.evaluate("document.querySelector('h1').getBoundingClientRect().right > innerWidth / 2")
    assert left, "the heading does not begin on the right"
    look(page, watch, "ar-" + (path[1:] or "start"))


@pytest.mark.parametrize("path", ["/login", "/status", "/application"])
def test_a_french_page_suits_every_owner(page: Any, spoken: FactoryUnit, path: str) -> None:
    if path != "/login":
        sign_in(page, spoken)
    page.goto(spoken.url + path)
    watch = Watch(page)
    choose(page, "Français")
    look(page, watch, "fr-" + path[1:])


def test_the_scripts_speak_the_language_of_the_page(page: Any, spoken: FactoryUnit) -> None:
    sign_in(page, spoken)
    page.goto(spoken.url + "/password")
    choose(page, NAME)
    page.fill("#password", "kettle")
    assert page.inner_text("#strength") == pseudo("Characters still missing: {}").format(9)
    page.fill("#again", "kettles")
    said = page.eval_on_selector("#again", "field => field.validationMessage")
    assert said == pseudo("The two passwords are different.")
