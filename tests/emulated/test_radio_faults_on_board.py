"""An owner among networks with faults, on the emulated board with its model of a radio: what the page says to do next.

One unit, set up once, goes through the list that the simulator's tests use too (tests/radio_faults.py).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest

from device.net import wifi
from simulator.ports.air import router_of
from tests.emulated.radio_unit import HOME, HOME_KEY, WAIT_S, RadioUnit, radio_unit
from tests.emulated.test_radio_on_board import pytestmark
from tests.radio_faults import FAULTS, KEY, WITHOUT_WPA3, Fault

__all__ = ["pytestmark", "radio_unit"]


@pytest.fixture(scope="module")
def owned(radio_unit: RadioUnit) -> Iterator[RadioUnit]:
    """A unit without a network, whose owner is signed in. Its radio is an older one, and a weak signal never works."""
    radio_unit.machine.radio_model.securities = WITHOUT_WPA3
    radio_unit.air.weak_fails = 1.0
    unit = radio_unit.boxed(*[fault.router() for fault in FAULTS])
    unit.set_up()
    yield unit


def words_of(page: str) -> str:
    """Return the text of a page in one line."""
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", page.partition("<main>")[2]).split()))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_page_says_what_is_wrong_with_the_network_and_what_to_do_next(
    owned: RadioUnit, fault: Fault
) -> None:
    owned.choose(fault.name, KEY)
    assert owned.until("the result", owned.result) == fault.cause
    page = owned.page()
    assert fault.says in words_of(page) and fault.next_step in words_of(page)
    assert (f"Try again: {fault.name}" in words_of(page)) == fault.can_repeat
    assert KEY not in page and owned.is_open()
    assert owned.network()["network"] is None  # nothing was stored


def test_a_hidden_network_is_joined_by_its_name(owned: RadioUnit) -> None:
    owned.air.routers[:] = [router_of("Hidden", HOME_KEY, is_hidden=True)]
    assert owned.world.owner.request("POST", "/network", {"action": "scan"}).status == 303
    assert owned.network()["networks"] == [] and "My network is not in the list" in owned.page()
    owned.choose("Hidden", HOME_KEY)
    assert owned.until("the result", owned.result) == wifi.JOINED
    assert "The device is connected to Hidden." in words_of(owned.page())


def test_a_unit_roams_to_the_other_router_and_is_found_again_after_the_router_was_off(
    owned: RadioUnit,
) -> None:
    near, far = router_of(HOME, HOME_KEY), router_of(HOME, HOME_KEY, signal_dbm=-70)
    owned.air.routers[:] = [near, far]
    owned.choose(HOME, HOME_KEY)
    assert owned.until("the result", owned.result) == wifi.JOINED
    radio = owned.machine.radio_model.radio
    assert radio.router is near
    assert owned.world.owner.request("POST", "/network", {"action": "finish"}).status == 200
    owned.machine.console.wait_for(r"^access point: closed\n", WAIT_S)
    near.signal_dbm = -95
    owned.until("the other router", lambda: radio.router is far or None)
    owned.until("the page", lambda: f"connected to {HOME}." in words_of(owned.page()) or None)
    far.is_on = False
    owned.machine.console.wait_for(r"^network: lost\n", WAIT_S)
    for _ in range(2):  # tries that fail, as all do while the router is off
        owned.machine.console.wait_for(r"^network: not found\n", WAIT_S)
    assert not owned.is_open()
    far.is_on = True
    owned.machine.console.wait_for(r"^network: joined\n", WAIT_S)
    owned.until("the page", lambda: f"connected to {HOME}." in words_of(owned.page()) or None)
    assert radio.router is far and not owned.is_open()
