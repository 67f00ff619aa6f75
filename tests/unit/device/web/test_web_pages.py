"""The local pages: routes by state, access rights, and the data that the public pages show (PW-02, SE-04, SE-06)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from device.errors import (
    EntropyError,
    LinkError,
    PasswordError,
    SetupCodeError,
    StorageFullError,
    ThrottledError,
)
from device.limits import HTTP_BODY_BYTES, HTTP_HEAD_BYTES
from device.owner import lifecycle
from device.web import html, pages, texts
from device.web.app import ROUTES
from device.web.owner import OwnerSite
from device.web.script import SCRIPT
from device.web.server import create_handler
from tests.unit.device.web.web_fake import CODE, PASSWORD, Browser, FakeDevice, ScriptedStream, signed_in

SECRETS = ("FB-000123", "1.2.3+0", PASSWORD, CODE)
PATHS = sorted(
    {route[1] for route in ROUTES} | {"/nothing", "/status.json/", "/styleXcss", "/..", "//", "/%2e"}
)


def allowed(state: str, method: str, path: str) -> bool:
    return any(route[0] == method and route[1] == path and state in route[2] for route in ROUTES)


@pytest.mark.parametrize("state", lifecycle.STATES)
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PUT", "DELETE", "TRACE"])
def test_what_is_not_in_the_table_for_this_state_answers_404(state: str, method: str) -> None:
    for path in PATHS:
        answer = Browser(FakeDevice(state)).ask(method, path)
        assert (answer.status == 404) == (not allowed(state, method, path)), path


def test_a_failed_or_unprovisioned_unit_has_no_page_at_all() -> None:
    for state in (lifecycle.FAILED, lifecycle.UNPROVISIONED):
        browser = Browser(FakeDevice(state))
        assert {browser.get(path).status for path in PATHS} == {404}


def test_before_set_up_no_page_tells_serial_version_or_owner() -> None:
    browser = Browser(FakeDevice())
    for path in PATHS:
        answer = browser.get(path)
        for secret in (*SECRETS, "slot", "mqtt"):
            assert secret not in answer.text, (path, secret)
        assert "server" not in answer.headers


def test_before_sign_in_no_page_of_a_set_up_unit_tells_version_or_errors() -> None:
    browser = Browser(FakeDevice(lifecycle.INITIALISED))
    for path in PATHS:
        answer = browser.get(path)
        for secret in (*SECRETS, "SignatureError"):
            assert secret not in answer.text, (path, secret)


def test_set_up_leads_to_sign_in_and_is_gone() -> None:
    browser = Browser(FakeDevice())
    answer = browser.post("/setup", {"code": CODE, "password": PASSWORD})
    assert (answer.status, answer.headers["location"]) == (303, "/login")
    assert browser.get("/setup").status == 404
    assert browser.post("/setup", {"code": CODE, "password": PASSWORD}).status == 404


def test_only_the_page_script_says_that_the_password_is_normalised() -> None:
    for value, expected in (("1", True), ("", False), ("true", False)):
        browser = Browser(FakeDevice())
        browser.post("/setup", {"code": CODE, "password": PASSWORD, "normalised": value})
        assert browser.device.was_normalised is expected


def test_two_different_passwords_are_refused_before_the_unit_sees_them() -> None:
    browser = Browser(FakeDevice())
    answer = browser.post("/setup", {"code": CODE, "password": PASSWORD, "again": PASSWORD + "x"})
    assert answer.status == 422 and browser.device.current == lifecycle.FACTORY_DEFAULT


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PasswordError(reason="common"), 422),
        (SetupCodeError(reason="wrong"), 403),
        (ThrottledError(wait_s=17), 429),
        (EntropyError(what="salt"), 503),
        (StorageFullError(reason="no space"), 500),
    ],
)
def test_a_refusal_has_its_status_and_words_and_echoes_nothing(error: Exception, status: int) -> None:
    browser = Browser(FakeDevice())
    browser.device.refuse_with = error  # type: ignore[assignment]
    answer = browser.post("/setup", {"code": "canary-code", "password": "canary password <b>"})
    assert answer.status == status
    assert "canary" not in answer.text and "alert" in answer.text


def test_a_throttled_client_learns_how_long_to_wait() -> None:
    browser = Browser(FakeDevice(lifecycle.INITIALISED))
    browser.device.refuse_with = ThrottledError(wait_s=17)
    assert browser.post("/login", {"password": "x"}).headers["retry-after"] == "17"


def test_a_program_gets_its_refusal_as_json() -> None:
    browser = Browser(FakeDevice())
    browser.accept = "application/json"
    browser.device.refuse_with = PasswordError(reason="length-min")
    answer = browser.post("/setup", {"code": CODE, "password": "x"})
    assert '"code": 511' in answer.text and '"reason": "length-min"' in answer.text


def test_every_password_reason_has_words_of_its_own() -> None:
    from device.owner import passwords

    source = Path(passwords.__file__).read_text()
    reasons = set(re.findall(r'reason="([a-z-]+)"', source)) | {"common", "sequence", "mismatch"}
    found = {texts.refusal(PasswordError(reason=reason)).text for reason in reasons}
    assert len(found) == len(reasons)
    assert texts.refusal(PasswordError(reason="no such reason")).text not in found


def test_a_secret_in_the_address_is_not_used() -> None:
    browser = Browser(FakeDevice())
    assert browser.ask("POST", f"/setup?code={CODE.replace(' ', '+')}&password=x").status == 415
    assert browser.device.current == lifecycle.FACTORY_DEFAULT


def test_every_answer_carries_the_security_headers() -> None:
    browser = Browser(FakeDevice())
    answers = [browser.get(path) for path in PATHS] + [browser.raw(b"\r\n\r\n"), browser.post("/setup", {})]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["connection"] == "close"


def test_no_page_may_be_stored_but_the_style_sheet() -> None:
    browser = Browser(FakeDevice())
    for path in ("/", "/setup", "/public.json", "/statement"):
        assert browser.get(path).headers["cache-control"] == "no-store"
    assert browser.get("/style.css").headers["cache-control"].startswith("max-age")


def test_the_policy_allows_exactly_our_script() -> None:
    browser = Browser(FakeDevice())
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in browser.get("/").headers["content-security-policy"]
    assert f"<script>{SCRIPT}</script>" in browser.get("/setup").text


class _Links(HTMLParser):
    """Collects every address that a page loads or links to, and every label."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.handlers: list[str] = []
        self.labelled: set[str] = set()
        self.inputs: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("link", "img", "script", "iframe", "form"):
            self.loads += [values[name] or "" for name in ("href", "src", "action") if name in values]
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]
        if tag == "label" and values.get("for"):
            self.labelled.add(values["for"] or "")
        if tag == "input" and values.get("type") in ("text", "password"):
            self.inputs.append(values)


def _all_pages() -> list[str]:
    before, after = Browser(FakeDevice()), signed_in()
    found = [before.get(path).text for path in ("/", "/setup", "/statement", "/nothing")]
    return [
        *found,
        after.get("/status").text,
        "".join(pages.login(before.device.public_info(), html.Problem("no", "password"))),
    ]


def test_no_page_asks_for_anything_but_the_device() -> None:
    for text in _all_pages():
        links = _Links()
        links.feed(text)
        for address in links.loads:
            assert address == "data:," or (address.startswith("/") and not address.startswith("//")), address
        assert links.handlers == []


def test_every_field_has_a_label_and_tells_the_password_manager_what_it_is() -> None:
    for text in _all_pages():
        links = _Links()
        links.feed(text)
        for field in links.inputs:
            assert field["id"] in links.labelled and field.get("autocomplete")


def test_every_shown_value_is_escaped() -> None:
    browser = signed_in()
    device = browser.device
    nasty = "<script>x</script>'\"&"
    device.model = nasty
    device.found["version"] = device.found["update"]["state"] = nasty
    device.found["update"]["last_error"] = {"code": 1, "name": nasty, "text": nasty}
    device.found["update"]["events"] = [{"time": None, "code": nasty, "text": nasty}]
    device.found["last_contact"] = {"source": nasty, "time": nasty}
    device.found["support"] = {"state": nasty, "sentence": nasty, "days_left": nasty, "end_date": nasty}
    device.statement_payload = b'{"<script>x": ["<script>x"]}'
    for path in ("/status", "/statement"):
        text = browser.get(path).text
        assert "<script>x" not in text and "&lt;script&gt;x" in text, path
    browser.cookie = ""
    assert "<script>x" not in browser.get("/").text


def test_an_address_that_is_no_link_is_shown_as_text() -> None:
    info = FakeDevice().public_info()
    info["contact"]["contact"] = "javascript:alert(1)"
    assert 'href="javascript' not in "".join(pages.index(info, False))


def test_the_status_page_tells_version_period_updates_and_refusals() -> None:
    text = signed_in().get("/status").text
    for part in (
        "1.2.3+0",
        "We will provide security updates for Lamp One until 31 March 2031.",
        "Supported",
        "Nothing to do",
        "not signed by the manufacturer",
        "SignatureError key=unknown, number 201",
        "SequenceNumberError have=3 offered=2",
        "17 March 2030, 17:46 UTC",
    ):
        assert part in text, part


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("supported", "Supported"),
        ("ending", "Support ends soon"),
        ("ended", "Support has ended"),
        ("unknown", "does not know today&#39;s date"),
    ],
)
def test_each_support_state_has_its_words(state: str, words: str) -> None:
    browser = signed_in()
    browser.device.found["support"]["state"] = state
    text = browser.get("/status").text
    assert words in text
    assert ("The device still works" in text) == (state == "ended")


def test_the_plain_words_for_an_update_error_belong_to_a_real_error() -> None:
    from device import errors

    codes = {kind.code for kind in vars(errors).values() if isinstance(kind, type)}
    assert {code for code, _ in texts._UPDATES} <= codes
    assert texts.update_text(999) == "" and texts.update_text(None) == ""


def test_the_statement_is_served_byte_for_byte_to_a_program() -> None:
    browser = Browser(FakeDevice())
    browser.accept = "*/*"
    answer = browser.get("/statement")
    assert answer.body == browser.device.statement_payload
    assert answer.headers["etag"] == f'"{hashlib.sha256(answer.body).hexdigest()}"'


def test_a_unit_without_a_statement_says_so() -> None:
    browser = Browser(FakeDevice())
    browser.device.statement_payload = None
    assert "no statement" in browser.get("/statement").text
    browser.accept = "*/*"
    assert browser.get("/statement").status == 404


def test_head_returns_only_the_headers() -> None:
    answer = Browser(FakeDevice()).ask("HEAD", "/")
    assert answer.status == 200 and answer.body == b"" and int(answer.headers["content-length"]) > 0


def test_a_fault_of_ours_answers_500_and_tells_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    browser = Browser(FakeDevice())
    browser.device.public_info = None  # type: ignore[assignment,method-assign]
    answer = browser.get("/")
    assert answer.status == 500 and "NoneType" not in answer.text
    assert "NoneType" in capsys.readouterr().err  # microdot prints on the console


def test_a_request_never_takes_more_memory_than_its_limits() -> None:
    stream = ScriptedStream([b"x" * 1_000_000])
    asyncio.run(create_handler(Browser(FakeDevice()).app)(stream))
    taken = 1_000_000 - sum(len(part) for part in stream.parts)
    assert stream.written.startswith(b"HTTP/1.1 414")
    assert stream.largest_read <= max(HTTP_HEAD_BYTES, HTTP_BODY_BYTES) and taken <= 3 * HTTP_HEAD_BYTES
    assert stream.is_closed


def test_a_client_that_vanishes_is_closed_and_forgotten() -> None:
    class Vanishing(ScriptedStream):
        async def write(self, data: bytes) -> None:
            raise LinkError(reason="gone")

    stream = Vanishing([b"GET / HTTP/1.0\r\n\r\n"])
    asyncio.run(create_handler(Browser(FakeDevice()).app)(stream))
    assert stream.is_closed


def test_nested_documents_have_a_bottom() -> None:
    value: object = "deep"
    for _ in range(50):
        value = [value]
    assert "deep" not in "".join(html.document(value))


@pytest.mark.parametrize(("method", "calls", "status"), [("GET", 2, 200), ("POST", 1, 503)])
def test_a_page_that_finds_no_memory_is_made_once_more_and_a_form_is_not(
    monkeypatch: pytest.MonkeyPatch, method: str, calls: int, status: int
) -> None:
    made: list[str] = []
    whole = OwnerSite.index if method == "GET" else OwnerSite.login

    async def short_once(self: OwnerSite, request: Any) -> Any:
        made.append(method)
        if len(made) == 1:
            raise MemoryError
        return await whole(self, request)

    browser = Browser(FakeDevice(lifecycle.INITIALISED))
    monkeypatch.setattr(OwnerSite, whole.__name__, short_once)
    answer = browser.get("/") if method == "GET" else browser.post("/login", {"password": "a wrong one"})
    assert (answer.status, len(made)) == (status, calls)


def test_a_page_that_finds_no_memory_twice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def short(self: OwnerSite, request: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(OwnerSite, "index", short)
    assert Browser(FakeDevice(lifecycle.INITIALISED)).get("/").status == 503
