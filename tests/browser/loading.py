"""Load pages of a unit on a busy machine.

Chromium gives a TLS handshake 30 s of wall time, and no setting changes that. If it gives up, nothing was sent: load
the page again, as a person does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import playwright.sync_api

RELOADS = 5
_LOOK_MS = 50
_GAVE_UP = "ERR_TIMED_OUT"
_OWN_PAGE = "chrome-error:"


def open_page(page: Any, url: str, cause: str = _GAVE_UP) -> Any:
    """Load a page and return the answer. Raises playwright's Error after RELOADS more tries, and at once if its
    message does not have `cause`.
    """
    with _own_pages(page) as shown:
        return _again(page, shown, lambda: page.goto(url), RELOADS, cause)


@contextmanager
def next_page(page: Any) -> Iterator[None]:
    """Wait for the page to which a click in the body of `with` leads, which may send a form.

    Raises playwright's Error as `open_page`.
    """
    with _own_pages(page) as shown:
        try:
            with page.expect_navigation():
                yield
        except playwright.sync_api.Error as error:
            _until_given_up(page, shown, 1, error, _GAVE_UP)
            # A reload of the browser's own page sends the form again.
            _again(page, shown, page.reload, RELOADS - 1, _GAVE_UP)


@contextmanager
def _own_pages(page: Any) -> Iterator[list[str]]:
    """Return the list of the browser's own pages that were shown, which grows."""
    shown: list[str] = []

    def note(frame: Any) -> None:
        if frame == page.main_frame and frame.url.startswith(_OWN_PAGE):
            shown.append(frame.url)

    page.on("framenavigated", note)
    try:
        yield shown
    finally:
        page.remove_listener("framenavigated", note)


def _again(page: Any, shown: list[str], load: Callable[[], Any], reloads: int, cause: str) -> Any:
    for _ in range(reloads):
        before = len(shown)
        try:
            return load()
        except playwright.sync_api.Error as error:
            _until_given_up(page, shown, before + 1, error, cause)
    return load()


def _until_given_up(
    page: Any, shown: list[str], count: int, error: playwright.sync_api.Error, cause: str
) -> None:
    """Wait until the browser shows its own page about a load that it gave up; raise another error again.

    The error comes before that page, which would interrupt a load that starts between the two.
    """
    if cause not in error.message or "ERR_ABORTED" in error.message:  # without a page of its own
        raise error
    while len(shown) < count:
        page.wait_for_timeout(_LOOK_MS)
