"""A headless Chromium that reaches only loopback, and a check of every page that it shows.

Chromium is Debian's; Playwright only controls it. The browser resolves no name and uses no service of its maker, so
each request to another host comes from the pages and is found.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from device.agent import wifi as wifi_agent
from device.net import wifi
from tests.browser.network_form import HOME, HOME_KEY, OWN_KEY
from tests.running import FactoryUnit, calm, emulated, give_radio, simulated

__all__ = ["calm", "emulated", "simulated"]

SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
PATIENCE_MS = 600_000  # of every wait, in wall time: an emulated board on a busy machine
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--metrics-recording-only",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-pings",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a module. It ends with the module, because Playwright's loop would disturb other tests."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("chromium is not installed")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has no sandbox for root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=[*FLAGS, *sandbox], timeout=PATIENCE_MS
        )
        _be_patient(browser)
        yield browser
        browser.close()


def _be_patient(browser: Browser) -> None:
    """Let every profile of this browser wait for PATIENCE_MS."""
    make = browser.new_context

    def new_context(**options: Any) -> Any:
        context = make(**options)
        context.set_default_timeout(PATIENCE_MS)
        return context

    browser.new_context = new_context  # type: ignore[method-assign]


@pytest.fixture
def context(chromium: Browser) -> Iterator[Any]:
    """A clean profile."""
    made = chromium.new_context(ignore_https_errors=True)
    yield made
    made.close()


@pytest.fixture
def page(context: Any) -> Any:
    """A page of a clean profile."""
    return context.new_page()


@pytest.fixture
def fresh(simulated: FactoryUnit) -> FactoryUnit:
    """A simulated unit in factory default."""
    return simulated.fresh()


@pytest.fixture
def owned(simulated: FactoryUnit) -> FactoryUnit:
    """A simulated unit that its owner has set up."""
    return simulated.owned()


@pytest.fixture
def boxed(simulated: FactoryUnit, monkeypatch: pytest.MonkeyPatch) -> Iterator[FactoryUnit]:
    """A simulated unit in factory default with a radio that has looked around: the network at home is the strongest."""
    monkeypatch.setattr(wifi_agent, "WIFI_JOIN_S", 3600)  # a busy machine is not a slow router
    simulated.fresh()
    machine = simulated.machine
    machine.cut_power()
    air = give_radio(simulated, OWN_KEY)
    air.add(HOME, HOME_KEY)
    air.add("Guests with a rather long name", signal_dbm=-72)
    air.add("Old", "12345678", security=wifi.OLD, signal_dbm=-80)
    simulated.start()
    simulated.wait("a scan", lambda: (machine.radio is not None and machine.radio.answers_port) or None)
    yield simulated
    machine.cut_power()
    machine.air = None
