"""An owner who uses pages without a mouse."""

from __future__ import annotations

from typing import Any, Final

from tests.browser.loading import next_page

MOST_TABS: Final = 40
MOST_OPTIONS: Final = 40


class Keyboard:
    """Uses a page without a mouse."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def focused(self) -> str:
        """Return the id of the focused part, or its text."""
        return str(self.page.evaluate("document.activeElement.id || document.activeElement.innerText"))

    def reach(self, name: str) -> None:
        """Press Tab until the part of this id or text has the focus."""
        for _ in range(MOST_TABS):
            if self.focused() == name:
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"the keyboard does not reach {name}")

    def type(self, name: str, text: str) -> None:
        """Replace what is in the field `name`."""
        self.reach(name)
        self.page.keyboard.press("Control+a")
        self.page.keyboard.press("Delete")
        self.page.keyboard.insert_text(text)

    def press(self, name: str) -> None:
        """Send a form with its button."""
        self.reach(name)
        with next_page(self.page):
            self.page.keyboard.press("Enter")

    def select(self, name: str, text: str) -> None:
        """Press the arrow keys in the list `name` until this option is selected."""
        self.reach(name)
        chosen = "name => document.getElementById(name).selectedOptions[0].text"
        self.page.keyboard.press("Home")
        for _ in range(MOST_OPTIONS):
            if self.page.evaluate(chosen, name) == text:
                return
            self.page.keyboard.press("ArrowDown")
        raise AssertionError(f"the keyboard does not select {text}")
