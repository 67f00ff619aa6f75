"""The report form of the maker's site in a real browser: readable, usable by keyboard and at phone width, axe clean."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from provisioning.disclosure import desk, form
from provisioning.disclosure.desk import Decision
from provisioning.disclosure.states import Step
from tests.browser.conftest import SCREENSHOTS
from tests.browser.look import check_sizes
from tests.unit.provisioning.disclosure.cases_bench import Cases
from tests.unit.provisioning.station.operator_bench import until

SIZES = {"desk": (1280, 800), "phone": (360, 740)}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Cases, str]]:
    """A store and the address of its form."""
    cases = Cases(tmp_path / "reports.db")
    server = uvicorn.Server(uvicorn.Config(form.make_app(cases.store), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield cases, f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


def look(page: Any, name: str) -> None:
    """Check the shown page at every width."""
    check_sizes(page, SCREENSHOTS, f"report-form-{name}", SIZES)


def test_a_visitor_reports_without_a_name_and_reads_the_answer_with_the_code(
    site: tuple[Cases, str], page: Any
) -> None:
    cases, address = site
    page.goto(address)
    look(page, "report")
    page.get_by_label("What is the problem").focus()
    page.keyboard.type("The reset leaves data.")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".token")
    look(page, "received")
    token = page.locator(".token").inner_text()
    cases.decide("SR-2026-0001", Step.ACKNOWLEDGE)
    decision = Decision("E. Example", cases.case("SR-2026-0001").version, "We can see it, too. " * 20)
    desk.update(cases.store, "SR-2026-0001", decision)
    page.goto(f"{address}/status")
    look(page, "code")
    page.get_by_label("Your code").fill("wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    look(page, "wrong-code")
    page.get_by_label("Your code").fill(token)
    page.keyboard.press("Enter")
    page.get_by_text("We can see it, too.").first.wait_for()
    look(page, "status")
    assert token not in page.url
