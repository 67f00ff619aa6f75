"""A page that Chromium gave up is loaded again, with the form that led to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import playwright.sync_api
import pytest

from tests.browser.loading import RELOADS, next_page, open_page
from tests.running import PASSWORD, FactoryUnit


def failing(method: str, times: int, reason: str = "timedout") -> tuple[Callable[[Any], None], list[str]]:
    """Return a route that fails the first requests of a method, and the bodies of those that it let pass."""
    failed: list[str] = []
    passed: list[str] = []

    def answer(route: Any) -> None:
        if route.request.method != method:
            route.continue_()
        elif len(failed) < times:
            failed.append(route.request.url)
            route.abort(reason)
        else:
            passed.append(route.request.post_data or "")
            route.continue_()

    return answer, passed


def test_a_page_that_the_browser_gave_up_is_loaded_again(page: Any, fresh: FactoryUnit) -> None:
    answer, passed = failing("GET", 2)
    page.route("**/setup", answer)
    open_page(page, fresh.url + "/setup")
    assert page.locator("#code").count() == 1 and passed


def test_a_form_that_was_not_sent_is_sent_once_more(page: Any, fresh: FactoryUnit) -> None:
    answer, passed = failing("POST", 1)
    page.goto(fresh.url + "/setup")
    page.fill("#code", "aaaa-bbbb-cccc-dddd")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.route("**/*", answer)
    with next_page(page):
        page.click("button[type=submit]")
    assert page.locator("[role=alert]").count() == 1
    assert len(passed) == 1 and "aaaa-bbbb-cccc-dddd" in passed[0]


@pytest.mark.parametrize(("times", "reason"), [(RELOADS + 1, "timedout"), (1, "connectionrefused")])
def test_another_cause_or_too_many_tries_fail(page: Any, fresh: FactoryUnit, times: int, reason: str) -> None:
    answer, passed = failing("GET", times, reason)
    page.route("**/setup", answer)
    with pytest.raises(playwright.sync_api.Error):
        open_page(page, fresh.url + "/setup")
    assert not passed
