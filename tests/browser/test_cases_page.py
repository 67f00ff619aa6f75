"""The maker's page of reports and failures in a real browser: readable at every width, axe clean."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioning.cli.page_server import PageServer
from provisioning.cli.report_page import read_shown
from provisioning.disclosure.cases_page import make_app
from tests.browser.conftest import SCREENSHOTS
from tests.browser.look import axe_violations, overflows, squeezed
from tests.unit.provisioning.failures.failures_bench import Failures

SIZES = {"desk": (1280, 800), "phone": (360, 740)}


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[tuple[Failures, str]]:
    """A case store, and the address of its page."""
    failures = Failures(tmp_path)
    with PageServer(make_app(lambda: read_shown(failures.store)), "127.0.0.1:0", "--listen") as server:
        yield failures, server.address


def test_due_items_cases_and_investigations_are_readable_at_every_width(
    shown: tuple[Failures, str], page: Any
) -> None:
    failures, address = shown
    for state in ("empty", "busy"):
        if state == "busy":
            failures.report()
            failures.clock.go(days=9)
            failures.report("ben@reporter.example", "another report")
            failures.open("B1")
        page.goto(address)
        page.wait_for_selector("text=Kept times")
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=SCREENSHOTS / f"cases-{state}-{size}.png", full_page=True)
            assert (axe_violations(page), overflows(page), squeezed(page)) == ([], False, []), (state, size)
    assert page.get_by_text("Overdue: 1").count() == 1
    assert page.get_by_text("Two labels show one code.").count() == 1
