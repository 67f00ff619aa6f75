"""An owner's use of all pages in a real browser, on one unit; the observations are kept for the tests."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from device.owner import setup_code
from provisioning import fair_time
from provisioning.station.setup_code import generate_code
from tests.browser.loading import next_page, open_page
from tests.browser.look import View, Watch, view
from tests.running import PASSWORD, FactoryUnit

PAGES = ("status", "updates", "support", "contact", "statement", "password", "reset", "licences")
TRIES = 12  # wrong passwords until the device must have required a wait


class Walk:
    """One browser, one unit, from the first page to the factory reset. `seen`: facts; `views`: pages by name."""

    def __init__(self, unit: FactoryUnit, chromium: Any, folder: Path) -> None:
        self.unit = unit
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.context = chromium.new_context(ignore_https_errors=True)
        self.page = self.context.new_page()
        self.watch = Watch(self.page)
        self.seen: dict[str, Any] = {}
        self.views: dict[str, View] = {}

    def go(self) -> None:
        self.before_set_up()
        self.set_up()
        self.sign_in()
        self.owner_pages()
        self.support_ends()
        self.reset()

    def look(self, name: str) -> View:
        self.views[name] = view(self.page, self.watch, name, self.folder)
        return self.views[name]

    def open(self, path: str) -> None:
        open_page(self.page, self.unit.url + path)

    def submit(self, name: str = "button[type=submit]") -> None:
        with next_page(self.page):
            self.page.click(name)

    def fill(self, **fields: str) -> None:
        for name, value in fields.items():
            self.page.fill(f"#{name}", value)

    # the walk ------------------------------------------------------------------------------------------------
    def before_set_up(self) -> None:
        code = setup_code.grouped(self.unit.world.unit.setup_code)
        self.open("/")
        self.look("first")
        for path in ("contact", "statement"):
            self.open(f"/{path}")
            self.look(f"public-{path}")
        self.open(f"/setup#code={code}")
        self.seen["code from the label"] = self.page.input_value("#code").replace("-", "")
        self.seen["address after the label"] = self.page.url
        self.look("setup")

    def set_up(self) -> None:
        self.page.fill("#password", "aaaaaaaaaaaaaaaa")
        self.seen["strength of a weak one"] = self.page.inner_text("#strength")
        self.page.fill("#again", "aaaaaaaaaaaaaaaa")
        self.submit()
        self.look("weak-password")
        self.fill(code=generate_code(), password=PASSWORD, again=PASSWORD)
        self.seen["strength of a good one"] = self.page.inner_text("#strength")
        self.page.check("#show")
        self.seen["type when shown"] = self.page.get_attribute("#password", "type")
        self.submit()
        self.look("wrong-code")
        self.until_taken(
            lambda: self.fill(code=self.unit.world.unit.setup_code, password=PASSWORD, again=PASSWORD),
            "/login",
        )
        self.look("login")

    def until_taken(self, fill: Any, path: str, button: str = "button[type=submit]") -> None:
        """Send a form until the device accepts it: an earlier wrong attempt costs a wait."""
        deadline = fair_time.now() + 60
        while True:
            fill()
            self.submit(button)
            if self.page.url == self.unit.url + path and self.watch.last_status != 429:
                return
            assert self.watch.last_status == 429, self.page.inner_text("main")
            assert fair_time.now() < deadline, "the device never took the form"
            time.sleep(0.5)

    def sign_in(self) -> None:
        self.fill(password="not the password of this device")
        self.submit()
        self.look("wrong-password")
        for _ in range(TRIES):
            self.fill(password="not the password of this device")
            self.submit()
            if self.watch.last_status == 429:
                break
        self.look("throttled")
        self.seen["throttled"] = self.watch.last_status
        self.unit.machine.press_button()
        self.until_taken(lambda: self.fill(password=PASSWORD), "/status")
        cookie = self.context.cookies()[0]
        self.seen["cookie"] = {key: cookie[key] for key in ("httpOnly", "secure", "sameSite")}
        self.seen["document.cookie"] = self.page.evaluate("document.cookie")

    def owner_pages(self) -> None:
        self.open("/status")
        links = self.page.eval_on_selector_all("nav a", "links => links.map(link => link.pathname)")
        self.seen["navigation"] = links
        for name in PAGES:
            self.open(f"/{name}")
            self.look(f"owner-{name}")
        self.open("/updates")
        self.page.select_option("#days", "7")
        self.submit("text=Switch off")
        self.look("updates-off")
        self.submit("text=Switch on")

    def support_ends(self) -> None:
        self.unit.world.move_time_past_support()

        def has_ended() -> bool | None:
            self.open("/status")
            return "Support has ended" in self.page.inner_text("main") or None

        self.unit.wait("the end of support", has_ended)
        self.look("support-ended")
        self.seen["pages that say so"] = set()
        for name in PAGES:
            self.open(f"/{name}")
            if "security updates for this device have ended" in self.page.inner_text("body").lower():
                self.seen["pages that say so"].add(name)

    def reset(self) -> None:
        self.open("/reset")
        self.fill(password="not the password of this device")
        self.page.check("input[name=confirm]")
        self.submit("button.danger")
        self.look("reset-refused")

        def fill() -> None:
            self.fill(password=PASSWORD)
            self.page.check("input[name=confirm]")

        self.unit.machine.press_button()
        self.until_taken(fill, "/reset", "button.danger")
        self.seen["reset"] = self.watch.last_status
        self.look("resetting")

        def is_fresh() -> bool | None:
            # The unit answers for one more second, then it restarts.
            return self.unit.world.owner.request("GET", "/setup").status == 200 or None

        self.unit.wait("the unit after its reset", is_fresh)
        self.open("/setup")
        self.look("setup-after-reset")
        self.seen["cookies after reset"] = self.context.cookies()
