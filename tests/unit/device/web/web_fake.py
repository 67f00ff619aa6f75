"""A fake unit for the local pages, and a client that sends requests to the pages over a Stream."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

from device.errors import (
    CredentialError,
    FirstbootError,
    LifecycleError,
    LinkError,
    SettingsError,
    SetupCodeError,
    WifiError,
)
from device.net import wifi
from device.owner import lifecycle
from device.web.app import create_app
from device.web.server import serve_client
from simulator.ports.clock import SimClock, SimEntropy
from tests.unit.device.web.home_fake import FakeHome

CODE = "FAKE-CODE-7"
PASSWORD = "orange kettle under the bridge"


def lamp_page() -> dict[str, Any]:
    """Return what an application with one setting of each kind declared."""
    bounds: dict[str, Any] = {"lowest": 0, "highest": 0, "choices": [], "unit": ""}
    return {
        "title": "Lamp",
        "settings": [
            {
                **bounds,
                "name": "dim",
                "label": "Brightness",
                "kind": "number",
                "value": 80,
                "highest": 100,
                "unit": "%",
            },
            {
                **bounds,
                "name": "night",
                "label": "Dim at night",
                "kind": "switch",
                "value": True,
                "highest": 1,
            },
            {
                **bounds,
                "name": "tone",
                "label": "Colour",
                "kind": "choice",
                "value": "warm",
                "choices": ["warm", "cold"],
            },
        ],
        "readings": [
            {"name": "now", "label": "Brightness now", "unit": "%", "value": 40},
            {"name": "lit", "label": "Lit", "unit": "", "value": True},
            {"name": "fault", "label": "Last fault", "unit": "", "value": None},
        ],
        "actions": [{"name": "toggle", "label": "Switch on or off"}],
    }


class FakeDevice:
    """Implements device.web.facade.Device; `refuse_with` is raised by the next setup or login."""

    def __init__(self, state: str = lifecycle.FACTORY_DEFAULT) -> None:
        self.current = state
        self.password = PASSWORD if state == lifecycle.INITIALISED else ""
        self.refuse_with: FirstbootError | None = None
        self.was_normalised = False
        self.clock = SimClock()
        self.entropy = SimEntropy()
        self.model = "Lamp One"
        self.statement_payload: bytes | None = b'{"notice": "demonstration", "product": {"type": "lamp"}}'
        self.found: dict[str, Any] = {
            "version": "1.2.3+0",
            "state": state,
            "slot": 0,
            "is_trial": False,
            "support": {
                "state": "supported",
                "end_date": "2031-03-31",
                "days_left": 400,
                "sentence": "We will provide security updates for Lamp One until 31 March 2031.",
            },
            "time": 1_900_000_000,
            "update": {
                "state": "idle",
                "sequence": 3,
                "progress": None,
                "last_error": {"code": 201, "name": "SignatureError", "text": "SignatureError key=unknown"},
                "events": [
                    {"time": 1_899_999_000, "code": 214, "text": "SequenceNumberError have=3 offered=2"}
                ],
            },
            "application": {
                "release": 3,
                "state": "running",
                "failures": 0,
                "says": "all lamps lit",
                "page": lamp_page(),
            },
            "last_contact": {"source": "mqtt", "time": 1_900_000_000},
            "memory": {"heap_bytes": 3, "heap_peak_bytes": 1},
            "network": None,
            "home": None,
        }
        self.found["support"].update(published="2026-01-01", reason=None)
        self.found["update"].update(
            is_stale=False,
            up_to_date=None,
            next_check_s=None,
            withheld=[],
            automatic=True,
            postponed_until=None,
            offered=None,
            news=None,
        )
        self.press_needed = False
        self.calls: list[tuple[object, ...]] = []
        self.wifi: Any = None
        self.linked = FakeHome()

    def home(self) -> FakeHome:
        return self.linked

    def state(self) -> str:
        return self.current

    def public_info(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "brand": "Firstboot",
            "manufacturer": "Example Ltd",
            "support": {
                "end_date": "2031-03-31",
                "sentence": f"We will provide security updates for {self.model} until 31 March 2031.",
            },
            "contact": {
                "contact": "https://example.com/security",
                "acknowledgement": "within 3 working days",
                "status_updates": "every 14 days",
                "policy": "https://example.com/policy",
            },
            "statement_sha256": "00" * 32,
        }

    def statement(self) -> bytes | None:
        return self.statement_payload

    def status(self) -> dict[str, Any]:
        if self.wifi is not None:
            self.found["network"] = self.wifi.status()
        found = self.linked.status()
        self.found["home"] = found if found is not None and found["is_on"] else None
        return self.found

    def host_names(self) -> tuple[str, ...]:
        return ("device.local", "192.0.2.7", "2001:db8::7")

    def is_press_needed(self) -> bool:
        return self.press_needed

    async def change_password(self, old: str, new: str, is_normalised: bool) -> None:
        await self.login(old)
        self.password, self.was_normalised = new, is_normalised

    async def reset(self, password: str) -> None:
        await self.login(password)
        self.current = lifecycle.FAILED

    def set_automatic(self, is_automatic: bool) -> None:
        self._refuse()
        self.calls.append(("automatic", is_automatic))

    def postpone(self, days: int) -> None:
        self._refuse()
        self.calls.append(("postpone", days))

    def check_now(self) -> None:
        self._refuse()
        self.calls.append(("check",))

    def change_application(self, values: dict[str, Any]) -> None:
        self._refuse()
        for setting in self.found["application"]["page"]["settings"]:
            name, value = setting["name"], values[setting["name"]]
            if setting["kind"] == "number" and (
                value is None or not setting["lowest"] <= value <= setting["highest"]
            ):
                raise SettingsError(reason="app value", setting=name)
            if setting["kind"] == "choice" and value not in setting["choices"]:
                raise SettingsError(reason="app value", setting=name)
        self.calls.append(("settings", values))

    def act(self, name: str) -> None:
        self._refuse()
        if name != "toggle":
            raise SettingsError(reason="app action")
        self.calls.append(("act", name))

    def install_now(self) -> None:
        self._refuse()
        self.calls.append(("install",))

    async def setup(self, code: str, password: str, is_normalised: bool) -> None:
        self._refuse()
        if self.current != lifecycle.FACTORY_DEFAULT:
            raise LifecycleError(state=self.current, event="set-up")
        if code != CODE:
            raise SetupCodeError(reason="wrong")
        self.was_normalised = is_normalised
        self.password = password
        self.current = lifecycle.INITIALISED

    async def login(self, password: str) -> None:
        self._refuse()
        if password != self.password:
            raise CredentialError

    def _refuse(self) -> None:
        if self.refuse_with is not None:
            raise self.refuse_with

    def random_bytes(self, length: int) -> bytes:
        return self.entropy.random_bytes(length)

    def ticks_ms(self) -> int:
        return self.clock.ticks_ms()

    def ticks_diff(self, later: int, earlier: int) -> int:
        return self.clock.ticks_diff(later, earlier)


class FakeWifi:
    """Implements device.web.facade.Wifi. `calls` is a log; tests set `joined`, `attempt`, `networks`, `found_next`."""

    name = "fb-0a1b2c3d"

    def __init__(self) -> None:
        self.joined = False
        self.attempt: dict[str, str] | None = None
        self.stored: str | None = None
        self.lost_for: str | None = None
        self.earlier_contact: tuple[str, int] | None = None
        self.is_open = True
        self.networks: list[wifi.Seen] = [
            wifi.Seen(b"Home", wifi.WPA2, -50),
            wifi.Seen(b"Guest", wifi.OPEN, -70),
        ]
        self.found_next: list[wifi.Seen] | None = None  # what the next search finds
        self.refuse_with: FirstbootError | None = None
        self.calls: list[tuple[object, ...]] = []

    def is_joined(self) -> bool:
        return self.joined

    def status(self) -> dict[str, Any]:
        return {
            "network": self.stored,
            "state": wifi.JOINED if self.joined else wifi.IDLE,
            "signal_dbm": -50 if self.joined else None,
            "access_point": self.is_open,
            "lost_for": self.lost_for,
            "attempt": self.attempt,
        }

    def choose(self, ssid: bytes, passphrase: bytes, security: str = "") -> None:
        if self.refuse_with is not None:
            raise self.refuse_with
        self.calls.append(("choose", ssid, passphrase, security))

    def again(self) -> None:
        if self.attempt is None:
            raise WifiError(reason="nothing")
        self.calls.append(("again",))

    def rescan(self) -> None:
        self.calls.append(("scan",))
        if self.found_next is not None:
            self.networks = self.found_next

    def is_looking(self) -> bool:
        return False

    def finish(self) -> None:
        self.calls.append(("finish",))


class ScriptedStream:
    """A client that has already sent `parts`; the server's bytes are kept. `is_slow`: it sends nothing more."""

    def __init__(self, parts: list[bytes], is_slow: bool = False) -> None:
        self.parts = list(parts)
        self.is_slow = is_slow
        self.written = b""
        self.is_closed = False
        self.largest_read = 0

    async def read(self, limit: int) -> bytes:
        self.largest_read = max(self.largest_read, limit)
        if not self.parts:
            if self.is_slow:
                await asyncio.sleep(3600)
            return b""
        part = self.parts.pop(0)
        if len(part) > limit:
            self.parts.insert(0, part[limit:])
        return part[:limit]

    async def readexactly(self, length: int) -> bytes:
        raise LinkError(reason="not used")

    async def write(self, data: bytes) -> None:
        self.written += data

    async def close(self) -> None:
        self.is_closed = True


class Answer:
    """A parsed answer: `status`, `headers` (lower case), `text`."""

    def __init__(self, data: bytes) -> None:
        self.raw = data
        head, _, self.body = data.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        self.headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])
        }
        self.text = self.body.decode()


class Browser:
    """Sends requests to one unit's pages as a browser would, and keeps its cookie."""

    def __init__(self, device: FakeDevice) -> None:
        self.device = device
        self.app = create_app(device)
        self.cookie = ""
        self.language = ""  # the cookie of a chosen language
        self.accept = "text/html"

    def raw(self, data: bytes, **options: Any) -> Answer:
        stream = ScriptedStream([data])
        asyncio.run(serve_client(self.app, stream, **options))
        return Answer(stream.written)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        lines = {"Host": "device.local", "Accept": self.accept, **headers}
        cookies = [cookie for cookie in (self.cookie, self.language) if cookie]
        if cookies:
            lines["Cookie"] = "; ".join(cookies)
        if body:
            lines["Content-Length"] = str(len(body))
        text = f"{method} {path} HTTP/1.1\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in lines.items()
        )
        answer = self.raw(text.encode() + b"\r\n" + body)
        given = answer.headers.get("set-cookie", "").split(";")[0]
        if given.startswith("language="):
            self.language = given
        elif given:
            self.cookie = given
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, fields: dict[str, str], **headers: str) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        return self.ask("POST", path, urlencode(fields).encode(), **headers)


def signed_in(radio: FakeWifi | None = None) -> Browser:
    """Return a browser with an open session on a unit that is set up. `radio`: of a unit with one."""
    device = FakeDevice(lifecycle.INITIALISED)
    device.wifi = radio
    browser = Browser(device)
    browser.post("/login", {"password": PASSWORD})
    return browser
