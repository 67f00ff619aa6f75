"""Load pages of a unit on a busy machine.

Chromium gives a TLS handshake 30 s of wall time, and no setting changes that. If it gives up, nothing was sent: load
the page again, as a person does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import playwright.sync_api

RELOADS = 5
_LOOK_MS = 50
# The second: the browser still shows its own page about the first.
_GAVE_UP = ("ERR_TIMED_OUT", 'interrupted by another navigation to "chrome-error')


def open_page(page: Any, url: str) -> None:
    """Load a page. Raises playwright's Error after RELOADS more tries, and at once for another cause."""
    _again(lambda: page.goto(url), RELOADS)


@contextmanager
def next_page(page: Any) -> Iterator[None]:
    """Wait for the page to which a click in the body of `with` leads, which may send a form.

    Raises playwright's Error as `open_page`.
    """
    try:
        with page.expect_navigation():
            yield
    except playwright.sync_api.Error as error:
        if not _gave_up(error):
            raise
        while not page.url.startswith(
            "chrome-error:"
        ):  # the browser's own page, whose reload sends the form again
            page.wait_for_timeout(_LOOK_MS)
        _again(page.reload, RELOADS - 1)


def _again(load: Any, reloads: int) -> None:
    for _ in range(reloads):
        try:
            load()
            return
        except playwright.sync_api.Error as error:
            if not _gave_up(error):
                raise
    load()


def _gave_up(error: playwright.sync_api.Error) -> bool:
    return any(words in error.message for words in _GAVE_UP)
