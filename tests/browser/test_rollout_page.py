"""The page of a rollout in a real browser: readable at every width, axe clean, and fresh without reloading."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device.errors import DigestMismatchError, KnownBadError
from provisioning.cli.page_server import PageServer
from provisioning.servers.rollout_page import make_app
from tests.browser.conftest import SCREENSHOTS
from tests.browser.look import check_sizes
from tests.unit.provisioning.servers.test_rollout_store import CLASS_ID, PLAN, Bench

SIZES = {"desk": (1280, 800), "phone": (360, 740)}


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[tuple[Bench, str]]:
    """A rollout in its first stage, and the address of its page."""
    bench = Bench(tmp_path)
    bench.now_s = 1_790_000_000
    bench.store.begin(bench.published, PLAN)
    with PageServer(
        make_app("GB-LAMP-1", lambda: bench.store.latest(CLASS_ID)), "127.0.0.1:0", "--page"
    ) as server:
        yield bench, server.address


def look(page: Any, name: str) -> None:
    """Check the shown page at every width."""
    check_sizes(page, SCREENSHOTS, f"rollout-{name}", SIZES)


def test_a_rollout_is_seen_from_its_first_unit_to_a_pause(shown: tuple[Bench, str], page: Any) -> None:
    bench, address = shown
    page.goto(address)
    page.wait_for_selector("text=Stage 1 of 3: 1 % of the fleet")
    look(page, "began")
    for hour in range(3):
        bench.now_s += 1800
        bench.units(range(5 * hour, 5 * hour + 5))
        bench.report(50 + hour, error=DigestMismatchError.code)
        bench.step()
    page.wait_for_selector("text=Stage 2 of 3: 10 % of the fleet")
    look(page, "second-stage")
    bench.now_s += 1800
    bench.units(range(20, 24), fails=True)
    bench.step()
    page.wait_for_selector("text=Paused: 4 units failed, 21.1%")
    assert page.locator(".bad dd").first.inner_text() == "4"
    assert page.get_by_text(f"KnownBadError ({KnownBadError.code})").count() == 1
    page.wait_for_function(
        "document.querySelector('.curve').naturalWidth > 0"
    )  # an image loads after its page
    look(page, "paused")


def test_the_page_is_complete_without_script(shown: tuple[Bench, str], chromium: Any) -> None:
    bench, address = shown
    bench.units(range(3))
    bench.step()
    with chromium.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(address)
        assert page.get_by_text("Stage 1 of 3: 1 % of the fleet").count() >= 1
        assert page.locator(".good dd").inner_text() == "3"


def test_a_rollout_that_cannot_be_read_is_said_and_comes_back(shown: tuple[Bench, str], page: Any) -> None:
    bench, address = shown
    page.goto(address)
    page.wait_for_selector("text=Stage 1 of 3")
    away = bench.path.with_suffix(".away")
    bench.path.rename(away)
    page.wait_for_selector("text=The rollout cannot be read")
    look(page, "unreadable")
    away.rename(bench.path)
    page.wait_for_selector("text=Stage 1 of 3")


def test_text_from_units_is_text_on_the_page(shown: tuple[Bench, str], page: Any) -> None:
    bench, address = shown
    bench.report(1, version="<b id=x>1</b>")
    bench.step()
    page.goto(address)
    page.wait_for_selector("text=<b id=x>1</b>")
    assert page.locator("#x").count() == 0


def test_a_name_from_elsewhere_that_leads_to_this_machine_is_refused(
    shown: tuple[Bench, str], page: Any
) -> None:
    _, address = shown
    assert page.request.get(f"{address}rollout.json", headers={"Host": "evil.example"}).status == 400
    found = page.request.get(f"{address}rollout.json")
    assert json.loads(found.text())["state"] == "running"
    assert found.headers["cache-control"] == "no-store"
