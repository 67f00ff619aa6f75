"""The report form: no account, no personal data, a code for the answers; hostile posts change nothing."""

from __future__ import annotations

import asyncio
import html
import re
from typing import Any
from urllib.parse import urlencode, urljoin

import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.routing import Mount

from provisioning.disclosure import clocks, consistency, desk, form
from provisioning.disclosure.desk import Decision
from provisioning.disclosure.models import Message
from provisioning.disclosure.states import Step
from provisioning.page_forms import SlowFormError
from tests.unit.provisioning.disclosure.cases_bench import ADA, Cases


class Answer:
    """A response of the application."""

    def __init__(self, status: int, headers: dict[str, str], text: str) -> None:
        self.status, self.headers, self.text = status, headers, text

    @property
    def words(self) -> str:
        return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", self.text)))


def scope(method: str, path: str) -> dict[str, Any]:
    """Return the head of a request, as a server hands it to the application."""
    return {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
        "scheme": "http",
        "headers": [(b"host", b"maker.example"), (b"content-type", b"application/x-www-form-urlencoded")],
        "client": ("192.0.2.1", 1), "server": ("127.0.0.1", 1), "http_version": "1.1", "root_path": "",
    }  # fmt: skip


def send(app: Any, method: str, path: str, body: bytes = b"", *, ends_early: bool = False) -> Answer:
    """Send one request to an ASGI application, without a server. `ends_early`: the connection ends in the body."""
    messages: list[dict[str, Any]] = []
    parts: list[bytes | None] = [body[at : at + 65536] for at in range(0, max(1, len(body)), 65536)]
    if ends_early:
        parts.append(None)

    async def receive() -> dict[str, Any]:
        data = parts.pop(0) if parts else b""
        if data is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": data, "more_body": bool(parts)}

    async def note(message: Any) -> None:
        messages.append(message)

    asyncio.run(app(scope(method, path), receive, note))
    headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    return Answer(
        messages[0]["status"], headers, b"".join(one.get("body", b"") for one in messages[1:]).decode()
    )


class Site:
    """A visitor of the form."""

    def __init__(self, cases: Cases, hourly_most: int = 60) -> None:
        self.cases = cases
        self.app = form.make_app(cases.store, hourly_most)

    def get(self, path: str = "/") -> Answer:
        return send(self.app, "GET", path)

    def post(self, path: str, **fields: str) -> Answer:
        return send(self.app, "POST", path, urlencode(fields).encode())

    def report(self, text: str = "The reset leaves data.", **more: str) -> Answer:
        key = re.findall(r'name="key" value="([0-9a-f]{32})"', self.get().text)[0]
        return self.post("/report", **{"report": text, "key": key, **more})


@pytest.fixture
def site(cases: Cases) -> Site:
    return Site(cases)


def token_of(answer: Answer) -> str:
    return re.findall(r'class="token">([a-z0-9-]+)<', answer.text)[0]


def test_rp_04_a_report_needs_a_text_and_nothing_else(site: Site) -> None:
    answer = site.report()
    assert answer.status == 200 and "SR-2026-0001" in answer.words
    assert site.cases.case("SR-2026-0001").channel == "form"
    page = site.get()
    required = re.findall(r'<(?:input|textarea)[^>]*?name="(\w+)"[^>]*\brequired', page.text)
    assert required == ["report"]
    assert (
        "within 3 working days" in page.words and "every 14 days until the problem is resolved" in page.words
    )


def test_rp_08_an_anonymous_reporter_reads_acknowledgement_and_news_and_adds_to_the_report(
    site: Site,
) -> None:
    token = token_of(site.report())
    case = "SR-2026-0001"
    site.cases.decide(case, Step.ACKNOWLEDGE)
    desk.update(site.cases.store, case, Decision("E", site.cases.case(case).version, "We can see it, too."))
    shown = site.post("/status", token=token.upper().replace("-", " ")).words
    assert (
        "State: acknowledged" in shown
        and "Thank you for your report." in shown
        and "We can see it, too." in shown
    )
    assert "15 December 2026, 10:00 (GMT) at the latest" in shown
    added = site.post("/add", token=token, report="It also leaves the log.", key="0" * 32)
    assert "It also leaves the log." in added.words
    assert len(site.cases.case(case).messages) == 2
    assert clocks.punctuality([site.cases.case(case)], site.cases.clock()).acknowledged_in_time == 1


def test_a_code_shows_only_what_is_the_reporters_own(site: Site) -> None:
    first = token_of(site.report("My words."))
    site.report("Other words.")
    desk.merge(
        site.cases.store,
        "SR-2026-0002",
        "SR-2026-0001",
        Decision("E", site.cases.case("SR-2026-0002").version),
    )
    shown = site.post("/status", token=first).words
    assert "My words." in shown and "Other words." not in shown


@pytest.mark.parametrize("token", ["", "abc", "a" * 27, "' OR 1=1 --", "\x00", "é" * 5000])
def test_a_wrong_code_shows_nothing(token: str, site: Site) -> None:
    site.report()
    for path in ("/status", "/add"):
        answer = site.post(path, token=token, report="x")
        assert answer.status == 404 and "We have no report with this code" in answer.words


def test_a_form_that_is_sent_twice_is_one_report_and_shows_no_code_again(site: Site) -> None:
    key = "ab" * 16
    assert 'class="token"' in site.post("/report", report="text", key=key).text
    again = site.post("/report", report="text", key=key)
    assert "We had this report already" in again.words and 'class="token"' not in again.text
    assert len(desk.load_all(site.cases.store)) == 1


def test_script_in_a_report_is_text_on_the_page_and_control_characters_are_gone(site: Site) -> None:
    token = token_of(site.report('<script>alert(1)</script>"\x1b[2J\u202e{{ 7*7 }}{contact}'))
    page = site.post("/status", token=token).text
    assert "<script" not in page and "&lt;script&gt;" in page and "{{ 7*7 }}" in page
    assert "\x1b" not in page and "\u202e" not in page


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"report=", 400),
        (b"report=%20%0a", 400),
        (b"report=text&address=Ada+%3Ca%40x.example%3E", 400),
        (b"report=text&address=a%40x.example%0d%0aBcc:b%40x.example", 400),
        (b"report=" + b"x" * (form.LONGEST_REPORT + 1), 400),
        (b"report=" + b"x" * 3_000_000, 413),
        (b"report=\xff\xfe", 413),
        (b"&".join(b"f%d=1" % number for number in range(5000)), 413),
    ],
)
def test_a_hostile_post_is_refused_and_nothing_is_stored(body: bytes, status: int, site: Site) -> None:
    answer = send(site.app, "POST", "/report", body)
    assert answer.status == status and 'role="alert"' in answer.text
    assert desk.load_all(site.cases.store) == {}


def test_what_was_typed_is_still_there_after_a_wrong_address(site: Site) -> None:
    answer = site.post("/report", report="Long words.", address="nobody")
    assert "Long words." in answer.text and "The email address is not valid" in answer.words


def test_a_flood_is_refused_with_another_way_and_ends_after_an_hour(cases: Cases) -> None:
    site = Site(cases, hourly_most=3)
    assert [site.report(str(number)).status for number in range(5)] == [200, 200, 200, 503, 503]
    assert "Please write to security@example.com instead" in site.report("more").words
    cases.clock.go(hours=1)
    assert site.report("later").status == 200


def test_a_clock_that_goes_back_refuses_a_report_and_says_so(site: Site) -> None:
    site.report()
    site.cases.clock.go(days=-1)
    answer = site.report("Another.")
    assert answer.status == 503 and "Another." in answer.text


def test_a_reporter_with_an_address_gets_mail_and_no_code(site: Site) -> None:
    answer = site.report(address=ADA)
    assert "We answer to your email address" in answer.words and 'class="token"' not in answer.text
    site.cases.decide("SR-2026-0001", Step.ACKNOWLEDGE)
    assert site.cases.deliver().sent == 1
    assert consistency.verify(site.cases.store).chains


def test_every_page_is_not_stored_and_loads_nothing_from_elsewhere(site: Site) -> None:
    token = token_of(site.report())
    for answer in (site.get(), site.get("/status"), site.post("/status", token=token), site.report("b")):
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert not re.findall(r"(?:src|href|action)=\"(?://|[a-z]+:)", answer.text)
        assert token not in str(answer.headers)


@pytest.mark.parametrize("path", ["/report", "/status", "/add"])
def test_a_connection_that_ends_in_a_form_stores_nothing_and_is_no_error(site: Site, path: str) -> None:
    answer = send(site.app, "POST", path, b"report=The+reset+leaves+da", ends_early=True)
    assert answer.status in (404, 413) and desk.load_all(site.cases.store) == {}


def test_the_form_works_below_a_path_of_the_makers_site(site: Site) -> None:
    prefix = "/security/report"
    app = Starlette(routes=[Mount(prefix, app=site.app)])

    def followed(page: Answer, at: str) -> list[str]:
        return [urljoin(at, found) for found in re.findall(r'(?:href|action)="([^"]+)"', page.text)]

    form_page = send(app, "GET", f"{prefix}/")
    assert followed(form_page, f"{prefix}/") == [f"{prefix}/form.css", f"{prefix}/report", f"{prefix}/status"]
    received = send(app, "POST", f"{prefix}/report", urlencode({"report": "The reset leaves data."}).encode())
    assert followed(received, f"{prefix}/report") == [f"{prefix}/form.css", f"{prefix}/status"]
    token = re.findall(r'class="token">([^<]+)<', received.text)[0]
    asked = send(app, "GET", f"{prefix}/status")
    assert followed(asked, f"{prefix}/status") == [f"{prefix}/form.css", f"{prefix}/status", f"{prefix}/"]
    answers = send(app, "POST", f"{prefix}/status", urlencode({"token": token}).encode())
    assert followed(answers, f"{prefix}/status") == [f"{prefix}/form.css", f"{prefix}/add"]
    assert "The reset leaves data." in answers.text


def test_a_form_that_does_not_arrive_in_time_is_ended_stores_nothing_and_delays_nobody(
    cases: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, seconds = form.make_app(cases.store), [0.0]
    monkeypatch.setattr("provisioning.fair_time.now", lambda: seconds[0])
    slow, quick = (urlencode({"report": text}).encode() for text in ("slow words", "quick words"))
    statuses: list[int] = []

    async def note(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def post(body: bytes, *, is_whole: bool) -> None:
        parts = [body]

        async def receive() -> dict[str, Any]:
            if not parts:
                await asyncio.Event().wait()  # nothing comes any more
            return {"type": "http.request", "body": parts.pop(), "more_body": not is_whole}

        await app(scope("POST", "/report"), receive, note)

    async def both() -> None:
        waiting = asyncio.ensure_future(post(slow, is_whole=False))
        await post(quick, is_whole=True)
        assert statuses == [200] and not waiting.done()
        seconds[0] = 31.0
        await waiting

    asyncio.run(both())
    assert statuses == [200, 408]
    with cases.store.reading() as session:
        assert [row.text for row in session.scalars(select(Message))] == ["quick words"]


def test_the_answer_to_a_slow_form_says_that_nothing_was_stored(cases: Cases) -> None:
    pages = form.Pages(cases.store)
    answer = asyncio.run(pages.slow(None, SlowFormError()))  # type: ignore[arg-type]
    assert answer.status_code == 408 and b"Nothing was stored. Please send it again." in bytes(answer.body)
