"""Sessions of the local pages: their start and end, and the forms that are accepted (SE-04, PW-03)."""

from __future__ import annotations

import asyncio
import re

import pytest

from device.limits import SESSION_LIFE_S, SESSIONS
from device.owner import lifecycle
from device.web import site as site_module
from device.web.forms import CONTENT_TYPE
from device.web.server import serve_client
from tests.unit.device.web.web_fake import CODE, PASSWORD, Browser, FakeDevice, ScriptedStream, signed_in


def test_status_needs_a_session() -> None:
    browser = Browser(FakeDevice(lifecycle.INITIALISED))
    assert browser.get("/status").headers["location"] == "/login"
    assert browser.get("/status.json").status == 403
    assert browser.post("/logout", {}).status == 303


def test_the_session_cookie_is_secure_http_only_and_strict() -> None:
    browser = Browser(FakeDevice(lifecycle.INITIALISED))
    cookie = browser.post("/login", {"password": PASSWORD}).headers["set-cookie"]
    parts = {part.strip() for part in cookie.split(";")[1:]}
    assert parts == {"Path=/", f"Max-Age={SESSION_LIFE_S}", "Secure", "HttpOnly", "SameSite=Strict"}
    assert re.fullmatch(r"session=[0-9a-f]{64}", cookie.split(";")[0])


def test_a_wrong_password_opens_no_session() -> None:
    browser = Browser(FakeDevice(lifecycle.INITIALISED))
    answer = browser.post("/login", {"password": "wrong"})
    assert answer.status == 403 and "set-cookie" not in answer.headers


def test_a_made_up_or_altered_token_opens_nothing() -> None:
    browser = signed_in()
    real = browser.cookie
    for cookie in ("session=", "session=" + "0" * 64, real[:-1], real + "0", real.upper(), "x=" + real):
        browser.cookie = cookie
        assert browser.get("/status.json").status == 403, cookie


def test_signing_out_ends_the_session() -> None:
    browser = signed_in()
    old = browser.cookie
    assert browser.post("/logout", {}).status == 303
    browser.cookie = old
    assert browser.get("/status.json").status == 403


def test_a_session_ends_after_its_time() -> None:
    browser = signed_in()
    browser.device.clock.advance_ms(SESSION_LIFE_S * 1000 - 1)
    assert browser.get("/status.json").status == 200
    browser.device.clock.advance_ms(1)
    assert browser.get("/status.json").status == 403


def test_a_session_does_not_come_back_when_ticks_have_wrapped() -> None:
    browser = signed_in()
    period_ms = 1 << 30
    for _ in range(4):
        browser.device.clock.advance_ms(period_ms // 4)
        browser.app.site.sessions.purge()
    assert browser.get("/status.json").status == 403


def test_a_session_is_over_when_its_age_looks_negative() -> None:
    browser = signed_in()
    browser.device.clock.advance_ms((1 << 30) // 4 * 3)  # nine days without a request
    assert browser.get("/status.json").status == 403


def test_a_session_ends_in_time_without_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Browser(FakeDevice(lifecycle.INITIALISED))
    monkeypatch.setattr(site_module, "SESSION_LIFE_S", 0)  # the watcher's pause

    async def run() -> int:
        body = f"password={PASSWORD}".replace(" ", "+").encode()
        head = "POST /login HTTP/1.0\r\nHost: device.local\r\n"
        head += f"Content-Type: {CONTENT_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
        await serve_client(browser.app, ScriptedStream([head.encode() + body]))
        assert browser.app.site.sessions.count() == 1
        browser.device.clock.advance_ms(SESSION_LIFE_S * 1000)
        for _ in range(5):
            await asyncio.sleep(0)
        browser.device.clock.advance_ms((1 << 30) - SESSION_LIFE_S * 1000)  # the ticks of sign-in occur again
        return int(browser.app.site.sessions.count())

    assert asyncio.run(run()) == 0


def test_a_session_too_many_ends_the_oldest() -> None:
    browser = signed_in()
    first = browser.cookie
    for _ in range(SESSIONS):
        browser.cookie = ""
        browser.post("/login", {"password": PASSWORD})
    assert browser.get("/status.json").status == 200
    browser.cookie = first
    assert browser.get("/status.json").status == 403


def test_a_factory_reset_ends_every_session() -> None:
    browser = signed_in()
    browser.device.current = lifecycle.FACTORY_DEFAULT
    assert browser.get("/").status == 200
    browser.device.current = lifecycle.INITIALISED
    assert browser.get("/status.json").status == 403


def test_without_entropy_there_is_no_session() -> None:
    browser = Browser(FakeDevice(lifecycle.INITIALISED))
    browser.device.entropy.is_seeded = False
    answer = browser.post("/login", {"password": PASSWORD})
    assert answer.status == 503 and "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "is_taken"),
    [
        ({}, True),
        ({"Origin": "https://device.local"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "http://device.local"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": ""}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://device.local"}, False),
    ],
)
def test_a_form_from_elsewhere_is_not_taken(headers: dict[str, str], is_taken: bool) -> None:
    browser = Browser(FakeDevice())
    answer = browser.post("/setup", {"code": CODE, "password": PASSWORD}, **headers)
    assert (answer.status == 303) == is_taken
    assert (browser.device.current == lifecycle.INITIALISED) == is_taken
