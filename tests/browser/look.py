"""The facts of a shown page: its words, requests, the browser's messages, its width, axe's findings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe

# WCAG 2.2, levels A and AA.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
WIDTHS = (1280, 360)
NARROWEST = 320  # WCAG 1.4.10, reflow
HEIGHT = 800
_AXE = Axe()


@dataclass
class View:
    """One page as it was shown."""

    name: str
    path: str
    text: str
    status: int | None
    violations: list[str] = field(default_factory=list)
    overflows: list[int] = field(default_factory=list)
    squeezed: list[str] = field(default_factory=list)


def until_focused(page: Any, selector: str) -> None:
    """Wait until the part has the focus: a browser moves it there (autofocus) after it has loaded the page."""
    page.wait_for_function("selector => document.activeElement.matches(selector)", arg=selector)


@contextmanager
def staying(page: Any) -> Iterator[None]:
    """Keep the page that a form leads to, although it loads itself again: a look at it may take longer than that."""

    def answer(route: Any) -> None:
        request = route.request
        if request.is_navigation_request() and request.method == "GET":
            route.fulfill(status=204)  # the shown page stays (RFC 9110 section 15.3.5)
        else:
            route.continue_()

    page.route("**/*", answer)
    yield
    page.unroute("**/*")


@contextmanager
def held(page: Any) -> Iterator[None]:
    """As `staying`; then load the page again."""
    with staying(page):
        yield
    page.reload()


def axe_violations(page: Any) -> list[str]:
    """Return axe's findings against WCAG 2.2 AA as "rule: element", or []."""
    found = _AXE.run(page, options={"runOnly": {"type": "tag", "values": RULES}}).response
    assert len(found["passes"]) > 5, "axe looked at nothing"
    return [
        f"{violation['id']}: {node['html'][:120]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def overflows(page: Any) -> bool:
    """Return whether a person would have to scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


_SQUEEZED = """
Array.from(document.querySelectorAll("p, li, dt, dd, h1, h2, label, button, a"))
  .filter(part => part.innerText.trim().length > 4 && part.getClientRects().length
                  && part.getBoundingClientRect().width < 40)
  .map(part => part.innerText.trim().slice(0, 40))
"""


def squeezed(page: Any) -> list[str]:
    """Return texts whose column is so narrow that words are broken into letters."""
    return list(page.evaluate(_SQUEEZED))


class Watch:
    """Records the requests of a page and the browser's messages."""

    def __init__(self, page: Any) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.last_status: int | None = None
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("response", self._answered)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._said)

    def _answered(self, response: Any) -> None:
        if response.request.is_navigation_request():
            self.last_status = response.status

    def _said(self, message: Any) -> None:
        # The browser reports each 4xx answer, also for a form that is refused on purpose.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)


def view(page: Any, watch: Watch, name: str, folder: Path) -> View:
    """Check the shown page at every width, light and dark, with axe; keep a picture of each."""
    seen = View(name, page.evaluate("location.pathname"), page.inner_text("body"), watch.last_status)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        page.screenshot(path=folder / f"{name}-{width}.png", full_page=True)
        if overflows(page):
            seen.overflows.append(width)
        seen.squeezed += squeezed(page)
    page.set_viewport_size({"width": NARROWEST, "height": HEIGHT})
    if overflows(page):
        seen.overflows.append(NARROWEST)
    seen.violations += axe_violations(page)
    page.emulate_media(color_scheme="dark")
    seen.violations += [f"dark: {found}" for found in axe_violations(page)]
    page.screenshot(path=folder / f"{name}-dark-{NARROWEST}.png", full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": WIDTHS[0], "height": HEIGHT})
    return seen


def check(page: Any, watch: Watch, name: str, folder: Path) -> None:
    """Fail unless the shown page suits everyone, at every width and in both schemes; pictures go into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    seen = view(page, watch, name, folder)
    assert not seen.violations and not seen.overflows and not seen.squeezed
    assert not watch.complaints


def text_of(page: Any, picture: Path) -> str:
    """Return the words of the shown page, after a picture of it; fail unless it suits everyone at its width."""
    page.wait_for_load_state()  # a selector is found before the style has arrived
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=picture, full_page=True)
    assert not overflows(page), picture.name
    assert axe_violations(page) == []
    return str(page.inner_text("main"))


def check_sizes(page: Any, folder: Path, name: str, sizes: dict[str, tuple[int, int]]) -> None:
    """Fail unless the shown page suits everyone at each size (width, height); pictures go into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for size, (width, height) in sizes.items():
        page.set_viewport_size({"width": width, "height": height})
        page.screenshot(path=folder / f"{name}-{size}.png", full_page=True)
        assert (axe_violations(page), overflows(page), squeezed(page)) == ([], False, []), (name, size)
