"""Random walks over all routes, methods, forms and lives of a unit: no way around set-up (PW-02, PW-18, SE-04).

The real application, server and policy run on records in memory. The walker has everything except the set-up code: all
routes and similar ones, all field names, old cookies, strings of the pages. It may press the button, restart and reset.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from memory_flash import SMALL, MemoryFlash
from memory_unit import CODE, PASSWORD, MemoryUnit, run

from device.owner import lifecycle, reset
from device.owner.credential import decode_credential
from device.web import brand
from device.web.app import create_app
from device.web.routes import LANGUAGE_ROUTES, WIFI_ROUTES
from device.web.routes import ROUTES as ALWAYS
from device.web.server import serve_client
from tests.property.radio_walk import WRONG_CODE, BesideThePages
from tests.unit.device.web.home_fake import CERTIFICATE
from tests.unit.device.web.web_fake import Answer, FakeDevice, FakeWifi, ScriptedStream

ROUTES = (*ALWAYS, *WIFI_ROUTES, *LANGUAGE_ROUTES)
OTHER_PASSWORD = "orange bicycle under the bridge"
PATHS = [
    *sorted({route.path for route in ROUTES}),
    "/setup/",
    "/setup/skip",
    "/setup?code=x",
    "//setup",
    "/SETUP",
    "/%73etup",
    "/../setup",
    "/status.json?",
    "/login;x=1",
    "/admin",
    "/api/setup",
]
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "SETUP")
VALUES = (
    "",
    "yes",
    "1",
    "on",
    "off",
    "install",
    "join",
    "save",
    "do",
    "toggle",
    "test",
    "forget",
    "192.168.1.7",
    "8883",
    CERTIFICATE,
    "finish",
    "other",
    "486f6d65/WPA2",
    "xx",
    "/status",
    "null",
    WRONG_CODE,
    CODE[:-1],
    CODE[::-1],
    PASSWORD,
    OTHER_PASSWORD,
)
NAMES = (
    "address",
    "port",
    "user",
    "authority",
    "install",
    "set_dim",
    "set_tone",
    "network",
    "name",
    "passphrase",
    "code",
    "password",
    "again",
    "current",
    "normalised",
    "confirm",
    "action",
    "days",
    "language",
    "page",
    "state",
    "skip",
)
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"Accept": "application/json"},
    {"X-HTTP-Method-Override": "POST", "X-Forwarded-For": "127.0.0.1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Authorization": "Basic YWRtaW46YWRtaW4="},
    {"Host": "evil.example"},
    {"Accept-Language": "xx", "Cookie": "language=xx"},
)


class RealDevice(FakeDevice):
    """The pages' facade over the real policy; the rest is the fake's."""

    def __init__(self, unit: MemoryUnit) -> None:
        super().__init__()
        self.unit = unit
        self.clock, self.entropy = unit.clock, unit.entropy

    def state(self) -> str:
        return str(self.unit.state())

    def is_press_needed(self) -> bool:
        return bool(self.unit.owner.is_press_needed())

    async def setup(self, code: str, password: str, is_normalised: bool) -> None:
        run(self.unit.owner.set_up(code, password, is_normalised))

    async def login(self, password: str) -> None:
        run(self.unit.owner.sign_in(password))

    async def change_password(self, old: str, new: str, is_normalised: bool) -> None:
        run(self.unit.owner.change(old, new, is_normalised))

    async def reset(self, password: str) -> None:
        run(self.unit.owner.reset(password))


class Walk(RuleBasedStateMachine):
    """The actions of any client on one unit. `is_owned`: the holder of the code set it up in this life."""

    is_code_known = False
    has_radio = False  # with a radio, the product has a second language too

    def __init__(self) -> None:
        super().__init__()
        brand.LANGUAGES = (("xx", "Xx", True, bytes(200), ()),) if self.has_radio else ()
        self.unit = MemoryUnit()
        self.cookies = [""]
        self.is_owned = False
        self.has_signed_in = False
        self.boot()

    def boot(self) -> None:
        self.unit.restart()
        self.device = RealDevice(self.unit)
        self.device.wifi = self.radio = FakeWifi() if self.has_radio else None
        self.app = create_app(self.device)
        self.has_signed_in = False
        self.connect()

    def connect(self) -> None:
        """Begin on the lines that a unit with a radio has beside its pages (radio_walk.py)."""

    def ask(self, method: str, path: str, form: dict[str, str], headers: dict[str, str]) -> Answer | None:
        body = urlencode(form).encode()
        lines = {"Host": "device.local", **headers, "Content-Type": "application/x-www-form-urlencoded"}
        lines["Content-Length"] = str(len(body))
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items())
        stream = ScriptedStream([head.encode() + b"\r\n" + body])
        asyncio.run(self._serve(stream))
        return Answer(stream.written) if stream.written else None

    async def _serve(self, stream: Any) -> None:
        await serve_client(self.app, stream)
        watcher = self.app.site._watcher
        if watcher is not None:  # belongs to this loop, which ends here
            watcher.cancel()
            self.app.site._watcher = None

    def teardown(self) -> None:
        brand.LANGUAGES = ()

    @rule(
        method=st.sampled_from(METHODS),
        path=st.sampled_from(PATHS),
        form=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), max_size=5),
        headers=st.sampled_from(HEADERS),
        cookie=st.integers(0, 5),
    )
    def request(
        self, method: str, path: str, form: dict[str, str], headers: dict[str, str], cookie: int
    ) -> None:
        session = self.cookies[cookie % len(self.cookies)]
        sent = headers | ({"Cookie": session} if session else {})
        before = self.unit.state()
        answer = self.ask(method, path, form, sent)
        if answer is not None:
            self.check(method, path, before, answer)

    @rule(
        known=st.sampled_from(sorted({(r.method, r.path) for r in ROUTES if r.method == "POST"})),
        word=st.sampled_from(VALUES),
    )
    def plausible_form(self, known: tuple[str, str], word: str) -> None:
        """Send a whole form as its page would, so that walks get past the first check."""
        form = {
            "code": WRONG_CODE,
            "password": word,
            "again": word,
            "current": word,
            "confirm": "yes",
            "action": "off",
        }
        self.request(known[0], known[1], form, {}, len(self.cookies) - 1)

    def check(self, method: str, path: str, before: str, answer: Answer) -> None:
        for route in ROUTES:
            if (route.method, route.path) == (method, path):
                if before not in route.states:
                    assert answer.status in (404, 421)
                elif route.needs_session and answer.status == 200:
                    assert self.has_signed_in, f"{method} {path} answered a stranger"
        cookie = answer.headers.get("set-cookie", "session=;")
        if cookie.startswith("language="):
            assert (method, path) == ("POST", "/language") and answer.status in (200, 303)
            assert cookie.split(";")[0] in ("language=xx", "language=en"), (
                "a value of the request in a header"
            )
        elif not cookie.startswith("session=;"):
            # Set-up opens a session too, on a unit without a network, and only the holder of the code gets so far.
            assert path == "/login" or (path == "/setup" and self.is_code_known)
        if (
            path == "/login"
            and answer.headers.get("set-cookie", "").startswith("session=")
            and answer.status in (200, 303)
        ):
            assert before == lifecycle.INITIALISED
            self.has_signed_in = True
            self.cookies.append(answer.headers["set-cookie"].split(";")[0])

    @rule()
    def press(self) -> None:
        self.unit.owner.pressed()

    @rule(is_held=st.booleans())
    def restart(self, is_held: bool) -> None:
        device, records = self.unit.device, self.unit.user_records
        if is_held:
            reset.begin(device)
        if lifecycle.gather(True, device, self.unit.user).is_resetting:
            run(reset.finish(MemoryFlash(), SMALL, device, records.content.clear, True))
            self.is_owned = False
        self.boot()

    @rule(ms=st.integers(0, 400_000))
    def wait(self, ms: int) -> None:
        self.unit.clock.ms += ms

    @invariant()
    def nobody_without_a_session_chooses_the_network(self) -> None:
        assert self.radio is None or not self.radio.calls or self.has_signed_in

    @invariant()
    def nobody_without_a_session_links_the_unit_to_a_home(self) -> None:
        assert not self.device.linked.calls or self.has_signed_in

    @rule(action=st.sampled_from(("save", "on", "off", "test", "forget")), cookie=st.integers(0, 5))
    def home_form(self, action: str, cookie: int) -> None:
        """Send the whole form about the home, as its page would."""
        form = {"action": action, "address": "192.168.1.7", "port": "8883", "name": "", "user": "a"}
        self.request("POST", "/home", form | {"password": "b", "authority": CERTIFICATE}, {}, cookie)

    @invariant()
    def nobody_without_a_session_changes_updates_or_the_application(self) -> None:
        assert not self.device.calls or self.has_signed_in

    @invariant()
    def initialised_means_a_credential_of_the_owner(self) -> None:
        if self.unit.state() == lifecycle.INITIALISED:
            assert self.is_owned, "set up without the code"
            assert decode_credential(self.unit.user.require("credential")).iterations > 0
        if not self.is_code_known:
            assert self.unit.user.read("credential") is None


class Stranger(Walk):
    """Never has the code: the unit never leaves factory default, except for a reset that was begun with the button."""


class Neighbour(Walk):
    """Signs in sometimes, and has every old cookie: no page of the owner's answers without a session."""

    is_code_known = True

    @initialize()
    def buy(self) -> None:
        self.set_up()

    @rule()
    def set_up(self) -> None:
        self.unit.owner.pressed()
        before = self.unit.state()
        answer = self.ask("POST", "/setup", {"code": CODE, "password": PASSWORD, "again": PASSWORD}, {})
        assert answer is not None
        if answer.status == 303:
            assert before == lifecycle.FACTORY_DEFAULT
            self.is_owned = True
            if self.has_radio:  # straight on to the network, with a session
                self.has_signed_in = True
                self.cookies.append(answer.headers["set-cookie"].split(";")[0])

    @rule()
    def sign_in(self) -> None:
        before = self.unit.state()
        answer = self.ask("POST", "/login", {"password": PASSWORD}, {})
        assert answer is not None
        self.check("POST", "/login", before, answer)


class StrangerInTheAccessPoint(BesideThePages, Stranger):
    """Has the passphrase of the unit's access point, which a former owner knows, and not the code."""

    has_radio = True


class NeighbourOfARadio(BesideThePages, Neighbour):
    """As Neighbour, on a unit whose owner chooses a network."""

    has_radio = True


_IS_NIGHTLY = settings.get_current_profile_name() == "nightly"
_SETTINGS = settings(max_examples=500 if _IS_NIGHTLY else 25, stateful_step_count=60 if _IS_NIGHTLY else 30)

Stranger.TestCase.settings = _SETTINGS
Neighbour.TestCase.settings = _SETTINGS
StrangerInTheAccessPoint.TestCase.settings = _SETTINGS
NeighbourOfARadio.TestCase.settings = _SETTINGS
test_no_walk_inside_the_access_point_leads_out_of_factory_default = StrangerInTheAccessPoint.TestCase
test_no_walk_around_an_owner_chooses_the_network_without_a_session = NeighbourOfARadio.TestCase
test_no_walk_without_the_code_leads_out_of_factory_default = Stranger.TestCase
test_no_walk_around_an_owner_gives_a_page_without_a_session = Neighbour.TestCase
