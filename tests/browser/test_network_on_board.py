"""From the label to the owner's Wi-Fi in headless Chromium, on the emulated board with its model of a radio."""

from __future__ import annotations

from typing import Any

from device.owner import setup_code
from renode.gateway import DEVICE_ADDRESS
from simulator.ports.air import router_of
from tests.browser.conftest import PATIENCE_MS, SCREENSHOTS
from tests.browser.loading import open_page
from tests.browser.look import text_of
from tests.browser.network_form import choose, submit
from tests.emulated.radio_unit import HOME, HOME_KEY, WAIT_S, RadioUnit, radio_unit
from tests.emulated.test_radio_on_board import pytestmark
from tests.running import PASSWORD

__all__ = ["pytestmark", "radio_unit"]

WIDTH = 360
WRONG_KEY = "correct horse 8"


def inside_the_access_point(page: Any, unit: RadioUnit) -> None:
    """Let the browser reach the unit's plain page at the address that it has in its access point.

    The address is the board's own on its serial line; this host reaches it through a forwarded port.
    """

    def answer(route: Any) -> None:
        where = f"http://127.0.0.1:{unit.machine.gateway.host_port(80)}/"
        route.fulfill(response=route.fetch(url=where, headers={"Host": DEVICE_ADDRESS}, timeout=PATIENCE_MS))

    page.route(f"http://{DEVICE_ADDRESS}/**", answer)


def test_an_owner_with_a_phone_connects_a_real_firmware_after_one_wrong_passphrase(
    page: Any, radio_unit: RadioUnit
) -> None:
    unit = radio_unit.boxed(
        router_of(HOME, HOME_KEY), router_of("Guests with a rather long name", signal_dbm=-72)
    )
    page.set_viewport_size({"width": WIDTH, "height": 800})
    folder = SCREENSHOTS / "network-board"

    def look(name: str) -> str:
        return text_of(page, folder / f"{name}.png")

    inside_the_access_point(page, unit)
    open_page(page, f"http://{DEVICE_ADDRESS}/")
    assert "Continue" in look("landing")
    open_page(page, f"{unit.url}/setup#code={setup_code.grouped(unit.world.unit.setup_code)}")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    submit(page, "Set this password")
    assert page.url == unit.url + "/network"
    look("choose")
    choose(page, HOME, WRONG_KEY)
    page.wait_for_selector("#passphrase-error")
    assert "did not accept this passphrase" in look("wrong")
    assert page.eval_on_selector("#network", "list => list.selectedOptions[0].text") == "Home - strong"
    choose(page, HOME, HOME_KEY)
    page.wait_for_selector("text=The device is connected to Home.")
    look("connected")
    submit(page, "Finish")
    assert "closes now" in look("done")
    unit.machine.console.wait_for(r"^access point: closed\n", WAIT_S)
    assert not unit.is_open() and unit.machine.radio_model.radio.router is not None
    printed = unit.machine.console.text
    assert HOME_KEY not in printed and unit.own_key not in printed
