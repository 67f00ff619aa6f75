"""The page of a kit in a real browser, opened from disk: on a phone and on a desk (SC-11)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioning.kit.check import check_delivery
from provisioning.kit.content import read_content
from provisioning.kit.delivery import read_delivery
from provisioning.kit.page import render_page
from provisioning.registry import stops
from tests.browser.conftest import SCREENSHOTS
from tests.browser.look import axe_violations, overflows, squeezed
from tests.unit.provisioning.compliance.statement_bench import PRODUCT, TODAY
from tests.unit.provisioning.kit.kit_bench import KitFactory

WIDTHS = (360, 1280)
HOSTILE = ("<img src=x onerror=alert(1)>", "FB1-000001,FB1-000002", "{", '{"entry":null}', "\u202eFB1")


@pytest.fixture(scope="module")
def factory(tmp_path_factory: pytest.TempPathFactory) -> KitFactory:
    """A factory with a kit of one unit in order and one withdrawn unit."""
    made = KitFactory(tmp_path_factory.mktemp("kit"))
    made.plant("UPDATE unit SET withdrawn_s = 1 WHERE serial = :serial", serial=made.mine[1])
    made.build()
    return made


@pytest.fixture(scope="module", params=WIDTHS)
def page(request: pytest.FixtureRequest, chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport={"width": request.param, "height": 800})
    yield context.new_page()
    context.close()


def opened(page: Any, folder: Path, today: dt.date = TODAY) -> None:
    page.clock.set_fixed_time(dt.datetime.combine(today, dt.time(12), dt.UTC))
    page.goto((folder / "index.html").as_uri())


def ask(page: Any, text: str) -> None:
    page.fill("#serials", text)
    page.click("button[type=submit]")
    page.wait_for_selector("#summary strong")


def shown(page: Any) -> dict[str, list[str]]:
    """Return the sentences of each unit that the page shows."""
    return {
        item.locator("h3").inner_text().split(":")[0]: item.locator("p").all_inner_texts()
        for item in page.locator("#found li").all()
    }


def test_the_page_fits_its_window_and_breaks_no_rule_of_wcag(factory: KitFactory, page: Any) -> None:
    opened(page, factory.folder)
    (SCREENSHOTS / "kit").mkdir(parents=True, exist_ok=True)
    width = page.viewport_size["width"]
    for name, text in (("start", ""), ("result", "\n".join([*factory.mine, "FB1-999999"]))):
        if text:
            ask(page, text)
        page.screenshot(path=SCREENSHOTS / "kit" / f"{name}-{width}.png", full_page=True)
        assert not overflows(page) and not squeezed(page)
        assert axe_violations(page) == []


@pytest.mark.parametrize("days", [0, 30, 31, -1, 3000])
def test_the_page_gives_the_words_of_the_command(days: int, factory: KitFactory, page: Any) -> None:
    today = TODAY + dt.timedelta(days)
    lists = ["\n".join([*factory.mine, factory.other, "FB1-999999", factory.mine[0]])]
    lists.append(factory.packing.path.read_text())
    for text in lists:
        opened(page, factory.folder, today)
        ask(page, text)
        expected = check_delivery(factory.open(), read_delivery(text.encode()), today)
        assert shown(page) == {each.serial: list(each.sentences) for each in expected}
        wrong = sum(not each.is_in_order for each in expected)
        assert page.inner_text("#summary strong").startswith(
            f"Not in order: {wrong} of {len(expected)} units"
        )


@pytest.mark.parametrize("state", [stops.STOPPED, stops.RECALLED])
def test_cf_04_the_page_shows_a_stopped_or_recalled_batch(state: str, page: Any, tmp_path: Path) -> None:
    factory = KitFactory(tmp_path)
    stops.stop(factory.registry, "CF-2026-0001", PRODUCT.model, [PRODUCT.batch], state, by="E. Example")
    factory.build()
    opened(page, factory.folder)
    ask(page, factory.serial)
    expected = check_delivery(factory.open(), read_delivery(factory.serial.encode()), TODAY)
    assert shown(page) == {factory.serial: list(expected[0].sentences)}
    assert page.locator("#found .result").inner_text() == state


def test_a_file_is_checked_as_a_typed_list_is(factory: KitFactory, page: Any, tmp_path: Path) -> None:
    opened(page, factory.folder)
    delivery = tmp_path / "delivery.txt"
    delivery.write_bytes(b"\xef\xbb\xbf" + factory.serial.encode() + b"\r\n")
    page.set_input_files("#file", delivery)
    page.click("button[type=submit]")
    page.wait_for_selector("#summary.yes")
    assert page.inner_text("#summary strong") == "In order: 1 unit."


def test_a_packing_line_with_another_statement_is_no_line_of_the_kit(factory: KitFactory, page: Any) -> None:
    statement = factory.open().content.statements[0].sha256
    text = "".join(
        line for line in factory.packing.path.read_text().splitlines(True) if factory.serial in line
    )
    opened(page, factory.folder)
    ask(page, text)
    assert page.locator("#found .yes").count() == 1
    ask(page, text.replace(statement, "0" * 64))
    assert page.locator("#found .result").inner_text() == "packing line not in order"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_list_of_another_form_is_refused_and_shown_as_text(
    text: str, factory: KitFactory, page: Any
) -> None:
    opened(page, factory.folder)
    ask(page, text)
    assert "Line 1 is not" in page.inner_text("#summary") and not page.locator("#found li").count()
    assert not page.locator("#summary img").count()


def test_a_hostile_name_in_the_data_stays_text(factory: KitFactory, page: Any, tmp_path: Path) -> None:
    content = (factory.folder / "kit.json").read_text()
    name = '</script><img src=x onerror=\\"document.title=1\\">'
    (tmp_path / "index.html").write_bytes(
        render_page(read_content(content.replace("Tallowgate Lighting Ltd", name).encode()))
    )
    opened(page, tmp_path)
    ask(page, "FB1-999999")
    assert "onerror" in page.inner_text("#found") and not page.locator("img").count()
    assert "onerror" in page.title()


def test_the_page_sends_nothing_and_needs_no_other_file(factory: KitFactory, page: Any) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    opened(page, factory.folder)
    ask(page, factory.serial)
    assert set(asked) == {(factory.folder / "index.html").as_uri()}
    blocked = page.evaluate("fetch('https://example.com/').then(() => false, () => true)")
    assert blocked


def test_without_a_script_the_page_is_readable_and_leads_to_the_command(
    factory: KitFactory, chromium: Any
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    shown_page = context.new_page()
    shown_page.goto((factory.folder / "index.html").as_uri())
    text = shown_page.inner_text("main")
    context.close()
    for part in (factory.mine[1], "withdrawn", "firstboot kit check", "Section 15(3), regulation 9"):
        assert part in text
