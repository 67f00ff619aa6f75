"""The form on the page about Wi-Fi, as an owner uses it."""

from __future__ import annotations

from typing import Any

from tests.browser.loading import next_page


def submit(page: Any, text: str) -> None:
    """Press the button with this text and wait for the next page."""
    with next_page(page):
        page.click(f"button:has-text('{text}')")


def choose(page: Any, network: str, passphrase: str) -> None:
    """Choose a network with a strong signal and send its passphrase."""
    page.select_option("#network", label=f"{network} - strong")
    page.fill("#passphrase", passphrase)
    submit(page, "Connect")
