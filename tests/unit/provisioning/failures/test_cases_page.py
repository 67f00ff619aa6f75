"""The maker's page: due and overdue, open cases, investigations; nothing of a reporter, and nothing for other sites."""

from __future__ import annotations

import asyncio
import html
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from provisioning.cli.page_server import PageServer
from provisioning.cli.report_page import read_shown
from provisioning.disclosure.cases_page import make_app
from provisioning.disclosure.errors import CaseError
from provisioning.failures import desk
from provisioning.failures.desk import Suspicion
from provisioning.failures.origins import PERSON, Origin
from provisioning.failures.states import Step
from tests.unit.provisioning.failures.failures_bench import Failures


@pytest.fixture
def failures(tmp_path: Path) -> Failures:
    return Failures(tmp_path)


def get(app: Any, host: str = "127.0.0.1:8643") -> tuple[int, str, dict[str, str]]:
    """Return (status, text, headers) of the page, asked for without a server."""
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def note(message: Any) -> None:
        messages.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "scheme": "http",
        "headers": [(b"host", host.encode())], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 1),
        "http_version": "1.1", "root_path": "",
    }  # fmt: skip
    asyncio.run(app(scope, receive, note))
    body = b"".join(one.get("body", b"") for one in messages[1:]).decode()
    headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    return messages[0]["status"], body, headers


def words(failures: Failures) -> str:
    status, text, _ = get(make_app(lambda: read_shown(failures.store)))
    assert status == 200
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text)))


def test_an_empty_store_has_nothing_due(failures: Failures) -> None:
    found = words(failures)
    assert "Nothing is due." in found and "No case is open." in found and "No investigation is open." in found


def test_rp_08_an_acknowledgement_is_shown_as_due_and_then_as_overdue(failures: Failures) -> None:
    code = failures.report().case
    found = words(failures)
    assert f"{code}: acknowledgement" in found and "overdue" not in found.lower()
    failures.clock.go(days=9)
    found = words(failures)
    assert "Overdue: 1" in found and f"{code}: acknowledgement (overdue)" in found


def test_the_page_has_no_word_and_no_address_of_a_reporter(failures: Failures) -> None:
    failures.report(text="secret words of the reporter")
    _, text, _ = get(make_app(lambda: read_shown(failures.store)))
    assert "secret words" not in text and "@reporter.example" not in text


def test_cf_01_an_open_investigation_and_its_stop_are_shown_until_it_is_closed(failures: Failures) -> None:
    code = failures.open("B1").code
    found = words(failures)
    assert (
        f"{code}: Two labels show one code." in found and "batches B1; does not ship: investigated" in found
    )
    failures.step(code, Step.CLEAR, Step.CLOSE)
    assert "No investigation is open." in words(failures)


def test_text_of_a_case_is_text_on_the_page(failures: Failures) -> None:
    suspicion = Suspicion("<script>alert(1)</script> {{ 7*7 }}", Origin(PERSON), ("B1",))
    desk.open_investigation(failures.store, failures.registry, suspicion, "E. Example")
    _, text, _ = get(make_app(lambda: read_shown(failures.store)))
    assert "<script" not in text and "&lt;script&gt;" in text and "{{ 7*7 }}" in text


def test_a_page_of_another_site_learns_nothing(failures: Failures) -> None:
    failures.open("B1")
    status, text, _ = get(make_app(lambda: read_shown(failures.store)), "evil.example")
    assert status == 400 and "CF-" not in text


def test_the_page_is_not_stored_and_loads_nothing_from_elsewhere(failures: Failures) -> None:
    _, _, headers = get(make_app(lambda: read_shown(failures.store)))
    assert (
        headers["cache-control"] == "no-store" and "default-src 'none'" in headers["content-security-policy"]
    )


def test_a_store_that_cannot_be_read_is_said(failures: Failures) -> None:
    def fail() -> Any:
        raise CaseError("the log was changed")

    status, text, _ = get(make_app(fail))
    assert status == 503 and "the log was changed" in text and "Nothing is due" not in text


def test_a_page_can_be_opened_from_the_moment_its_address_is_known(failures: Failures) -> None:
    server = PageServer(make_app(lambda: read_shown(failures.store)), "127.0.0.1:0", "--listen")
    host, port = server.address.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port))) as early, server:
        early.sendall(f"GET / HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        assert early.recv(12) == b"HTTP/1.1 200"
