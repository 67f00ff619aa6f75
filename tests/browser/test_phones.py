"""The guided flow as phones meet it: over a slow link, asleep in the middle, and two of them at once.

Label, set-up code filled in, password, network, done: on a simulated unit with a radio, in headless Chromium.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from device.owner import setup_code
from device.web import network as network_site
from device.web import sessions
from simulator.ports import radio
from tests.browser.loading import open_page
from tests.browser.look import axe_violations, staying
from tests.browser.network_form import HOME, HOME_KEY
from tests.browser.slow_link import SlowLink
from tests.running import PASSWORD, FactoryUnit

WIDTH: Final = 360
BYTES_PER_S: Final = 2000
ONE_WAY_S: Final = 1.0
RELOADS: Final = 8


class Phone:
    """A phone's browser, and the link between it and the unit."""

    def __init__(self, page: Any, unit: FactoryUnit, link: SlowLink) -> None:
        self.page = page
        self.unit = unit
        self.link = link
        page.set_viewport_size({"width": WIDTH, "height": 800})

    def open(self, path: str) -> None:
        """Load a page, and again as a person does if it did not come."""
        for _ in range(RELOADS):
            answer = open_page(self.page, self.link.url + path, "net::")
            if answer is None or answer.status != 408:
                return
        raise AssertionError(f"{path} never came")

    def scan(self) -> None:
        """Open the address on the label."""
        self.open(f"/setup#code={setup_code.grouped(self.unit.world.unit.setup_code)}")

    def type_password(self) -> None:
        self.page.fill("#password", PASSWORD)
        self.page.fill("#again", PASSWORD)

    def send(self, button: str) -> None:
        """Press a button, and see the page that the device answers with."""
        with self.page.expect_navigation():
            self.page.click(f"main button:text-is('{button}')")

    def see_networks(self) -> None:
        def is_listed() -> bool | None:
            self.open("/network")
            return self.page.locator("#network option", has_text=HOME).count() > 0 or None

        self.unit.wait("the list", is_listed)

    def connect(self) -> None:
        self.page.fill("#passphrase", HOME_KEY)
        self.send("Connect")

    def see_connected(self) -> None:
        """Wait for the page that says so; it loads itself."""
        self.page.wait_for_selector("text=The device is connected to Home.")

    def finish(self) -> None:
        self.send("Finish")
        assert "closes now" in self.text

    def set_up(self) -> None:
        self.scan()
        self.type_password()
        self.send("Set this password")
        assert self.page.url == self.link.url + "/network"

    def sign_in(self) -> None:
        self.page.fill("#password", PASSWORD)
        self.send("Sign in")

    def sleep(self) -> None:
        """Stop the page and lose every connection, as a phone does whose owner puts it away."""
        self.link.cut()
        self._become("frozen")

    def wake(self) -> None:
        self.link.mend()
        self._become("active")

    def _become(self, state: str) -> None:
        session = self.page.context.new_cdp_session(self.page)
        session.send("Page.setWebLifecycleState", {"state": state})
        session.detach()

    def press_without_answer(self, button: str) -> None:
        """Press a button; the browser shows its own page, because no answer comes."""
        with self.page.expect_event("requestfailed", lambda request: request.is_navigation_request()):
            self.page.click(f"main button:text-is('{button}')", no_wait_after=True)
        self.page.wait_for_url("chrome-error://**")

    @property
    def text(self) -> str:
        return str(self.page.inner_text("main"))


@pytest.fixture
def link(boxed: FactoryUnit) -> Iterator[SlowLink]:
    with SlowLink(lambda: boxed.address) as made:
        yield made


@pytest.fixture
def phone(context: Any, boxed: FactoryUnit, link: SlowLink) -> Phone:
    return Phone(context.new_page(), boxed, link)


@pytest.fixture
def second(chromium: Any, boxed: FactoryUnit, link: SlowLink) -> Iterator[Phone]:
    """Another person's phone."""
    context = chromium.new_context(ignore_https_errors=True)
    yield Phone(context.new_page(), boxed, link)
    context.close()


def test_over_a_slow_link_an_owner_goes_from_the_label_to_the_network(
    context: Any, boxed: FactoryUnit
) -> None:
    """2 kB/s, and 2 s until an answer."""
    with SlowLink(lambda: boxed.address, bytes_per_s=BYTES_PER_S, delay_s=ONE_WAY_S) as link:
        phone = Phone(context.new_page(), boxed, link)
        phone.scan()
        assert phone.page.input_value("#code") == setup_code.grouped(boxed.world.unit.setup_code)
        phone.type_password()
        phone.send("Set this password")
        phone.see_networks()
        phone.connect()
        phone.see_connected()
        phone.finish()
        assert link.carried[1] > 20_000


# A phone that sleeps -----------------------------------------------------------------------------------------------


def test_what_was_typed_before_a_phone_slept_is_there_when_it_wakes(phone: Phone) -> None:
    phone.scan()
    phone.type_password()
    phone.sleep()
    phone.wake()
    assert phone.page.input_value("#password") == phone.page.input_value("#again") == PASSWORD
    phone.send("Set this password")
    assert phone.page.url == phone.link.url + "/network"


def test_a_form_that_no_device_received_is_sent_again_with_all_that_was_typed(phone: Phone) -> None:
    phone.scan()
    phone.type_password()
    phone.link.cut()
    phone.press_without_answer("Set this password")
    phone.link.mend()
    phone.page.reload()
    assert phone.page.url == phone.link.url + "/network" and "password is saved" in phone.text


def test_a_set_up_whose_answer_was_lost_is_explained_and_leads_on_to_the_network(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = network_site.NetworkSite.set_up_done

    def lose(site: Any, request: Any) -> Any:
        phone.link.cut()
        return done(site, request)

    phone.scan()
    phone.type_password()
    with monkeypatch.context() as losing:
        losing.setattr(network_site.NetworkSite, "set_up_done", lose)
        phone.press_without_answer("Set this password")
    phone.link.mend()
    phone.page.reload()
    assert "already set up" in phone.text and "sign in with the password that you chose" in phone.text
    assert axe_violations(phone.page) == []
    phone.page.click("main a.button")
    phone.page.wait_for_url("**/login")
    phone.sign_in()
    assert phone.page.url == phone.link.url + "/network"
    phone.see_networks()
    phone.connect()
    phone.see_connected()


def test_after_a_sleep_that_outlasts_the_session_the_page_says_that_nothing_changed_and_leads_back(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.set_up()
    phone.see_networks()
    phone.page.fill("#passphrase", HOME_KEY)
    phone.sleep()
    with monkeypatch.context() as asleep:
        asleep.setattr(sessions, "SESSION_LIFE_S", 0)
        phone.wake()
        phone.send("Connect")
        assert phone.page.url == phone.link.url + "/login" and "nothing was changed" in phone.text
    phone.sign_in()
    assert phone.page.url == phone.link.url + "/network"
    phone.see_networks()
    phone.connect()
    phone.see_connected()
    phone.finish()


def test_a_phone_that_slept_while_the_device_joined_shows_how_it_went(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.set_up()
    phone.see_networks()
    phone.connect()
    phone.sleep()
    radio_of = phone.unit.machine.radio
    phone.unit.wait("the join", lambda: radio_of.router)
    phone.wake()
    phone.open("/network")
    phone.see_connected()
    phone.finish()


# Two phones --------------------------------------------------------------------------------------------------------


def test_of_two_phones_that_set_a_device_up_the_second_is_told_and_signs_in(
    phone: Phone, second: Phone
) -> None:
    for one in (phone, second):
        one.scan()
        one.type_password()
    phone.send("Set this password")
    second.send("Set this password")
    assert "already set up" in second.text and axe_violations(second.page) == []
    second.page.click("main a.button")
    second.page.wait_for_url("**/login")
    second.sign_in()
    phone.see_networks()
    phone.connect()
    phone.see_connected()
    second.open("/network")
    second.see_connected()


def test_of_two_phones_that_choose_a_network_the_second_is_told_and_the_first_choice_is_tried(
    phone: Phone, second: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.set_up()
    second.open("/login")
    second.sign_in()
    for one in (phone, second):
        one.see_networks()
    with monkeypatch.context() as trying:
        trying.setattr(radio, "_ASSOCIATE_MS", (10**9, 10**9))
        phone.connect()
        assert "Connecting to Home" in phone.text
        second.page.fill("#passphrase", "correct horse 8")
        with staying(second.page):
            second.send("Connect")
            assert "trying another network" in second.page.inner_text("[role=alert]")
            assert "Connecting to Home" in second.text
            assert axe_violations(second.page) == []
        phone.unit.machine.radio._associated_ms = phone.unit.machine.radio._addressed_ms = 0
    second.open("/network")
    for one in (phone, second):
        one.see_connected()
    assert phone.unit.machine.radio.router.ssid == HOME.encode()
