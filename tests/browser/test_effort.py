"""The effort from the box to a working device, counted: fields that a person types, buttons that they tap.

docs/reference/local-pages.md has the same numbers. The phone's own part (Wi-Fi settings, camera, browser warning) is
counted there by hand.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from device.owner import setup_code
from tests.running import PASSWORD, FactoryUnit, give_radio

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "local-pages.md"
PHONE = {"width": 360, "height": 800}
OWN_KEY = "aaaa-bbbb-cccc-dddd"
HOME, HOME_KEY = "Home", "correct horse 7"
ANSWER_MS = 300_000


class Person:
    """An owner at a browser, whose typing and tapping is counted."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.fields = self.taps = 0

    def types(self, field: str, text: str) -> None:
        self.fields += 1
        self.page.fill(field, text)

    def taps_on(self, text: str) -> None:
        self.taps += 1
        with self.page.expect_navigation():
            self.page.click(f"main button:text-is('{text}')")


def documented(kind: str) -> tuple[int, int]:
    """Return (fields, taps) in the browser that the table has for a kind of device."""
    row = re.search(rf"^\| {kind} \| (\d+) \| (\d+) \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert row is not None
    return int(row[1]), int(row[2])


def test_a_device_with_a_cable_works_after_three_fields_and_two_taps(page: Any, fresh: FactoryUnit) -> None:
    page.set_viewport_size(PHONE)
    person = Person(page)
    page.goto(f"{fresh.url}/setup#code={setup_code.grouped(fresh.world.unit.setup_code)}")  # scanned
    person.types("#password", PASSWORD)
    person.types("#again", PASSWORD)
    person.taps_on("Set this password")
    person.types("#password", PASSWORD)
    person.taps_on("Sign in")
    assert page.url == fresh.url + "/status"
    assert (person.fields, person.taps) == documented("with a cable")


def test_a_device_with_a_radio_works_after_three_fields_and_three_taps(
    page: Any, simulated: FactoryUnit
) -> None:
    simulated.fresh()
    machine = simulated.machine
    machine.cut_power()
    air = give_radio(simulated, OWN_KEY)
    air.add(HOME, HOME_KEY)
    page.set_viewport_size(PHONE)
    person = Person(page)
    try:
        simulated.start()
        simulated.wait("a scan", lambda: (machine.radio is not None and machine.radio.answers_port) or None)
        page.goto(f"{simulated.url}/setup#code={setup_code.grouped(simulated.world.unit.setup_code)}")
        person.types("#password", PASSWORD)
        person.types("#again", PASSWORD)
        person.taps_on("Set this password")

        def is_listed() -> bool | None:
            page.goto(simulated.url + "/network")
            return page.locator("#network option", has_text=HOME).count() > 0 or None

        simulated.wait("the list", is_listed)
        person.types("#passphrase", HOME_KEY)
        person.taps_on("Connect")
        page.wait_for_selector("text=The device is connected to Home.", timeout=ANSWER_MS)
        person.taps_on("Finish")
        assert "closes now" in page.inner_text("main")
        assert (person.fields, person.taps) == documented("with Wi-Fi")
    finally:
        machine.cut_power()
        machine.air = None
