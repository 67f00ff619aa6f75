"""From the label to the owner's Wi-Fi in headless Chromium, on a simulated unit with a radio, narrow and wide."""

from __future__ import annotations

from typing import Any

import pytest

from device.agent import wifi as wifi_agent
from device.net import wifi
from device.owner import setup_code
from simulator.ports import radio
from tests.browser.conftest import SCREENSHOTS
from tests.browser.look import held, text_of
from tests.browser.network_form import choose, submit
from tests.running import PASSWORD, FactoryUnit, give_radio

OWN_KEY = "aaaa-bbbb-cccc-dddd"
HOME, HOME_KEY = "Home", "correct horse 7"


@pytest.mark.parametrize("width", [360, 1280])
def test_an_owner_goes_from_the_label_to_the_network_and_a_wrong_passphrase_costs_one_more_try(
    page: Any, simulated: FactoryUnit, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wifi_agent, "WIFI_JOIN_S", 3600)  # a busy machine is not a slow router
    simulated.fresh()
    machine = simulated.machine
    machine.cut_power()
    air = give_radio(simulated, OWN_KEY)
    air.add(HOME, HOME_KEY)
    air.add("Guests with a rather long name", signal_dbm=-72)
    air.add("Old", "12345678", security=wifi.OLD, signal_dbm=-80)
    page.set_viewport_size({"width": width, "height": 800})
    folder = SCREENSHOTS / f"network-{width}"

    def look(name: str) -> str:
        return text_of(page, folder / f"{name}.png")

    try:
        simulated.start()
        simulated.wait("a scan", lambda: (machine.radio is not None and machine.radio.answers_port) or None)
        page.goto(f"http://127.0.0.1:{machine.radio.page_port}/")
        assert "Continue" in look("landing")
        page.goto(f"{simulated.url}/setup#code={setup_code.grouped(simulated.world.unit.setup_code)}")
        page.fill("#password", PASSWORD)
        page.fill("#again", PASSWORD)
        submit(page, "Set this password")
        assert page.url == simulated.url + "/network"

        def is_listed() -> bool | None:
            page.goto(simulated.url + "/network")
            return page.locator("#network option:has-text('Home')").count() > 0 or None

        simulated.wait("the list", is_listed)
        look("choose")
        with held(page), monkeypatch.context() as trying:
            trying.setattr(radio, "_REFUSE_MS", 10**9)
            choose(page, HOME, "correct horse 8")
            assert "Connecting to Home" in look("connecting")
        page.wait_for_selector("#passphrase-error")
        assert "did not accept this passphrase" in look("wrong")
        assert page.eval_on_selector("#network", "list => list.selectedOptions[0].text") == "Home - strong"
        choose(page, HOME, HOME_KEY)
        page.wait_for_selector("text=The device is connected to Home.")
        look("connected")
        submit(page, "Finish")
        assert "closes now" in look("done")
        simulated.wait("a closed access point", lambda: not machine.radio.is_access_point_open or None)
        assert machine.radio.router is not None
        told = machine.console.text
        assert HOME_KEY not in told and OWN_KEY not in told
    finally:
        machine.cut_power()
        machine.air = None
