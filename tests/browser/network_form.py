"""The page about Wi-Fi, as an owner meets it: the network at home, and the form."""

from __future__ import annotations

from typing import Any, Final

from tests.browser.loading import next_page

HOME: Final = "Home"
HOME_KEY: Final = "correct horse 7"
OWN_KEY: Final = "aaaa-bbbb-cccc-dddd"  # of the device's own access point


def submit(page: Any, text: str) -> None:
    """Press the button with this text and wait for the next page."""
    with next_page(page):
        page.click(f"button:has-text('{text}')")


def choose(page: Any, network: str, passphrase: str) -> None:
    """Choose a network with a strong signal and send its passphrase."""
    page.select_option("#network", label=f"{network} - strong")
    page.fill("#passphrase", passphrase)
    submit(page, "Connect")
