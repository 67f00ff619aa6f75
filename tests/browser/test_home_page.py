"""The page "Smart home" in headless Chromium: a real broker, the keyboard only, narrow and wide, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioning.servers.mosquitto import find_mosquitto
from tests.browser.conftest import SCREENSHOTS
from tests.browser.keyboard import Keyboard
from tests.browser.look import Watch, check, held, squeezed, until_focused
from tests.home_broker import NAME, PASSWORD, USER, HomeBroker, home_broker
from tests.own_port import own_port
from tests.running import PASSWORD as OWNER_PASSWORD
from tests.running import FactoryUnit

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")


@pytest.fixture(scope="module")
def broker(calm: FactoryUnit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeBroker]:
    name = calm.name
    with home_broker(tmp_path_factory.mktemp("home"), own_port(), name) as found:
        yield found


@pytest.fixture(params=[360, 1280])
def hands(request: Any, page: Any, calm: FactoryUnit) -> Hands:
    """The keyboard of an owner who has signed in and opened the page, on a narrow and on a wide screen."""
    page.set_viewport_size({"width": request.param, "height": 800})
    calm.owned()
    page.goto(calm.url + "/login")
    page.fill("#password", OWNER_PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.goto(calm.url + "/home")
    return Hands(page, SCREENSHOTS / f"home-{request.param}", request.param)


class Hands(Keyboard):
    """The owner's keyboard on the page "Smart home". `look` checks the page for everyone and keeps its pictures."""

    def __init__(self, page: Any, folder: Path, width: int) -> None:
        super().__init__(page)
        self.folder = folder
        self.width = width
        self.watch = Watch(page)

    def fill(self, broker: HomeBroker, **changes: str) -> None:
        typed = {
            "address": "127.0.0.1", "port": str(broker.port), "name": NAME, "user": USER,
            "password": PASSWORD, "authority": broker.ca,
        }  # fmt: skip
        for name, text in (typed | changes).items():
            self.type(name, text)

    def look(self, name: str) -> str:
        """Return the text of the page after it was checked."""
        check(self.page, self.watch, name, self.folder)
        self.page.set_viewport_size({"width": self.width, "height": 800})
        return str(self.page.inner_text("main"))

    def until(self, text: str) -> None:
        """Wait for a text: the page loads itself again while the device tries the broker."""
        self.page.wait_for_selector(f"text={text}")

    def values(self) -> dict[str, str]:
        names = ("address", "port", "name", "user", "password", "authority")
        return {name: self.page.input_value(f"#{name}") for name in names}


def test_an_owner_links_the_device_and_erases_the_link_with_the_keyboard_only(
    hands: Hands, broker: HomeBroker
) -> None:
    assert "only if you switch it on here" in hands.look("nothing")
    hands.fill(broker)
    hands.reach("install")
    hands.page.keyboard.press("Space")
    assert hands.page.is_checked("#install")
    hands.press("Save and connect")
    hands.until("Connected. Home Assistant shows this device.")
    shown = hands.look("connected")
    assert "127.0.0.1" in shown and "allowed" in shown and PASSWORD not in hands.page.content()
    with held(hands.page):
        hands.press("Switch off")
        hands.until("The device removes itself from Home Assistant.")
        hands.look("off")
    hands.press("Test the connection")
    hands.until("The last try succeeded")
    hands.look("tested")
    hands.press("Erase these settings")
    assert "are erased" in hands.look("erased") and hands.values()["address"] == ""


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("address", "mqtt://192.168.1.20"),
        ("port", "88830"),
        ("name", "my broker"),
        ("authority", "-----BEGIN CERTIFICATE-----\nhello\n-----END CERTIFICATE-----"),
    ],
)
def test_an_error_is_at_its_field_and_everything_but_the_password_is_kept(
    hands: Hands, broker: HomeBroker, field: str, typed: str
) -> None:
    hands.fill(broker, **{field: typed})
    before = hands.values()
    hands.press("Save and connect")
    until_focused(hands.page, f"#{field}")
    assert hands.page.get_attribute(f"#{field}", "aria-invalid") == "true"
    assert f"{field}-error" in hands.page.get_attribute(f"#{field}", "aria-describedby")
    assert hands.page.is_visible(f"#{field}-error")
    assert hands.values() == {**before, "password": ""}
    assert PASSWORD not in hands.page.content()
    hands.look(f"wrong-{field}")


def test_a_private_key_is_not_shown_again(hands: Hands, broker: HomeBroker) -> None:
    hands.fill(broker, authority="-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")
    hands.press("Save and connect")
    assert "The device did not keep it" in hands.page.inner_text("#authority-error")
    assert hands.values()["authority"] == "" and "BEGIN PRIVATE" not in hands.page.content()
    hands.look("private-key")


def test_a_broker_that_refuses_the_login_leads_back_to_the_form(hands: Hands, broker: HomeBroker) -> None:
    hands.fill(broker, password="porridge on the moor")
    hands.press("Save and connect")
    hands.until("did not accept the user name or the password")
    hands.look("refused")
    hands.reach("Change the broker")
    hands.page.keyboard.press("Enter")
    hands.look("change")
    assert not squeezed(hands.page)
    hands.type("password", PASSWORD)
    hands.press("Save and connect")
    hands.until("Connected. Home Assistant shows this device.")


def test_a_saved_password_is_asked_for_again_if_the_address_changes(hands: Hands, broker: HomeBroker) -> None:
    hands.fill(broker)
    hands.press("Save and connect")
    hands.until("Connected. Home Assistant shows this device.")
    hands.reach("Change the broker")
    hands.page.keyboard.press("Enter")
    hands.type("address", "localhost")
    hands.press("Save and connect")
    until_focused(hands.page, "#password")
    assert "type it again" in hands.page.inner_text("#password-error")
    assert hands.values()["address"] == "localhost"
    hands.look("password-again")
